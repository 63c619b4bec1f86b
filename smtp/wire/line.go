package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrLongLine tells of a line beyond its bound. What follows it cannot be trusted to be a command.
var ErrLongLine = errors.New("the line is too long")

// ErrBareLineBreak tells of CR without LF or LF without CR, which hide a second message from one of two servers.
var ErrBareLineBreak = errors.New("a bare CR or LF")

// ReadLine reads a line of at most limit bytes that ends in CRLF, and returns it without that (RFC 5321 2.3.8). After
// ErrBareLineBreak the next line can be read; after any other error nothing can.
func ReadLine(r *bufio.Reader, limit int) (string, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line)+len(piece) > limit {
			return "", ErrLongLine
		}
		line = append(line, piece...)
		if err == nil {
			break
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err == io.EOF && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return "", err
	}
	text, clean := bytes.CutSuffix(line, []byte("\r\n"))
	if !clean || bytes.IndexByte(text, '\r') >= 0 {
		return "", ErrBareLineBreak
	}
	return string(text), nil
}
