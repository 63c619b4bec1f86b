package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Data reads the body that follows DATA as it is sent, dots doubled, up to and with CRLF "." CRLF and nothing else: a dot
// between other line breaks is part of the body (RFC 5321 4.1.1.4). A bare CR comes out as a bare LF: whoever looks for
// the end of the body afterwards then finds it where it is, whatever they make of CR, and can still refuse the body.
type Data struct {
	r     *bufio.Reader
	piece []byte // read but not handed out; valid until the next look at r
	mid   bool   // what comes next continues a line
	ended bool
	err   error
}

// NewData returns a reader of the body that r stands before. Its buffer must hold more than the last line.
func NewData(r *bufio.Reader) *Data { return &Data{r: r} }

// Read implements io.Reader. io.EOF comes after the end of the body, io.ErrUnexpectedEOF with that of the stream.
func (d *Data) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(d.piece) == 0 {
			if d.err == nil && n > 0 && d.r.Buffered() == 0 {
				return n, nil // what is there shall not wait for what is to come
			}
			d.next()
			if d.err != nil {
				break
			}
		}
		copied := copy(p[n:], d.piece)
		d.piece = d.piece[copied:]
		n += copied
	}
	if n > 0 {
		return n, nil
	}
	return 0, d.err
}

// next takes the next line, or as much of a long one as the buffer holds.
func (d *Data) next() {
	if d.ended {
		d.err = io.EOF
	}
	if d.err != nil {
		return
	}
	line, err := d.r.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		d.err = err
		if err == io.EOF {
			d.err = io.ErrUnexpectedEOF
		}
		return
	}
	if err != nil && line[len(line)-1] == '\r' { // it is to be seen with what follows it
		d.err = d.r.UnreadByte()
		line = line[:len(line)-1]
	}
	d.ended = !d.mid && string(line) == ".\r\n"
	text, whole := bytes.CutSuffix(line, []byte("\r\n"))
	d.mid = !whole
	for {
		i := bytes.IndexByte(text, '\r')
		if i < 0 {
			break
		}
		text[i] = '\n'
		text = text[i+1:]
	}
	d.piece = line
}
