package sign

import (
	"bytes"
	"encoding/base64"
	"errors"
)

// maxHeader is how much header is signed: it is held in memory.
const maxHeader = 1 << 20

// intake takes a message, lines ended by CRLF, in any pieces: it keeps the header and hashes the body.
type intake struct {
	wanted bool // or else nothing is kept
	header []byte
	last   []byte // the line that is being read, while in the header
	inBody bool
	body   *relaxedBody
	err    error
}

func newIntake(wanted bool) intake { return intake{wanted: wanted, body: newRelaxedBody()} }

// Write implements io.Writer.
func (s *intake) Write(p []byte) (int, error) {
	if !s.wanted {
		return len(p), nil
	}
	rest := p
	for !s.inBody && len(rest) > 0 {
		line, more := rest, []byte(nil)
		i := bytes.IndexByte(rest, '\n')
		if i >= 0 {
			line, more = rest[:i+1], rest[i+1:]
		}
		if len(s.header)+len(s.last)+len(line) > maxHeader {
			s.err, s.inBody = errors.New("the header is too large to be signed"), true
			break
		}
		s.last = append(s.last, line...)
		rest = more
		if i < 0 {
			break
		}
		s.inBody = string(s.last) == "\r\n"
		if !s.inBody {
			s.header = append(s.header, s.last...)
		}
		s.last = s.last[:0]
	}
	if s.inBody && s.err == nil {
		s.body.Write(rest)
	}
	return len(p), nil
}

// finish returns the header's fields and the body's hash, in base64.
func (s *intake) finish() ([]field, string, error) {
	if s.err != nil {
		return nil, "", s.err
	}
	return splitFields(append(s.header, s.last...)), base64.StdEncoding.EncodeToString(s.body.Sum()), nil
}
