package parse

import (
	"bufio"
	"errors"
	"io"
)

// lines reads a message line by line. A line longer than the buffer comes in fragments.
type lines struct {
	r      *bufio.Reader
	text   []byte // the current fragment without its line break; valid until the next read
	eol    []byte // its line break: "\r\n", "\n", or nothing if the line goes on or the input ends
	pos    int64  // offset of text
	begin  bool   // text is at the beginning of a line
	prev   int64  // length of the line break before text, if begin
	off    int64  // offset after eol
	breaks int64  // line breaks read so far
	before int64  // line breaks before text
	full   bool   // there was text before the line break before text
	err    error  // first error but io.EOF
}

const lineBuffer = 4 << 10

func newLines(r io.Reader) *lines {
	return &lines{r: bufio.NewReaderSize(r, lineBuffer), eol: []byte("\n")}
}

// next moves to the next fragment. It returns false at the end.
func (l *lines) next() bool {
	l.begin = len(l.eol) > 0
	l.prev = int64(len(l.eol))
	l.full = len(l.text) > 0
	l.before = l.breaks
	b, err := l.r.ReadSlice('\n')
	if len(b) == 0 {
		if err != nil && err != io.EOF {
			l.err = err
		}
		l.text, l.eol, l.pos = nil, nil, l.off
		return false
	}
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		l.err = err
	}
	if errors.Is(err, bufio.ErrBufferFull) && b[len(b)-1] == '\r' && l.r.UnreadByte() == nil {
		b = b[:len(b)-1] // do not cut a CRLF in two
	}
	l.pos = l.off
	l.off += int64(len(b))
	l.text, l.eol = b, nil
	if n := len(b); b[n-1] == '\n' {
		l.breaks++
		l.text, l.eol = b[:n-1], b[n-1:]
		if n > 1 && b[n-2] == '\r' {
			l.text, l.eol = b[:n-2], b[n-2:]
		}
	}
	return true
}
