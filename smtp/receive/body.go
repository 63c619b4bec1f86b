package receive

import (
	"bytes"
	"errors"
	"io"

	"podmail/smtp/wire"
)

// Why a body is refused that came whole.
var (
	errBareLineBreak = wire.NewReply(550, "5.6.11", "Bare CR or LF in the message: lines end in CRLF (RFC 5321 2.3.8)")
	errLongLine      = wire.NewReply(550, "5.6.0", "A line of the message is longer than 1 MiB")
	errLargeHeader   = wire.NewReply(552, "5.3.4", "The message's header is too large")
)

// errEndless tells of a body that goes on far beyond what it may have.
var errEndless = errors.New("the message does not end")

// maxBodyLine is the longest line of a body. RFC 5321 allows 1,000; what is longer is delivered as it is, up to here.
const maxBodyLine = 1 << 20

// body reads a message's body and refuses what must not be taken: bare CR and LF, which hide a second message from one
// of two servers, headers and lines without end, and a body that was cut off.
type body struct {
	r                  io.Reader
	maxHeader, maxSize int64

	size   int64
	last   byte
	line   int64 // length of the current line
	header int64 // where the header ends; 0: not yet
	err    error // what was answered with, once something was
	broken error // of the stream: nothing can be read from it any more
}

// Read implements io.Reader. One byte more than a message may have comes through, by which server sees that it is too
// large.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if refusal := b.check(p[:n]); refusal != nil {
		b.err = refusal
		b.broke(err)
		return 0, b.err
	}
	switch {
	case err == io.EOF && b.last == '\r':
		b.err = errBareLineBreak
	case err != nil:
		b.err = err
		b.broke(err)
	}
	return n, b.err
}

func (b *body) broke(err error) {
	if err != nil && err != io.EOF {
		b.broken = err
	}
}

// check follows a body's lines.
func (b *body) check(p []byte) *wire.Reply {
	b.size += int64(len(p))
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		piece := p
		if i >= 0 {
			piece = p[:i+1]
		}
		if !b.clean(piece) {
			return errBareLineBreak
		}
		b.line += int64(len(piece))
		switch {
		case b.line > maxBodyLine:
			return errLongLine
		case b.header == 0 && b.size-int64(len(p)-len(piece)) > b.maxHeader:
			return errLargeHeader
		case i >= 0 && b.header == 0 && b.line == 2:
			b.header = b.size - int64(len(p)-len(piece))
		}
		if i < 0 {
			return nil
		}
		b.line = 0
		p = p[i+1:]
	}
	return nil
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

// drain reads what is left of a body that was refused, within reason.
func (b *body) drain() {
	if b.err == io.EOF || b.broken != nil {
		return
	}
	n, err := io.Copy(io.Discard, io.LimitReader(b.r, b.maxSize+1))
	b.size += n
	if err != nil {
		b.broken = err
	} else if n > b.maxSize {
		b.broken = errEndless
	}
}
