package parse

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"podmail/mail"
)

// maxAddresses and maxName bound how many addresses of one field are kept, and the bytes of each one's name.
const (
	maxAddresses = 1000
	maxName      = 1000
)

// MissingDomain stands for the host of an address that has none, so that it is not taken for a group marker.
const MissingDomain = "missing-domain.invalid"

// Addresses reads an address field's value as well as it can: names in any spelling, groups, and junk, of which what
// looks most like an address is kept.
func Addresses(s string) (out []mail.Address) {
	pending, inGroup := "", false
	for _, tok := range splitAddresses(s) {
		if len(out) >= maxAddresses {
			break
		}
		text := strings.TrimSpace(tok.text)
		switch tok.end {
		case ':':
			out = append(out, mail.Address{Mailbox: displayName(text)})
			inGroup = true
			continue
		case ',':
			if text != "" && !strings.ContainsAny(text, "@<") { // an unquoted "Doe, John <…>"
				pending += text + ", "
				continue
			}
		}
		if text = pending + text; text != "" {
			out = append(out, address(text))
		}
		pending = ""
		if tok.end == ';' && inGroup {
			out = append(out, mail.Address{})
			inGroup = false
		}
	}
	if inGroup {
		out = append(out, mail.Address{})
	}
	return out
}

type addressToken struct {
	text string
	end  byte // ',', ';', ':' or 0 at the end
}

// splitAddresses cuts a value at the separators that stand outside of quotes, comments, angle brackets and domain
// literals; and before an address in angle brackets that follows another, of which readers show either.
func splitAddresses(s string) (out []addressToken) {
	quoted, comment, angle, literal, from, opened := false, 0, false, false, 0, -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && (quoted || comment > 0):
			i++
		case quoted:
			quoted = c != '"'
		case comment > 0:
			comment += depthOf(c)
		case c == '"':
			quoted = true
		case c == '(':
			comment = 1
		case c == '<':
			if opened >= from && strings.IndexByte(s[opened:i], '@') >= 0 {
				out = append(out, addressToken{s[from:i], ','})
				from = i
			}
			angle, opened = true, i
		case c == '>':
			angle = false
		case c == '[':
			literal = true
		case c == ']':
			literal = false
		case !angle && !literal && (c == ',' || c == ';' || c == ':'):
			out = append(out, addressToken{s[from:i], c})
			from = i + 1
		}
	}
	return append(out, addressToken{s[from:], 0})
}

func depthOf(c byte) int {
	switch c {
	case '(':
		return 1
	case ')':
		return -1
	}
	return 0
}

// address reads one mailbox.
func address(s string) mail.Address {
	var a mail.Address
	spec := s
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		a.Name = displayName(s[:i])
		spec = s[i+1:]
		if j := strings.IndexByte(spec, '>'); j >= 0 {
			spec = spec[:j]
		}
		if j := strings.LastIndexByte(spec, ':'); j >= 0 && strings.HasPrefix(spec, "@") { // a source route (RFC 5322 4.4)
			spec = spec[j+1:]
		}
	} else if i := strings.IndexByte(s, '('); i >= 0 { // the name as a comment: old, and still met
		a.Name = words(strings.TrimSpace(strings.Trim(s[i:], "() ")))
		spec = stripComments(s)
	}
	spec = clean(spec)
	if local, domain, ok := mail.SplitAddress(spec); ok {
		a.Mailbox, a.Host = mail.Unquoted(strings.TrimSpace(local)), strings.ToLower(strings.TrimSpace(domain))
	} else {
		a.Mailbox, a.Host = spec, MissingDomain
	}
	return a
}

// displayName undoes quotes and encoded words.
func displayName(s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, `"`) {
		s = unquote(s)
	} else if strings.IndexByte(s, '"') >= 0 {
		s = strings.ReplaceAll(s, `"`, "")
	}
	s = clean(words(s))
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return s
}

// clean makes text valid, printable and free of surrounding space.
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = utf8OrLatin([]byte(s))
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s))
}

// Address reads an address that a caller gave: `local@host` or `Name <local@host>`. Unlike Addresses it insists on its
// form, so that nothing can be smuggled into a header or an envelope.
func Address(s string) (mail.Address, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxName {
		return mail.Address{}, fmt.Errorf("an address with its name has at most %d bytes", maxName)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return mail.Address{}, errors.New("an address has no control characters")
	}
	name, spec := "", s
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		if !strings.HasSuffix(s, ">") {
			return mail.Address{}, fmt.Errorf("%q is neither `local@host` nor `Name <local@host>`", s)
		}
		name, spec = displayName(s[:i]), strings.TrimSpace(s[i+1:len(s)-1])
	}
	local, domain, ok := mail.SplitAddress(spec)
	if !ok || len(local) > 64 || len(spec) > 254 || !(mail.IsDotAtom(local) || isQuoted(local)) || !isHost(domain) {
		return mail.Address{}, fmt.Errorf("%q is no email address", spec)
	}
	return mail.Address{Name: name, Mailbox: mail.Unquoted(local), Host: strings.ToLower(domain)}, nil
}

func isQuoted(s string) bool {
	return len(s) > 2 && s[0] == '"' && s[len(s)-1] == '"' && !strings.ContainsAny(s[1:len(s)-1], `"\`)
}

// isHost accepts domain names, internationalised ones too, and address literals (RFC 5321 4.1.3).
func isHost(d string) bool {
	if strings.HasPrefix(d, "[") && strings.HasSuffix(d, "]") {
		return !strings.ContainsAny(d[1:len(d)-1], "[]<>() ")
	}
	for label := range strings.SplitSeq(d, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
				return false
			}
			if r >= 0x80 && !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) {
				return false
			}
		}
	}
	return true
}

// maxIDs and maxID bound the message ids of one field, and the length of one: an answer must have room for it on a line
// (RFC 5322 2.1.1).
const (
	maxIDs = 100
	maxID  = 980
)

// MessageIDs finds the message ids in the value of Message-ID, In-Reply-To or References, with their angle brackets.
// Of a very long list the oldest and the latest are kept.
func MessageIDs(s string) (ids []string) {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			break
		}
		s = s[i:]
		j := strings.IndexByte(s, '>')
		if j < 0 {
			break
		}
		if id := s[:j+1]; len(id) > 2 && len(id) <= maxID && strings.LastIndexByte(id, '<') == 0 && usableID(id) {
			ids = append(ids, id)
		}
		s = s[1:]
		if k := strings.IndexByte(s, '>'); k >= 0 {
			if next := strings.LastIndexByte(s[:k], '<'); next >= 0 {
				s = s[next:] // a stray bracket before an id
			} else {
				s = s[k+1:]
			}
		}
	}
	if len(ids) > maxIDs {
		ids = append(ids[:1:1], ids[len(ids)-maxIDs+1:]...)
	}
	return ids
}

func usableID(id string) bool {
	return utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
