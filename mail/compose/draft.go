package compose

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"podmail/mail"
	"podmail/mail/reply"
)

// Draft is a message to be written.
type Draft struct {
	From         mail.Address
	ReplyTo      []mail.Address
	To, Cc       []mail.Address
	Subject      string
	Text, HTML   string
	Attachments  []Attachment
	InReplyTo    string   // with angle brackets
	References   []string // oldest first, with angle brackets
	MessageID    string   // with angle brackets
	Date         time.Time
	Headers      map[string]string // further fields; see CheckHeaders
	BoundarySeed string            // unique to the message
}

// Attachment is a file that goes with a draft.
type Attachment struct {
	Filename, ContentType string
	Disposition           string // inline or attachment; empty means attachment
	ContentID             string // without angle brackets
	Open                  func() (io.Reader, error)
}

// writer writes MIME with one error check at the end.
type writer struct {
	w    io.Writer
	seed string
	n    int // boundaries given out
	err  error
}

func (w *writer) print(s ...string) {
	for _, s := range s {
		if w.err == nil {
			_, w.err = io.WriteString(w.w, s)
		}
	}
}

// Write writes the message: header, then the body in as few parts as it needs. Bcc is no part of a Draft, so it cannot
// leak. Lines end in CRLF and stay within 998 bytes (RFC 5322 2.1.1).
func Write(out io.Writer, d *Draft) error {
	w := &writer{w: out, seed: d.BoundarySeed}
	w.header(d)
	text, html := d.Text, d.HTML
	if text == "" && html != "" {
		text = reply.ToText(html)
	}
	var inline, attached []Attachment
	for _, a := range d.Attachments {
		if a.Disposition == "inline" && a.ContentID != "" && html != "" {
			inline = append(inline, a)
		} else {
			attached = append(attached, a)
		}
	}
	w.mixed(attached, func() {
		if html == "" {
			w.text("plain", text)
			return
		}
		w.multipart("alternative", "", []func(){
			func() { w.text("plain", text) },
			func() { w.related(inline, html) },
		})
	})
	return w.err
}

func (w *writer) mixed(files []Attachment, body func()) {
	if len(files) == 0 {
		body()
		return
	}
	parts := []func(){body}
	for _, a := range files {
		parts = append(parts, func() { w.file(a) })
	}
	w.multipart("mixed", "", parts)
}

// related ties pictures to the HTML that shows them (RFC 2387).
func (w *writer) related(files []Attachment, html string) {
	if len(files) == 0 {
		w.text("html", html)
		return
	}
	parts := []func(){func() { w.text("html", html) }}
	for _, a := range files {
		parts = append(parts, func() { w.file(a) })
	}
	w.multipart("related", `; type="text/html"`, parts)
}

func (w *writer) multipart(subtype, params string, parts []func()) {
	w.n++
	boundary := fmt.Sprintf("=_%s_%d", w.seed, w.n) // "=_" cannot occur in base64 or quoted-printable (RFC 2045 6.7)
	w.print("Content-Type: multipart/", subtype, `; boundary="`, boundary, `"`, params, "\r\n\r\n")
	for _, part := range parts {
		w.print("--", boundary, "\r\n")
		part()
		w.print("\r\n")
	}
	w.print("--", boundary, "--\r\n")
}

// text writes a text part: as it is if it is plain short-lined ASCII, else quoted-printable.
func (w *writer) text(subtype, s string) {
	s = crlf(s)
	w.print("Content-Type: text/", subtype, "; charset=utf-8\r\n")
	if isPlainText(s) {
		w.print("Content-Transfer-Encoding: 7bit\r\n\r\n", s)
		return
	}
	w.print("Content-Transfer-Encoding: quoted-printable\r\n\r\n")
	q := quotedprintable.NewWriter(w.w)
	if w.err == nil {
		_, w.err = io.WriteString(q, strings.ToValidUTF8(s, "\uFFFD"))
	}
	if err := q.Close(); w.err == nil {
		w.err = err
	}
}

