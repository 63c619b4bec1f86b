package fetch

import (
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendString writes a string as quoted if it can be one, else as a literal (RFC 9051 4.3). NUL, which neither may
// hold, is left out. With utf8ok, text beyond ASCII may be quoted (RFC 6855 3, RFC 9051 4.3).
func appendString(b []byte, s string, utf8ok bool) []byte {
	plain, special := true, false
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '\r' || ch == '\n' || ch == 0:
			plain = false
		case ch >= utf8.RuneSelf && !utf8ok:
			plain = false
		case ch == '"' || ch == '\\':
			special = true
		}
	}
	if !plain || len(s) > 4096 || utf8ok && !utf8.ValidString(s) {
		s = strings.ReplaceAll(s, "\x00", "")
		b = append(b, '{')
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(b, "}\r\n"...)
		return append(b, s...)
	}
	b = append(b, '"')
	if !special {
		b = append(b, s...)
		return append(b, '"')
	}
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
}

// appendNString is appendString with NIL for an empty string.
func appendNString(b []byte, s string, utf8ok bool) []byte {
	if s == "" {
		return append(b, "NIL"...)
	}
	return appendString(b, s, utf8ok)
}

// appendText writes header text that is stored decoded: as encoded words for clients that take ASCII only (RFC 2047).
func appendText(b []byte, s string, utf8ok bool) []byte {
	if !utf8ok && !ascii(s) {
		s = mime.QEncoding.Encode("utf-8", s)
	}
	return appendNString(b, s, utf8ok)
}

// appendPhrase is appendText for display names, where fewer characters may stand in a Q-encoded word (RFC 2047 5).
func appendPhrase(b []byte, s string, utf8ok bool) []byte {
	if !utf8ok && !ascii(s) {
		s = mime.BEncoding.Encode("utf-8", s)
	}
	return appendNString(b, s, utf8ok)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
