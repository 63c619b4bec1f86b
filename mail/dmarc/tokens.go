package dmarc

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds on the XML of a report. One needs five levels and some thirty elements for a record; what is beyond these bounds
// is made to fill a memory.
const (
	maxDepth    = 32
	maxElements = 1 << 20
	maxOfPart   = 2000     // elements of one record, or of another of a report's parts
	maxToken    = 16 << 10 // bytes of a tag with its attributes, of a text, of a comment
)

// tokens hands out a report's XML piece by piece, and stops at the first that is beyond the bounds: a decoder keeps every
// element that is open, and every attribute of a tag, so that a few bytes could otherwise cost it gigabytes.
type tokens struct {
	raw                   *xml.Decoder
	in                    *metered
	depth, elements, part int
}

func newTokens(r io.Reader) *tokens {
	text := transform.NewReader(r, unicode.BOMOverride(transform.Nop)) // UTF-16 is known by its first bytes
	t := &tokens{in: &metered{r: bufio.NewReader(text)}}
	t.raw = xml.NewDecoder(t.in)
	t.raw.Strict = false // many leave a & as it is
	t.raw.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.HasPrefix(strings.ToLower(charset), "utf-16") { // it was one, or this could not be read
			return in, nil
		}
		enc, err := htmlindex.Get(charset)
		if err != nil {
			return nil, fmt.Errorf("read a report in %q: %w", charset, err)
		}
		return enc.NewDecoder().Reader(in), nil
	}
	return t
}

// Token implements xml.TokenReader.
func (t *tokens) Token() (xml.Token, error) {
	t.in.left = maxToken
	token, err := t.raw.RawToken()
	if err != nil {
		return nil, err
	}
	switch token.(type) {
	case xml.StartElement:
		t.depth++
		t.elements++
		t.part++
		switch {
		case t.depth > maxDepth:
			return nil, fmt.Errorf("its elements are nested more than %d deep", maxDepth)
		case t.elements > maxElements:
			return nil, fmt.Errorf("it has more than %d elements", maxElements)
		case t.part > maxOfPart:
			return nil, fmt.Errorf("a part of it has more than %d elements", maxOfPart)
		}
	case xml.EndElement:
		t.depth--
	}
	return token, nil
}

// metered fails when more is read of it at a time than it may give.
type metered struct {
	r    *bufio.Reader
	left int
}

func (m *metered) take(n int) error {
	if m.left -= n; m.left < 0 {
		return fmt.Errorf("a tag or a text of it is longer than %d bytes", maxToken)
	}
	return nil
}

// Read implements io.Reader. It is what another character set is read by.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if over := m.take(n); over != nil {
		return 0, over
	}
	return n, err
}

// ReadByte implements io.ByteReader, by which a decoder reads no further than it needs.
func (m *metered) ReadByte() (byte, error) {
	b, err := m.r.ReadByte()
	if err != nil {
		return 0, err
	}
	return b, m.take(1)
}
