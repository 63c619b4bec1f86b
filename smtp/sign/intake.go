package sign

import (
	"bytes"
	"errors"
	"io"
)

// maxHeader is how much header is signed: it is held in memory.
const maxHeader = 1 << 20

// intake takes a message, lines ended by CRLF, in any pieces: it keeps the header and hands the body on.
type intake struct {
	begin  func(header []byte) (body io.Writer, err error) // called at the end of the header; nil: nothing is wanted
	header []byte
	last   []byte // the line that is being read, while in the header
	inBody bool
	body   io.Writer
	err    error
}

// Write implements io.Writer. It never fails: what is wrong, finish tells.
func (s *intake) Write(p []byte) (int, error) {
	if s.begin == nil {
		return len(p), nil
	}
	rest := p
	for !s.inBody && s.err == nil && len(rest) > 0 {
		line, more := rest, []byte(nil)
		i := bytes.IndexByte(rest, '\n')
		if i >= 0 {
			line, more = rest[:i+1], rest[i+1:]
		}
		if len(s.header)+len(s.last)+len(line) > maxHeader {
			s.err = errors.New("the header is too large to be signed")
			break
		}
		s.last = append(s.last, line...)
		rest = more
		if i < 0 {
			break
		}
		if string(s.last) == "\r\n" {
			s.inBody = true
			s.body, s.err = s.begin(s.header)
		} else {
			s.header = append(s.header, s.last...)
		}
		s.last = s.last[:0]
	}
	if s.inBody && s.err == nil && len(rest) > 0 {
		_, s.err = s.body.Write(rest)
	}
	return len(p), nil
}

// finish returns the header's fields. A header that nothing follows ends here.
func (s *intake) finish() ([]field, error) {
	if !s.inBody && s.err == nil {
		s.header, s.inBody = append(s.header, s.last...), true
		s.body, s.err = s.begin(s.header)
	}
	return splitFields(s.header), s.err
}
