package wire

import (
	"bufio"
	"errors"
	"io"
)

// Data reads the body that follows DATA, up to CRLF "." CRLF and nothing else: a dot between other line breaks is part
// of the body (RFC 5321 4.1.1.4). Dots that were doubled come out single; line breaks come out as they came.
type Data struct {
	r     *bufio.Reader
	piece []byte // read but not handed out; valid until the next look at r
	mid   bool   // what comes next continues a line
	cr    bool   // the last byte read was CR
	err   error
}

// NewData returns a reader of the body that r stands before. Its buffer must hold more than the last line.
func NewData(r *bufio.Reader) *Data { return &Data{r: r} }

// Read implements io.Reader. io.EOF comes with the end of the body, io.ErrUnexpectedEOF with that of the stream.
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
	begins := !d.mid
	d.mid = err != nil || !(len(line) > 1 && line[len(line)-2] == '\r' || len(line) == 1 && d.cr)
	d.cr = line[len(line)-1] == '\r'
	if begins && line[0] == '.' {
		if string(line) == ".\r\n" {
			d.err = io.EOF
			return
		}
		line = line[1:]
	}
	d.piece = line
}
