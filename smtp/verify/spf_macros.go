package verify

import (
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// macro is one %{…} (RFC 7208 7.1).
type macro struct {
	letter     byte // lower case
	escape     bool // it stood in upper case
	keep       int  // rightmost parts; 0: all
	reverse    bool
	delimiters string
}

// piece is some of a macro string: text as it stands, or a macro.
type piece struct {
	text  string
	macro *macro
}

// readMacros cuts a macro string into its pieces (RFC 7208 7.1). spaces: they may stand in it, as in an explanation.
func readMacros(s string, spaces bool) (pieces []piece, err error) {
	wrong := func() ([]piece, error) { return nil, permError("%s cannot be expanded", printable(s, 100)) }
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			if (c < 0x21 || c > 0x7e) && (c != ' ' || !spaces) {
				return wrong()
			}
			pieces = append(pieces, piece{text: s[i : i+1]})
			continue
		}
		if i++; i == len(s) {
			return wrong()
		}
		switch s[i] {
		case '%':
			pieces = append(pieces, piece{text: "%"})
		case '_':
			pieces = append(pieces, piece{text: " "})
		case '-':
			pieces = append(pieces, piece{text: "%20"})
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return wrong()
			}
			m, ok := readMacro(s[i+1 : i+end])
			if !ok {
				return wrong()
			}
			pieces = append(pieces, piece{macro: m})
			i += end
		default:
			return wrong()
		}
	}
	return pieces, nil
}

func readMacro(s string) (*macro, bool) {
	if s == "" {
		return nil, false
	}
	m := &macro{letter: s[0] | 0x20, escape: s[0] < 'a', delimiters: "."}
	if strings.IndexByte("slodiphvcrt", m.letter) < 0 || s[0] < 'A' {
		return nil, false
	}
	s = s[1:]
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if digits > 0 {
		n, err := strconv.Atoi(s[:digits])
		if err != nil || n == 0 {
			return nil, false
		}
		m.keep, s = n, s[digits:]
	}
	if s != "" && s[0]|0x20 == 'r' {
		m.reverse, s = true, s[1:]
	}
	if strings.Trim(s, ".-+,/_=") != "" {
		return nil, false
	}
	if s != "" {
		m.delimiters = s
	}
	return m, true
}

// onlyExplains tells whether a macro may stand in explanations alone.
func (m *macro) onlyExplains() bool { return strings.IndexByte("crt", m.letter) >= 0 }

// checkMacros checks a macro string that is not going to be expanded.
func checkMacros(s string) error {
	_, err := readMacros(s, false)
	return err
}

// checkDomainSpec checks a macro string that is to become a name: it ends in a macro or in a label that can be the last
// (RFC 7208 7.1).
func checkDomainSpec(s string) error {
	pieces, err := readMacros(s, false)
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if p.macro != nil && p.macro.onlyExplains() {
			return permError("%%{%c} belongs in explanations", p.macro.letter)
		}
	}
	if n := len(pieces); n > 0 && (pieces[n-1].macro != nil || len(s) >= 2 && s[len(s)-2] == '%') {
		return nil
	}
	name := strings.TrimSuffix(s, ".")
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || !isTopLabel(name[dot+1:]) {
		return permError("%s is no domain", printable(s, 100))
	}
	return nil
}

// isTopLabel knows labels that are not numbers.
func isTopLabel(s string) bool {
	letters := false
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-':
			letters = true
		case c < '0' || c > '9':
			return false
		}
	}
	return letters && s[0] != '-' && s[len(s)-1] != '-'
}

// target is the name that a domain-spec means; without one, the record's own domain. What is too long loses labels on
// its left (RFC 7208 7.3).
func (e *evaluation) target(spec, domain string) (string, error) {
	if spec == "" {
		return domain, nil
	}
	pieces, err := readMacros(spec, false)
	if err != nil {
		return "", err
	}
	name := strings.TrimSuffix(e.expand(pieces, domain), ".")
	for len(name) > 253 {
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			break
		}
		name = rest
	}
	return name, nil
}

func (e *evaluation) expand(pieces []piece, domain string) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.macro == nil {
			b.WriteString(p.text)
			continue
		}
		b.WriteString(p.macro.transform(e.value(p.macro.letter, domain)))
	}
	return b.String()
}

// value is what a macro's letter stands for (RFC 7208 7.2).
func (e *evaluation) value(letter byte, domain string) string {
	at := strings.LastIndexByte(e.sender, '@')
	switch letter {
	case 's':
		return e.sender
	case 'l':
		return e.sender[:at]
	case 'o':
		return e.sender[at+1:]
	case 'd':
		return domain
	case 'i':
		if e.ip.Is4() {
			return e.ip.String()
		}
		return strings.Join(strings.Split(strings.ToUpper(hex.EncodeToString(e.ip.AsSlice())), ""), ".")
	case 'p':
		if name, ok := e.validated(domain, true); ok {
			return name
		}
		return "unknown"
	case 'v':
		if e.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return e.helo
	case 'c':
		return e.ip.String()
	case 'r':
		if e.receiver == "" {
			return "unknown"
		}
		return e.receiver
	default: // t
		return strconv.FormatInt(e.now.Unix(), 10)
	}
}

func (m *macro) transform(value string) string {
	if m.keep > 0 || m.reverse || m.delimiters != "." {
		parts := splitAny(value, m.delimiters)
		if m.reverse {
			slices.Reverse(parts)
		}
		if m.keep > 0 && m.keep < len(parts) {
			parts = parts[len(parts)-m.keep:]
		}
		value = strings.Join(parts, ".")
	}
	if m.escape {
		value = strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	}
	return value
}

// splitAny splits at any of some characters.
func splitAny(s, at string) (parts []string) {
	from := 0
	for i := range len(s) {
		if strings.IndexByte(at, s[i]) >= 0 {
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// explain fetches and expands what the domain says to those whom it excludes (RFC 7208 6.2). Whatever is wrong with it,
// there is none.
func (e *evaluation) explain(spec, domain string) string {
	target, err := e.target(spec, domain)
	if err != nil || !isName(target) {
		return ""
	}
	texts, err := e.resolver.LookupTXT(e.ctx, target)
	if err != nil || len(texts) != 1 {
		return ""
	}
	pieces, err := readMacros(texts[0], true)
	if err != nil {
		return ""
	}
	return e.expand(pieces, domain)
}
