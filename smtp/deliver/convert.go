package deliver

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"mime/quotedprintable"

	"podmail/mail"
	"podmail/mail/parse"
)

// conversion writes a message with the parts encoded that the wire cannot carry as they are (RFC 6152 3, RFC 2045 6).
type conversion struct {
	r    io.ReaderAt
	w    io.Writer
	form form
}

// convert writes the message in another form than its own.
func (p *parcel) convert(ctx context.Context, w io.Writer, form form) error {
	c := conversion{r: p.source(ctx), w: w, form: form}
	if form == sevenBit {
		c.w = asciiOnly{w}
	}
	parsed, err := parse.Message(io.NewSectionReader(c.r, 0, p.Size))
	if err != nil {
		return err
	}
	root := parsed.Structure
	if form == sevenBit && holdsSigned(root) {
		return unconvertible("a part of it is signed")
	}
	if err := c.part(root, true); err != nil {
		return err
	}
	return c.between(root.End, p.Size)
}

// asciiOnly refuses what is left that is not in ASCII: fields of headers, which encoding a body does not help.
type asciiOnly struct{ w io.Writer }

// Write implements io.Writer.
func (a asciiOnly) Write(p []byte) (int, error) {
	if !isASCII(p) {
		return 0, unconvertible("they stand in a header")
	}
	return a.w.Write(p)
}

func unconvertible(why string) *failure {
	return failed(mail.TransferContent, "5.6.3", "the message has 8-bit characters, and the host does not offer 8BITMIME; they cannot be encoded, since %s", why)
}

func holdsSigned(p *mail.Part) bool {
	if p.MediaType() == "multipart/signed" {
		return true
	}
	for _, child := range p.Children {
		if holdsSigned(child) {
			return true
		}
	}
	return false
}

// part writes a part with its header. top: it is the root of a message.
func (c *conversion) part(p *mail.Part, top bool) error {
	if len(p.Children) > 0 {
		return c.container(p)
	}
	bad, err := c.unfit(p.Body, p.End)
	if err != nil {
		return err
	}
	if !bad {
		return c.copy(p.Header, p.End)
	}
	encoding, err := c.encodingFor(p)
	if err != nil {
		return err
	}
	if encoding == "" {
		return c.copy(p.Header, p.End)
	}
	if err := c.header(p, top, encoding); err != nil {
		return err
	}
	return c.encode(p, encoding)
}

// encodingFor chooses how a leaf is encoded; empty: it stays as it is.
func (c *conversion) encodingFor(p *mail.Part) (string, error) {
	why := ""
	switch {
	case p.Type == "multipart" || p.Type == "message" && p.Subtype != "global": // RFC 2045 6.4, RFC 6532 3.5
		why = "they stand in a part of type " + p.MediaType()
	case p.Encoding == "quoted-printable" || p.Encoding == "base64":
		why = "they stand in a part that says it is encoded already"
	case p.Type == "text":
		return "quoted-printable", nil
	default:
		return "base64", nil
	}
	if c.form == shortened {
		return "", nil
	}
	return "", unconvertible(why)
}

// container writes a multipart or an embedded message: what is not in ASCII between its parts is for nobody's eyes.
func (c *conversion) container(p *mail.Part) error {
	encoding := ""
	if c.form == sevenBit && (p.Encoding == "8bit" || p.Encoding == "binary") {
		encoding = "7bit"
	}
	if err := c.header(p, false, encoding); err != nil {
		return err
	}
	at := p.Body
	for _, child := range p.Children {
		if err := c.between(at, child.Header); err != nil {
			return err
		}
		if err := c.part(child, p.Type == "message"); err != nil {
			return err
		}
		at = child.End
	}
	return c.between(at, p.End)
}

// header writes a part's header, with another encoding unless that is empty.
func (c *conversion) header(p *mail.Part, top bool, encoding string) error {
	if encoding == "" {
		return c.copy(p.Header, p.Body)
	}
	if p.Body-p.Header > maxHeader {
		return unconvertible("the header of a part is too large")
	}
	header := make([]byte, p.Body-p.Header)
	if _, err := c.r.ReadAt(header, p.Header); err != nil && err != io.EOF {
		return err
	}
	header = parse.WithoutFields(header, "Content-Transfer-Encoding")
	header = bytes.TrimRight(header, "\r\n")
	if len(header) > 0 {
		header = append(header, crlf...)
	}
	if top {
		header = append(header, missing(header)...)
	}
	header = append(header, "Content-Transfer-Encoding: "+encoding+"\r\n\r\n"...)
	_, err := c.w.Write(header)
	return err
}

// missing are the fields that give an encoding its meaning (RFC 2045 4), and a text whose charset nobody tells the name
// for that (RFC 1428 2).
func missing(header []byte) (fields string) {
	have := map[string]bool{}
	for _, f := range parse.Headers(bytes.ToLower(header)) {
		have[f.Name] = true
	}
	if !have["mime-version"] {
		fields += "MIME-Version: 1.0\r\n"
	}
	if !have["content-type"] {
		fields += "Content-Type: text/plain; charset=unknown-8bit\r\n"
	}
	return fields
}

// encode writes a leaf's body.
func (c *conversion) encode(p *mail.Part, encoding string) error {
	var e io.WriteCloser
	if encoding == "base64" {
		e = base64.NewEncoder(base64.StdEncoding, &wrapper{w: c.w})
	} else {
		e = quotedprintable.NewWriter(c.w)
	}
	if err := copySection(e, c.r, p.Body, p.End); err != nil {
		return err
	}
	return e.Close()
}

// wrapper breaks lines after 76 characters (RFC 2045 6.8).
type wrapper struct {
	w  io.Writer
	at int
}

// Write implements io.Writer.
func (b *wrapper) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if b.at == 76 {
			if _, err := b.w.Write(crlf); err != nil {
				return 0, err
			}
			b.at = 0
		}
		n := min(len(rest), 76-b.at)
		if _, err := b.w.Write(rest[:n]); err != nil {
			return 0, err
		}
		b.at += n
		rest = rest[n:]
	}
	return len(p), nil
}

func (c *conversion) copy(from, to int64) error { return copySection(c.w, c.r, from, to) }

// between copies what stands around parts.
func (c *conversion) between(from, to int64) error {
	if c.form != sevenBit {
		return c.copy(from, to)
	}
	return copySection(asciiWriter{c.w}, c.r, from, to)
}

// asciiWriter puts question marks for what is not in ASCII.
type asciiWriter struct{ w io.Writer }

// Write implements io.Writer.
func (a asciiWriter) Write(p []byte) (int, error) {
	if isASCII(p) {
		return a.w.Write(p)
	}
	clean := bytes.Clone(p)
	for i, b := range clean {
		if b >= 0x80 {
			clean[i] = '?'
		}
	}
	return a.w.Write(clean)
}

// unfit tells whether the wire cannot carry some bytes as they are.
func (c *conversion) unfit(from, to int64) (bool, error) {
	look := &content{inBody: true}
	err := copySection(&lineWriter{w: look, inBody: true}, c.r, from, to)
	return look.longLines || c.form == sevenBit && look.eightBit, err
}