// crlf makes every line break CRLF.
func crlf(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// isPlainText tells whether s may go as 7bit: ASCII, lines of at most 78 characters, nothing that gateways mangle.
func isPlainText(s string) bool {
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > 78 || strings.HasPrefix(line, "From ") || strings.HasSuffix(line, " ") || strings.HasPrefix(line, "--=_") {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\r' && r != '\n' && r != '\t' })
}

func (w *writer) file(a Attachment) {
	contentType := a.ContentType
	if typ, _, err := mime.ParseMediaType(contentType); err != nil || strings.HasPrefix(typ, "multipart/") {
		contentType = "application/octet-stream"
	}
	disposition := "attachment"
	if a.Disposition == "inline" {
		disposition = "inline"
	}
	if strings.HasPrefix(contentType, "message/") { // base64 is not allowed there (RFC 2046 5.2.1)
		contentType = "application/octet-stream"
	}
	w.print("Content-Type: ", sanitize(contentType), "\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: ",
		disposition, filenameParam(a.Filename), "\r\n")
	if a.ContentID != "" {
		w.print("Content-ID: <", strings.Trim(sanitize(a.ContentID), "<> "), ">\r\n")
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

// filenameParam writes a filename parameter, in RFC 2231's form if it needs that.
func filenameParam(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	if name == "" {
		return ""
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x7f || r == '"' }) && len(name) < 60 {
		return `; filename="` + name + `"`
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return ";\r\n filename*=utf-8''" + b.String()
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

func sanitize(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, s)
}

func (w *writer) header(d *Draft) {
	w.print("Date: ", d.Date.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700"), "\r\n")
	w.print("From: ", addressList([]mail.Address{d.From}), "\r\n")
	for _, f := range []struct {
		name string
		list []mail.Address
	}{{"Reply-To", d.ReplyTo}, {"To", d.To}, {"Cc", d.Cc}} {
		if len(f.list) > 0 {
			w.print(f.name, ": ", addressList(f.list), "\r\n")
		}
	}
	if len(d.To)+len(d.Cc) == 0 { // only blind copies (RFC 5322 3.6.3)
		w.print("To: undisclosed-recipients:;\r\n")
	}
	w.print("Subject: ", unstructured(d.Subject, len("Subject: ")), "\r\n", "Message-ID: ", d.MessageID, "\r\n")
	if d.InReplyTo != "" {
		w.print("In-Reply-To: ", d.InReplyTo, "\r\n")
	}
	if len(d.References) > 0 {
		w.print("References: ", strings.Join(d.References, "\r\n "), "\r\n")
	}
	names := make([]string, 0, len(d.Headers))
	for name := range d.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.print(name, ": ", unstructured(d.Headers[name], len(name)+2), "\r\n")
	}
	w.print("MIME-Version: 1.0\r\n")
}

// unstructured encodes and folds free text (RFC 5322 2.2.3, RFC 2047).
func unstructured(s string, col int) string {
	s = strings.ToValidUTF8(sanitize(s), "\uFFFD")
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\t' }) || strings.Contains(s, "=?") || longestWord(s) > 900 {
		return encodedWords(s)
	}
	return fold(s, col)
}

// encodedWords writes text as encoded words of at most 75 characters, one on a line (RFC 2047 2), cutting no character.
func encodedWords(s string) string {
	var words []string
	for len(s) > 0 {
		n := min(45, len(s))
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, "\r\n ")
}

func longestWord(s string) (n int) {
	for w := range strings.FieldsSeq(s) {
		n = max(n, len(w))
	}
	return n
}

// fold breaks lines before spaces so that they stay within 78 characters where they can.
func fold(s string, col int) string {
	var b strings.Builder
	for i, word := range strings.SplitAfter(s, " ") {
		trimmed := strings.TrimRight(word, " ")
		if i > 0 && col+len(trimmed) > 76 && strings.HasSuffix(b.String(), " ") && trimmed != "" {
			out := strings.TrimSuffix(b.String(), " ")
			b.Reset()
			b.WriteString(out + "\r\n ")
			col = 1
		}
		b.WriteString(word)
		col += len(word)
	}
	return b.String()
}

// addressList writes addresses, one on a line.
func addressList(list []mail.Address) string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = formatAddress(a)
	}
	return strings.Join(out, ",\r\n ")
}

func formatAddress(a mail.Address) string {
	spec := sanitize(a.Addr())
	name := sanitize(a.Name)
	switch {
	case name == "":
		return spec
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r >= 0x7f || r < ' ' }):
		return encodedWords(strings.ToValidUTF8(name, "\uFFFD")) + " <" + spec + ">"
	default:
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + spec + ">"
	}
}
