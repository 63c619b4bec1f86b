package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unquote reads a JSON string that is known to be valid (RFC 8259 7). The library checks it once more, byte by byte, and
// long texts are most of what is sent.
func unquote(v json.RawMessage) string {
	inner := v[1 : len(v)-1]
	if !utf8.Valid(inner) { // how that is mended is the library's business
		var s string
		_ = json.Unmarshal(v, &s)
		return s
	}
	var b strings.Builder
	b.Grow(len(inner))
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			b.Write(inner)
			return b.String()
		}
		b.Write(inner[:i])
		if inner[i+1] == 'u' {
			var r rune
			r, inner = escaped(inner[i:])
			b.WriteRune(r)
			continue
		}
		b.WriteByte(escape(inner[i+1]))
		inner = inner[i+2:]
	}
}

// escape is what a letter behind a backslash means, unless it is u; other characters mean themselves.
func escape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// escaped reads \uXXXX at the beginning of s, or two that are a pair, and returns what follows. Half a pair is no character.
func escaped(s []byte) (r rune, rest []byte) {
	r, rest = hex4(s), s[6:]
	if utf16.IsSurrogate(r) {
		if len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
			if pair := utf16.DecodeRune(r, hex4(rest)); pair != utf8.RuneError {
				return pair, rest[6:]
			}
		}
		return utf8.RuneError, rest
	}
	return r, rest
}

func hex4(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[2:6]), 16, 16) // valid, as all of it
	return rune(n)
}
