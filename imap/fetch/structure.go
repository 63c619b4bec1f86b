package fetch

import (
	"maps"
	"slices"
	"strconv"

	"podmail/mail"
)

// appendStructure writes BODYSTRUCTURE, or BODY without the extension data (RFC 9051 7.5.2).
func appendStructure(b []byte, p *mail.Part, extended, utf8ok bool) []byte {
	if p == nil {
		p = &mail.Part{Type: "text", Subtype: "plain"}
	}
	if p.Type == "multipart" {
		return appendMultipart(b, p, extended, utf8ok)
	}
	b = append(b, '(')
	b = appendString(b, p.Type, utf8ok)
	b = append(b, ' ')
	b = appendString(b, p.Subtype, utf8ok)
	b = append(b, ' ')
	b = appendParams(b, p.Params, utf8ok)
	b = append(b, ' ')
	b = appendNString(b, p.ContentID, utf8ok)
	b = append(b, ' ')
	b = appendText(b, p.Description, utf8ok)
	b = append(b, ' ')
	b = appendString(b, orElse(p.Encoding, "7bit"), utf8ok)
	b = append(b, ' ')
	b = strconv.AppendInt(b, p.End-p.Body, 10)
	switch {
	case isMessage(p):
		inner := p.Children[0]
		b = append(b, ' ')
		b = appendEnvelope(b, p.Envelope, utf8ok)
		b = append(b, ' ')
		b = appendStructure(b, inner, extended, utf8ok)
		b = append(b, ' ')
		b = strconv.AppendInt(b, p.Lines, 10)
	case p.Type == "text":
		b = append(b, ' ')
		b = strconv.AppendInt(b, p.Lines, 10)
	}
	if extended {
		b = append(b, ' ')
		b = appendNString(b, p.MD5, utf8ok)
		b = appendExtension(b, p, utf8ok)
	}
	return append(b, ')')
}

func appendMultipart(b []byte, p *mail.Part, extended, utf8ok bool) []byte {
	b = append(b, '(')
	for _, child := range p.Children {
		b = appendStructure(b, child, extended, utf8ok) // no space between them: RFC 9051 9, body-type-mpart
	}
	if len(p.Children) == 0 { // the grammar wants at least one
		b = appendStructure(b, nil, extended, utf8ok)
	}
	b = append(b, ' ')
	b = appendString(b, orElse(p.Subtype, "mixed"), utf8ok)
	if extended {
		b = append(b, ' ')
		b = appendParams(b, p.Params, utf8ok)
		b = appendExtension(b, p, utf8ok)
	}
	return append(b, ')')
}

// appendExtension writes what body-ext-1part and body-ext-mpart share.
func appendExtension(b []byte, p *mail.Part, utf8ok bool) []byte {
	b = append(b, ' ')
	if p.Disposition == "" {
		b = append(b, "NIL"...)
	} else {
		b = append(b, '(')
		b = appendString(b, p.Disposition, utf8ok)
		b = append(b, ' ')
		b = appendParams(b, p.DispParams, utf8ok)
		b = append(b, ')')
	}
	b = append(b, ' ')
	if len(p.Language) == 0 {
		b = append(b, "NIL"...)
	} else {
		b = append(b, '(')
		for i, l := range p.Language {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendString(b, l, utf8ok)
		}
		b = append(b, ')')
	}
	b = append(b, ' ')
	return appendNString(b, p.Location, utf8ok)
}

// appendParams writes parameters by name. Values are stored decoded; clients that take ASCII only get them as the
// header would have them (RFC 2231 4).
func appendParams(b []byte, params map[string]string, utf8ok bool) []byte {
	if len(params) == 0 {
		return append(b, "NIL"...)
	}
	b = append(b, '(')
	for i, name := range slices.Sorted(maps.Keys(params)) {
		if i > 0 {
			b = append(b, ' ')
		}
		value := params[name]
		if !utf8ok && !ascii(value) {
			name, value = name+"*", percentEncode(value)
		}
		b = appendString(b, name, utf8ok)
		b = append(b, ' ')
		b = appendString(b, value, utf8ok)
	}
	return append(b, ')')
}

func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	b := []byte("utf-8''")
	for i := range len(s) {
		ch := s[i]
		switch {
		case '0' <= ch && ch <= '9', 'A' <= ch && ch <= 'Z', 'a' <= ch && ch <= 'z', ch == '.', ch == '-', ch == '_':
			b = append(b, ch)
		default:
			b = append(b, '%', hex[ch>>4], hex[ch&15])
		}
	}
	return string(b)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// isMessage tells whether a part is a message with a message in it.
func isMessage(p *mail.Part) bool {
	return p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global") && len(p.Children) > 0
}
