package dsn

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Xtext encodes text for a parameter or field that takes xtext (RFC 3461 4).
func Xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// FromXtext undoes Xtext. ok is false if s is not xtext.
func FromXtext(s string) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			b.WriteByte(byte(n))
			i += 2
		case c < '!' || c > '~' || c == '=':
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// fromUnitext undoes the escapes of an address beyond ASCII that is written in ASCII (utf-8-addr-xtext, RFC 6533 3).
// What is no escape stays.
func fromUnitext(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.Index(s, `\x{`)
		if i < 0 {
			break
		}
		hex, rest, closed := strings.Cut(s[i+3:], "}")
		n, err := strconv.ParseUint(hex, 16, 32)
		if !closed || err != nil || n < ' ' || n == 0x7f || !utf8.ValidRune(rune(n)) {
			b.WriteString(s[:i+3])
			s = s[i+3:]
			continue
		}
		b.WriteString(s[:i] + string(rune(n)))
		s = rest
	}
	return b.String() + s
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
