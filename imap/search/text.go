package search

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"

	"podmail/imap/fetch"
	podmail "podmail/mail"
)

const (
	maxHeader = 1 << 20 // of a header that is looked at
	window    = 32 * 1024
)

// headerKey is HEADER: a field of this name contains the text, or is there at all if the text is empty.
type headerKey struct{ field, text string }

func (headerKey) cost() cost { return header }

func (k headerKey) match(m *Message) (bool, error) {
	if m.Raw == nil || m.Structure == nil {
		return false, nil
	}
	return matchHeader(m.Raw, m.Structure, func(name, value string) bool {
		return strings.EqualFold(name, k.field) && (k.text == "" || strings.Contains(fold(value), k.text))
	})
}

// matchHeader looks for a field that ok likes among a part's, unfolded and decoded.
func matchHeader(raw io.ReaderAt, p *podmail.Part, ok func(name, value string) bool) (bool, error) {
	b := make([]byte, max(min(p.Body-p.Header, maxHeader), 0))
	if n, err := raw.ReadAt(b, p.Header); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return false, err
	}
	words := mime.WordDecoder{CharsetReader: charset.Reader}
	for len(b) > 0 {
		var field []byte
		for {
			i := bytes.IndexByte(b, '\n') + 1
			if i == 0 {
				i = len(b)
			}
			field = append(field, bytes.TrimRight(b[:i], "\r\n")...)
			if b = b[i:]; len(b) == 0 || b[0] != ' ' && b[0] != '\t' {
				break
			}
		}
		name, value, found := strings.Cut(string(field), ":")
		if !found {
			continue
		}
		value = strings.TrimSpace(value)
		if decoded, err := words.DecodeHeader(value); err == nil {
			value = decoded
		}
		if ok(strings.TrimRight(name, " \t"), value) {
			return true, nil
		}
	}
	return false, nil
}

// bodyKey is BODY, or with header TEXT: the decoded text of a text part contains the text.
type bodyKey struct {
	text   string
	header bool
}

func (bodyKey) cost() cost { return body }

func (k bodyKey) match(m *Message) (bool, error) {
	if m.Raw == nil || m.Structure == nil {
		return false, nil
	}
	if k.text == "" {
		return true, nil
	}
	if k.header {
		if ok, err := k.inHeader(m.Raw, m.Structure); ok || err != nil {
			return ok, err
		}
	}
	return k.inPart(m.Raw, m.Structure)
}

func (k bodyKey) inHeader(raw io.ReaderAt, p *podmail.Part) (bool, error) {
	return matchHeader(raw, p, func(name, value string) bool { return strings.Contains(fold(name+": "+value), k.text) })
}

func (k bodyKey) inPart(raw io.ReaderAt, p *podmail.Part) (bool, error) {
	if p.Type == "text" {
		return k.inText(raw, p)
	}
	for _, child := range p.Children {
		if p.Type == "message" { // the header of a message within is part of the body
			if ok, err := k.inHeader(raw, child); ok || err != nil {
				return ok, err
			}
		}
		if ok, err := k.inPart(raw, child); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// inText decodes a text part bit by bit.
func (k bodyKey) inText(raw io.ReaderAt, p *podmail.Part) (bool, error) {
	src := &errReader{r: io.NewSectionReader(raw, p.Body, p.End-p.Body)}
	var r io.Reader = bufio.NewReaderSize(src, window)
	if decoded, err := fetch.Decoder(r, p.Encoding); err == nil {
		r = decoded
	}
	if name := p.Params["charset"]; name != "" && !strings.EqualFold(name, "utf-8") && !strings.EqualFold(name, "us-ascii") {
		if decoded, err := charset.Reader(name, r); err == nil {
			r = decoded
		}
	}
	ok := contains(r, k.text)
	return ok, src.err
}

// contains looks for folded text in what r yields, holding a window of it. What cannot be decoded ends it.
func contains(r io.Reader, text string) bool {
	// A folded letter may be longer or shorter than itself: keep ample overlap.
	overlap := 4*len(text) + utf8.UTFMax
	buf := make([]byte, 0, window+overlap)
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if strings.Contains(fold(string(buf)), text) {
			return true
		}
		if err != nil {
			return false
		}
		buf = buf[:copy(buf, buf[len(buf)-overlap:])]
	}
}

// errReader remembers the error of the bytes themselves, apart from those of decoding them.
type errReader struct {
	r   io.Reader
	err error
}

func (e *errReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		e.err = err
	}
	return n, err
}
