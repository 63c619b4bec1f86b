package parse

import (
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// findCharset finds a charset by any of its names, or nil for UTF-8, US-ASCII and what is unknown: these are read as
// UTF-8 with a fallback.
func findCharset(name string) encoding.Encoding {
	name = strings.ToLower(strings.TrimSpace(name))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return nil
	case "iso-8859-8-i":
		name = "iso-8859-8"
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	return enc
}

// text turns bytes of a charset into valid UTF-8. Bytes that are not what they claim are read as windows-1252, which
// is what they mostly are.
func text(b []byte, charset string) string {
	if enc := findCharset(charset); enc != nil {
		if out, err := enc.NewDecoder().Bytes(b); err == nil {
			return string(out)
		}
	}
	return utf8OrLatin(b)
}

func utf8OrLatin(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	// A body that was cut, or has a stray byte or two, is still UTF-8.
	if n := len(b); n > 0 && strings.Count(string(b), "\uFFFD") == 0 {
		if fixed := strings.ToValidUTF8(string(b), "\uFFFD"); strings.Count(fixed, "\uFFFD")*50 < n && hasMultibyte(fixed) {
			return fixed
		}
	}
	out, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

func hasMultibyte(s string) bool {
	for _, r := range s {
		if r >= 0x80 && r != utf8.RuneError {
			return true
		}
	}
	return false
}

// words decodes RFC 2047 encoded words in a header value and makes it valid UTF-8.
func words(s string) string {
	if isPlain(s) {
		return s
	}
	if strings.Contains(s, "=?") {
		dec := mime.WordDecoder{CharsetReader: func(charset string, in io.Reader) (io.Reader, error) {
			b, err := io.ReadAll(in) // bounded: it is part of a header
			return strings.NewReader(text(b, charset)), err
		}}
		if out, err := dec.DecodeHeader(s); err == nil {
			s = out
		}
	}
	if !utf8.ValidString(s) {
		s = utf8OrLatin([]byte(s))
	}
	return s
}

// isPlain tells whether a header value needs no decoding.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 || (s[i] == '=' && i+1 < len(s) && s[i+1] == '?') {
			return false
		}
	}
	return true
}
