package parse

import (
	"bytes"
	"strings"
)

// Field is one header field, unfolded and decoded.
type Field struct{ Name, Value string }

// rawField is one header field as it stands: value still folded, without the line break at its end.
type rawField struct {
	name  string
	value []byte
}

// rawFields splits a header section. Lines that are no fields are skipped.
func rawFields(header []byte) (fields []rawField) {
	for len(header) > 0 {
		line := header
		for end := 0; ; { // a field goes on while the next line begins with white space (RFC 5322 2.2.3)
			i := bytes.IndexByte(header[end:], '\n')
			if i < 0 {
				line, header = header, nil
				break
			}
			end += i + 1
			if end >= len(header) || (header[end] != ' ' && header[end] != '\t') {
				line, header = header[:end], header[end:]
				break
			}
		}
		if name, value, ok := splitField(line); ok {
			fields = append(fields, rawField{name, value})
		}
	}
	return fields
}

// splitField cuts a field at its colon. Names are printable ASCII (RFC 5322 3.6.8); white space before the colon is
// let pass (4.5).
func splitField(line []byte) (name string, value []byte, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return "", nil, false
	}
	n := bytes.TrimRight(line[:i], " \t")
	for _, c := range n {
		if c <= ' ' || c >= 0x7f {
			return "", nil, false
		}
	}
	return string(n), bytes.TrimRight(line[i+1:], "\r\n"), len(n) > 0
}

// unfold joins the lines of a folded value.
func unfold(v []byte) string {
	if bytes.IndexByte(v, '\n') < 0 {
		return strings.TrimSpace(string(v))
	}
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "").Replace(string(v)))
}

// Headers returns the fields of a header section in order, values unfolded and decoded. raw may include the empty line
// at its end.
func Headers(raw []byte) []Field {
	var out []Field
	for _, f := range rawFields(raw) {
		out = append(out, Field{f.name, words(unfold(f.value))})
	}
	return out
}

// WithoutFields returns a header section without the fields of these names; all else stays byte for byte.
func WithoutFields(header []byte, names ...string) []byte {
	out := make([]byte, 0, len(header))
	drop := false
	for line := range bytes.Lines(header) {
		if line[0] != ' ' && line[0] != '\t' {
			drop = false
			if name, _, ok := splitField(line); ok {
				for _, n := range names {
					drop = drop || strings.EqualFold(n, name)
				}
			}
		}
		if !drop {
			out = append(out, line...)
		}
	}
	return out
}

// Repeated names a field that stands in a header section more than once and may not (RFC 5322 3.6); empty if there is
// none. Bcc may: nobody is shown it.
func Repeated(header []byte) string {
	seen := map[string]bool{}
	for _, f := range rawFields(header) {
		switch name := strings.ToLower(f.name); name {
		case "date", "from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references", "subject":
			if seen[name] {
				return f.name
			}
			seen[name] = true
		}
	}
	return ""
}

// params parses the value of Content-Type or Content-Disposition: the word before the first semicolon in lower case,
// and the parameters, continuations joined and charsets decoded (RFC 2231).
func params(v string) (word string, ps map[string]string) {
	pieces := splitUnquoted(v, ';')
	word = strings.ToLower(strings.TrimSpace(stripComments(pieces[0])))
	type section struct {
		text    string
		encoded bool
	}
	sections := map[string]map[int]section{}
	for _, piece := range pieces[1:] {
		name, value, ok := strings.Cut(piece, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || name == "" || len(sections) > 100 {
			continue
		}
		value = unquote(strings.TrimSpace(value))
		n, encoded := 0, strings.HasSuffix(name, "*")
		name = strings.TrimSuffix(name, "*")
		if base, num, ok := strings.Cut(name, "*"); ok {
			name = base
			for _, c := range num {
				if c < '0' || c > '9' || n > 1000 {
					n = 0
					break
				}
				n = n*10 + int(c-'0')
			}
		}
		if sections[name] == nil {
			sections[name] = map[int]section{}
		}
		if _, have := sections[name][n]; !have || encoded {
			sections[name][n] = section{value, encoded}
		}
	}
	for name, ss := range sections {
		var b []byte
		charset := ""
		for n := 0; n < len(ss); n++ {
			s, ok := ss[n]
			if !ok {
				break
			}
			if s.encoded {
				if n == 0 {
					if parts := strings.SplitN(s.text, "'", 3); len(parts) == 3 {
						charset, s.text = parts[0], parts[2]
					}
				}
				s.text = unpercent(s.text)
			}
			b = append(b, s.text...)
		}
		if ps == nil {
			ps = map[string]string{}
		}
		if charset != "" {
			ps[name] = text(b, charset)
		} else {
			ps[name] = words(string(b)) // encoded words here are wrong and common
		}
	}
	return word, ps
}

func unpercent(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// splitUnquoted splits at sep outside of quoted strings.
func splitUnquoted(s string, sep byte) (out []string) {
	quoted, from := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[from:i])
			from = i + 1
		}
	}
	return append(out, s[from:])
}

// unquote undoes a quoted string (RFC 5322 3.2.4); what is none is returned without trailing comments.
func unquote(s string) string {
	if len(s) < 1 || s[0] != '"' {
		return strings.TrimSpace(stripComments(s))
	}
	var b strings.Builder
	for i := 1; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// stripComments removes comments (RFC 5322 3.2.2) outside of quotes.
func stripComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && depth > 0:
			i++
		case s[i] == '(':
			depth++
		case s[i] == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
