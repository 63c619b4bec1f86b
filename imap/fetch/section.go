package fetch

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"podmail/mail"
)

// maxHeader is how much of a header HEADER.FIELDS looks at.
const maxHeader = 1 << 20

// span is a range of a message's bytes.
type span struct{ from, to int64 }

// find returns the bytes that a section means, before any partial. ok is false if the message has no such part.
func (s *Section) find(root *mail.Part, size int64) (_ span, ok bool) {
	if len(s.Part) == 0 && s.What == Whole {
		return span{0, size}, true
	}
	if root == nil {
		return span{}, false
	}
	if len(s.Part) == 0 {
		return s.within(root), true
	}
	p := findPart(root, s.Part)
	if p == nil {
		return span{}, false
	}
	switch s.What {
	case Whole, Binary, BinarySize:
		return span{p.Body, p.End}, true
	case MIME:
		return span{p.Header, p.Body}, true
	}
	// HEADER and TEXT of a part are those of the message in it (RFC 9051 6.4.5.1).
	if !isMessage(p) {
		return span{}, false
	}
	return s.within(p.Children[0]), true
}

func (s *Section) within(message *mail.Part) span {
	switch s.What {
	case Header, Fields, FieldsNot, MIME:
		return span{message.Header, message.Body}
	case Text:
		return span{message.Body, message.End}
	default:
		return span{message.Header, message.End}
	}
}

// findPart walks down a section-part. The only part of a message that is not multipart is its first.
func findPart(message *mail.Part, path []int) *mail.Part {
	p := message
	isRoot := true // p stands for a message: its parts are counted within it
	for _, n := range path {
		if !isRoot && isMessage(p) {
			p = p.Children[0]
		} else if !isRoot && p.Type != "multipart" {
			return nil
		}
		isRoot = false
		if p.Type != "multipart" {
			if n != 1 {
				return nil
			}
			continue
		}
		if n > len(p.Children) {
			return nil
		}
		p = p.Children[n-1]
	}
	return p
}

// clip applies a partial to a span.
func (s *Section) clip(sp span) span {
	if !s.Partial {
		return sp
	}
	n := sp.to - sp.from
	from := min(s.Offset, n)
	return span{sp.from + from, sp.from + from + min(s.Count, n-from)}
}

// filterHeader picks the fields that a section names from the header's bytes, as they are, with the empty line that
// ends a header (RFC 9051 6.4.5.1).
func (s *Section) filterHeader(raw io.ReaderAt, sp span) ([]byte, error) {
	header := make([]byte, min(sp.to-sp.from, maxHeader))
	if err := readFull(raw, header, sp.from); err != nil {
		return nil, err
	}
	out := header[:0]
	keep := false
	for len(header) > 0 {
		end := bytes.IndexByte(header, '\n') + 1
		if end == 0 {
			end = len(header)
		}
		l := header[:end]
		header = header[end:]
		if len(bytes.TrimRight(l, "\r\n")) == 0 {
			break
		}
		if l[0] != ' ' && l[0] != '\t' {
			keep = s.names(l) == (s.What == Fields)
		}
		if keep {
			out = append(out, l...)
		}
	}
	return append(out, '\r', '\n'), nil
}

func (s *Section) names(line []byte) bool {
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return false
	}
	name = bytes.TrimRight(name, " \t")
	for _, f := range s.Fields {
		if len(f) == len(name) && strings.EqualFold(f, string(name)) {
			return true
		}
	}
	return false
}

func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
