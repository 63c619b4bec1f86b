package compose

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
)

// maxFilename is the most that is written of a file's name, in bytes.
const maxFilename = 1000

func (w *writer) file(a Attachment) {
	disposition := "attachment"
	if a.Disposition == "inline" {
		disposition = "inline"
	}
	w.print("Content-Type: ", fileType(a.ContentType), "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: ",
		disposition, filenameParam(a.Filename), "\r\n")
	if id := strings.Trim(a.ContentID, "<>"); isContentID(id) {
		w.print("Content-ID: <", id, ">\r\n")
	}
	w.print("\r\n")
	if w.err != nil {
		return
	}
	r, err := a.Open()
	if err != nil {
		w.err = err
		return
	}
	lines := &lineWriter{w: w.w}
	enc := base64.NewEncoder(base64.StdEncoding, lines)
	if _, w.err = io.Copy(enc, r); w.err == nil {
		w.err = enc.Close()
	}
}

// fileType is the Content-Type of a file that goes as base64, which messages and multiparts may not (RFC 2046 5.1,
// 5.2.1). What is no type at all is a file of bytes.
func fileType(s string) string {
	const bytes = "application/octet-stream"
	typ, params, err := mime.ParseMediaType(s)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) || !strings.Contains(typ, "/") || len(typ) > 127 ||
		strings.HasPrefix(typ, "multipart/") || strings.HasPrefix(typ, "message/") {
		return bytes
	}
	if full := mime.FormatMediaType(typ, params); full != "" && len(full) <= 500 {
		return full
	}
	return typ
}

// isContentID tells whether id can stand between the angle brackets of a Content-ID.
func isContentID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '<' || r == '>' })
}

// filenameParam writes a filename parameter, in RFC 2231's forms if it needs them.
func filenameParam(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, clip(strings.ToValidUTF8(name, "\uFFFD"), maxFilename))
	if name == "" {
		return ""
	}
	const width = 60
	if len(name) <= width && !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x7f || r == '"' }) && !strings.Contains(name, "=?") {
		return `; filename="` + name + `"`
	}
	var sections []string
	section := "utf-8''"
	for _, c := range []byte(name) {
		if len(section) >= width {
			sections, section = append(sections, section), ""
		}
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			section += string(c)
		} else {
			section += fmt.Sprintf("%%%02X", c)
		}
	}
	if len(sections) == 0 {
		return ";\r\n filename*=" + section
	}
	var b strings.Builder
	for i, s := range append(sections, section) {
		fmt.Fprintf(&b, ";\r\n filename*%d*=%s", i, s)
	}
	return b.String()
}

// lineWriter breaks base64 into lines of 76 characters (RFC 2045 6.8).
type lineWriter struct {
	w   io.Writer
	col int
}

func (l *lineWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if l.col == 76 {
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return n, err
			}
			l.col = 0
		}
		m, err := l.w.Write(p[:min(len(p), 76-l.col)])
		n, l.col, p = n+m, l.col+m, p[m:]
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
