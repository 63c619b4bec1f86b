package parse

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"podmail/mail"
)

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
		before, _ := tokenize(s[:i])
		name, spec = phrase(before), strings.TrimSpace(s[i+1:len(s)-1])
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
