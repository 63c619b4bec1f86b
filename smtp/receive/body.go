package receive

import (
	"bytes"
	"errors"
	"io"

	gosmtp "github.com/emersion/go-smtp"
)

var errBareLineBreak = &gosmtp.SMTPError{Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 6, 11}, Message: "Bare CR or LF in the message: lines end in CRLF (RFC 5321 2.3.8)"}

// body reads a message's body and refuses what must not be taken: bare CR and LF, which hide a second message from one
// of two servers, and a body that was cut off.
type body struct {
	r    io.Reader
	c    *conn
	last byte
	err  error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if !b.clean(p[:n]) {
		b.err = errBareLineBreak
		return 0, b.err
	}
	switch {
	case err == nil:
	case err == io.EOF:
		b.err = b.finish()
	case errors.Is(err, gosmtp.ErrDataTooLarge):
		b.err = err
	default: // the rest must not be taken for commands: nothing is read from here any more
		b.c.Close()
		b.err = err
	}
	return n, b.err
}

// finish checks the end of a body. A BDAT chunk that the peer cut off comes to us as if it were complete.
func (b *body) finish() error {
	switch {
	case b.c.hasEnded():
		b.c.Close()
		return io.ErrUnexpectedEOF
	case b.last == '\r' || b.c.sawBare():
		return errBareLineBreak
	}
	return io.EOF
}

// clean tells whether every CR is followed by LF and every LF preceded by CR, over the borders of reads too.
func (b *body) clean(p []byte) bool {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		line := p
		if i >= 0 {
			line = p[:i]
		}
		if len(line) > 0 {
			cr := bytes.IndexByte(line, '\r')
			if b.last == '\r' || (cr >= 0 && cr < len(line)-1) {
				return false
			}
			b.last = line[len(line)-1]
		}
		if i < 0 {
			return true
		}
		if b.last != '\r' {
			return false
		}
		b.last = '\n'
		p = p[i+1:]
	}
	return true
}
