package deliver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/smtp/sign"
)

const (
	maxLine   = 998       // without its line break (RFC 5322 2.1.1)
	maxHeader = 256 << 10 // that is looked at
)

// content is what a message needs of the hosts that take it. It is written the message, lines ended by CRLF.
type content struct {
	utf8Header bool // it goes only where SMTPUTF8 is offered (RFC 6531)
	eightBit   bool // it goes as it is only where 8BITMIME is offered (RFC 6152)
	longLines  bool // or a NUL: it goes as it is nowhere by the letter, and nearly everywhere in fact
	signed     bool // by somebody, so that any change would break a signature

	header   []byte // its beginning
	inBody   bool
	line     int
	nonASCII bool // in the header
}

// Write implements io.Writer.
func (c *content) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, more := rest, []byte(nil)
		ended := false
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, more, ended = rest[:i+1], rest[i+1:], true
		}
		c.look(line, ended)
		rest = more
	}
	return len(p), nil
}

// look takes a line or some of it.
func (c *content) look(line []byte, ended bool) {
	eightBit := !isASCII(line)
	c.line += len(line)
	c.longLines = c.longLines || c.line > maxLine+2 || bytes.IndexByte(line, 0) >= 0
	c.eightBit = c.eightBit || eightBit
	if !c.inBody {
		c.nonASCII = c.nonASCII || eightBit
		if len(c.header) < maxHeader {
			c.header = append(c.header, line...)
		}
		c.inBody = ended && c.line == 2
	}
	if ended {
		c.line = 0
	}
}

// finish looks at the header as a whole. What is not in ASCII and no UTF-8 either is from before RFC 6532: SMTPUTF8 would
// not help it.
func (c *content) finish() {
	c.utf8Header = c.nonASCII && utf8.Valid(c.header)
	for _, f := range parse.Headers(c.header) {
		switch strings.ToLower(f.Name) {
		case "dkim-signature", "arc-message-signature":
			c.signed = true
		}
	}
	c.header = nil
}

// form is how a message goes on the wire.
type form int

const (
	asItIs    form = iota
	shortened      // parts with lines that are too long are encoded
	sevenBit       // so are those that are not in ASCII
)

// sealed is a message in one form, ready to be sent: signed, and measured.
type sealed struct {
	p        *parcel
	form     form
	fields   []byte // on top of it
	size     int64
	eightBit bool
}

// inspect looks at the message, once, and seals it in the form that most hosts take.
func (p *parcel) inspect(ctx context.Context) *failure {
	if p.ReversePath != "" && !isPath(p.reversePath) {
		return failed(mail.TransferContent, "5.1.7", "%.100q cannot be written as a sender", p.ReversePath)
	}
	x, f := p.measure(ctx, asItIs, &p.content)
	if f != nil {
		return f
	}
	p.content.finish()
	x.eightBit = p.content.eightBit
	p.sealed[asItIs] = x
	return nil
}

// shape is the form in which a host gets the message.
func (p *parcel) shape(s *session) (form, *failure) {
	switch eight := p.content.eightBit && !s.offers("8BITMIME"); {
	case eight && p.content.signed:
		return 0, failed(mail.TransferContent, "5.6.3", "the message has 8-bit characters, and %s does not offer 8BITMIME; "+
			"encoding them would break the signature that the message has", s.host)
	case eight:
		return sevenBit, nil
	case p.content.longLines && !p.content.signed:
		return shortened, nil
	}
	return asItIs, nil
}

// seal returns the message in a form, signed.
func (p *parcel) seal(ctx context.Context, form form) (*sealed, *failure) {
	if x := p.sealed[form]; x != nil {
		return x, nil
	}
	x, f := p.measure(ctx, form, io.Discard)
	if f == nil {
		x.eightBit = form != sevenBit && p.content.eightBit
		p.sealed[form] = x
	}
	return x, f
}

// measure reads the message in a form, once, for its size, its signatures and its seal.
func (p *parcel) measure(ctx context.Context, form form, also io.Writer) (*sealed, *failure) {
	signer := sign.New(p.Keys)
	defer signer.Close()
	var size counter
	all := []io.Writer{&size, signer, also}
	var sealer *sign.Sealer
	if p.Seal != nil {
		sealer = sign.NewSealer(*p.Seal)
		all = append(all, sealer)
	}
	if err := p.write(ctx, io.MultiWriter(all...), form); err != nil {
		return nil, lostContent(err)
	}
	fields, err := signer.Fields()
	if err != nil {
		return nil, failed(mail.TransferContent, "4.7.0", "the message could not be signed: %v", err)
	}
	if sealer != nil {
		set, err := sealer.Fields()
		if err != nil && !errors.Is(err, sign.ErrSealed) { // which goes without a seal of ours: whoever looks sees why
			return nil, failed(mail.TransferContent, "4.7.0", "the message could not be sealed: %v", err)
		}
		fields = append(fields, set...)
	}
	return &sealed{p: p, form: form, fields: fields, size: int64(len(fields)) + int64(size)}, nil
}

func lostContent(err error) *failure {
	f := lost(err, "the message could not be read")
	f.kind = mail.TransferContent
	return f
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// write writes the message in a form, lines ended by CRLF.
func (p *parcel) write(ctx context.Context, w io.Writer, form form) error {
	l := &lineWriter{w: w}
	var err error
	if form == asItIs {
		err = copySection(l, p.source(ctx), 0, p.Size)
	} else {
		err = p.convert(ctx, l, form)
	}
	if err != nil {
		return err
	}
	return l.finish()
}

// source reads the message until ctx ends.
func (p *parcel) source(ctx context.Context) io.ReaderAt { return source{ctx, p.Message} }

type source struct {
	ctx context.Context
	r   io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (s source) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, failed(mail.TransferConnection, "4.4.0", "called off: %v", context.Cause(s.ctx))
	}
	n, err := s.r.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = failed(mail.TransferContent, "4.3.0", "the message could not be read: %v", err)
	}
	return n, err
}

// copySection copies all bytes from one offset to another: fewer are an error.
func copySection(w io.Writer, r io.ReaderAt, from, to int64) error {
	n, err := io.Copy(w, io.NewSectionReader(r, from, to-from))
	if err == nil && n < to-from {
		err = failed(mail.TransferContent, "4.3.0", "the message is shorter than it was")
	}
	return err
}

// send writes the message and the end of it.
func (x *sealed) send(ctx context.Context, w interface {
	io.Writer
	Flush() error
}) error {
	d := &dotWriter{w: w}
	if _, err := d.Write(x.fields); err != nil {
		return err
	}
	if err := x.p.write(ctx, d, x.form); err != nil {
		return err
	}
	if _, err := io.WriteString(w, ".\r\n"); err != nil {
		return err
	}
	return w.Flush()
}
