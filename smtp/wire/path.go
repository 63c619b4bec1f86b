package wire

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

// How long the two halves of an address may be. RFC 5321 4.5.3.1 allows 64 and 255; return addresses that carry another
// in them are longer in practice.
const (
	maxLocalPart = 256
	maxDomain    = 255
)

// ParsePath reads the argument of MAIL and RCPT after "FROM:" or "TO:": a path in angle brackets, and parameters. A
// source route is dropped (RFC 5321 3.3), a quoted local part loses quotes that it does not need, and who leaves out the
// brackets, as old scripts do, is understood. The null path is "".
func ParsePath(s string) (address string, ps []Parameter, err error) {
	s, ok := strings.CutPrefix(strings.TrimLeft(s, " "), "<")
	if !ok {
		bare, rest, _ := strings.Cut(s, " ")
		if !strings.Contains(bare, "@") || strings.ContainsAny(bare, `"<>`) {
			return "", nil, errSyntax
		}
		s = bare + "> " + rest
	}
	if strings.HasPrefix(s, "@") {
		if _, s, ok = strings.Cut(s, ":"); !ok {
			return "", nil, errSyntax
		}
	}
	rest, empty := strings.CutPrefix(s, ">")
	if !empty {
		if address, rest, err = parseMailbox(s); err != nil {
			return "", nil, err
		}
		if rest, ok = strings.CutPrefix(rest, ">"); !ok {
			return "", nil, errSyntax
		}
	}
	if rest != "" && rest[0] != ' ' && rest[0] != '\t' {
		return "", nil, errSyntax
	}
	ps, err = parseParameters(rest)
	return address, ps, err
}

// parseMailbox reads local@domain up to a closing bracket. RCPT's "<postmaster>" has no domain (RFC 5321 4.1.1.3).
func parseMailbox(s string) (address, rest string, err error) {
	local, rest, err := parseLocalPart(s)
	if err != nil || len(local) > maxLocalPart || !utf8.ValidString(local) {
		return "", "", errSyntax
	}
	if rest, ok := strings.CutPrefix(rest, "@"); ok {
		end := strings.IndexByte(rest, '>')
		if end < 0 || !validHost(rest[:end]) {
			return "", "", errSyntax
		}
		return local + "@" + rest[:end], rest[end:], nil
	}
	if strings.EqualFold(local, "postmaster") {
		return local, rest, nil
	}
	return "", "", errSyntax
}

// parseLocalPart reads a dot-string or a quoted string (RFC 5321 4.1.2). Dots at odd places are let through: some
// phones' addresses have them.
func parseLocalPart(s string) (local, rest string, err error) {
	if s, ok := strings.CutPrefix(s, `"`); ok {
		return parseQuoted(s)
	}
	end := strings.IndexAny(s, "@>")
	if end <= 0 || !isDotString(s[:end]) {
		return "", "", errSyntax
	}
	return s[:end], s[end:], nil
}

func isDotString(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;\,"@`, r)
	})
}

func parseQuoted(s string) (local, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if text := b.String(); isDotString(text) {
				return text, s[i+1:], nil
			}
			return `"` + s[:i] + `"`, s[i+1:], nil
		case c == '\\':
			if i++; i == len(s) || s[i] < ' ' || s[i] > '~' {
				return "", "", errSyntax
			}
			b.WriteByte(s[i])
		case c < ' ' || c == 0x7f:
			return "", "", errSyntax
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errSyntax
}

// validHost tells whether s can be a domain, in ASCII or in letters of other scripts (RFC 6531 3.3), or an address
// literal (RFC 5321 4.1.3).
func validHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		if len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:") {
			inner = inner[5:]
		}
		_, err := netip.ParseAddr(inner)
		return closed && err == nil
	}
	if len(s) > maxDomain || !utf8.ValidString(s) {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		other := func(r rune) bool {
			return r < utf8.RuneSelf && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
		}
		if label == "" || strings.ContainsFunc(label, other) {
			return false
		}
	}
	return true
}

// IsASCII tells whether an address needs no SMTPUTF8.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ValidHello tells whether s can be what a peer calls itself in EHLO. Many hosts have no name that would be a domain, and
// are no worse for it: any word of printable ASCII will do, as long as it can stand in a Received field.
func ValidHello(s string) bool {
	return s != "" && len(s) <= maxDomain && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>;,\"`, r) })
}
