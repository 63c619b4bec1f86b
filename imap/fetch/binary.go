package fetch

import (
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
)

// ErrEncoding is a BINARY of a part whose transfer encoding is unknown (RFC 3516 4.3, UNKNOWN-CTE).
var ErrEncoding = errors.New("unknown content transfer encoding")

// source reads a span of a message whose bytes may be handed over anew between reads.
type source struct {
	raw io.ReaderAt
	span
}

func (s *source) Read(p []byte) (int, error) {
	if s.from >= s.to {
		return 0, io.EOF
	}
	n, err := s.raw.ReadAt(p[:min(int64(len(p)), s.to-s.from)], s.from)
	s.from += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// Decoder undoes a content transfer encoding.
func Decoder(r io.Reader, encoding string) (io.Reader, error) {
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return r, nil
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, &base64Text{r: r}), nil
	case "quoted-printable":
		return quotedprintable.NewReader(r), nil
	}
	return nil, ErrEncoding
}

// base64Text leaves out what is no base64, as RFC 2045 6.8 asks for.
type base64Text struct{ r io.Reader }

func (t *base64Text) Read(p []byte) (int, error) {
	for {
		n, err := t.r.Read(p)
		kept := 0
		for _, ch := range p[:n] {
			if 'A' <= ch && ch <= 'Z' || 'a' <= ch && ch <= 'z' || '0' <= ch && ch <= '9' || ch == '+' || ch == '/' || ch == '=' {
				p[kept] = ch
				kept++
			}
		}
		if kept > 0 || err != nil {
			return kept, err
		}
	}
}

// lenient reads what a decoder can make of broken text: its first error is the end.
type lenient struct {
	r   io.Reader
	raw *source // whose own errors are true ones
}

func (l *lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && l.raw.from >= l.raw.to {
		err = io.EOF
	} else if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}
