package compose

import (
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/reply"
)

// Draft is a message to be written.
type Draft struct {
	From         mail.Address
	ReplyTo      []mail.Address
	To, Cc       []mail.Address
	Bcc          []mail.Address // written only if Unsent
	Unsent       bool           // is kept to be edited: as it stands, with nothing made up for readers
	Subject      string
	Text, HTML   string
	Attachments  []Attachment
	InReplyTo    string   // with angle brackets
	References   []string // oldest first, with angle brackets
	MessageID    string   // with angle brackets
	Date         time.Time
	Headers      map[string]string // further fields; see Check
	BoundarySeed string            // unique to the message
}

// Attachment is a file that goes with a draft.
type Attachment struct {
	Filename, ContentType string
	Disposition           string // inline or attachment; empty means attachment
	ContentID             string // without angle brackets
	ID                    string // by which callers know it, if they do; not written
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

// Write writes the message: header, then the body in as few parts as it needs. Bcc is left out of what is sent, so that it
// cannot leak. Lines end in CRLF and stay within 998 bytes (RFC 5322 2.1.1).
func Write(out io.Writer, d *Draft) error {
	w := &writer{w: out, seed: d.BoundarySeed}
	w.header(d)
	text, html := d.Text, d.HTML
	if text == "" && html != "" && !d.Unsent {
		text = reply.ToText(html)
	}
	inline, attached := d.files()
	w.mixed(attached, func() {
		if html == "" {
			w.text("plain", text)
			return
		}
		if text == "" && d.Unsent {
			w.related(inline, html)
			return
		}
		w.multipart("alternative", "", []func(){
			func() { w.text("plain", text) },
			func() { w.related(inline, html) },
		})
	})
	return w.err
}

// files are the attachments that the HTML shows, and the others. They are written in this order.
func (d *Draft) files() (inline, attached []Attachment) {
	for _, a := range d.Attachments {
		if a.Disposition == "inline" && a.ContentID != "" && d.HTML != "" {
			inline = append(inline, a)
		} else {
			attached = append(attached, a)
		}
	}
	return inline, attached
}

// Files are the attachments in the order in which Write writes them.
func (d *Draft) Files() []Attachment {
	inline, attached := d.files()
	return append(inline, attached...)
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
	var b strings.Builder
	b.Grow(len(s) + strings.Count(s, "\n"))
	for {
		i := strings.IndexAny(s, "\r\n")
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		b.WriteString("\r\n")
		if s[i] == '\r' && strings.HasPrefix(s[i+1:], "\n") {
			i++
		}
		s = s[i+1:]
	}
	b.WriteString(s)
	return b.String()
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
