// Package fetch turns stored messages into IMAP FETCH responses: it reads a FETCH command's items, and renders
// envelope, body structure, flags and byte ranges of the raw message. Nothing is ever re-serialised: what a client
// gets of a body are the bytes that came in.
//
// It knows neither sessions nor the network; where the messages come from is the caller's business.
package fetch

import (
	"strconv"
	"strings"

	"podmail/imap/wire"
)

// Items is what a FETCH command asks for (RFC 9051 6.4.5).
type Items struct {
	UID, Flags, InternalDate, Size bool
	Envelope, Body, BodyStructure  bool
	Sections                       []Section
}

// What names the part of a message or body part that a Section means.
type What uint8

// The kinds of sections (RFC 9051 6.4.5.1).
const (
	Whole      What = iota // BODY[], BODY[1.2]
	Header                 // BODY[HEADER]
	Fields                 // BODY[HEADER.FIELDS (…)]
	FieldsNot              // BODY[HEADER.FIELDS.NOT (…)]
	MIME                   // BODY[1.MIME]
	Text                   // BODY[TEXT]
	Binary                 // BINARY[1]
	BinarySize             // BINARY.SIZE[1]
)

// Section is one piece of a message.
type Section struct {
	Name          string // as the response names it
	What          What
	Part          []int
	Fields        []string
	Partial       bool
	Offset, Count int64
	Peek          bool
}

// NeedsEnvelope tells whether a message's envelope must be at hand.
func (it *Items) NeedsEnvelope() bool { return it.Envelope }

// NeedsStructure tells whether a message's structure must be at hand.
func (it *Items) NeedsStructure() bool {
	for _, s := range it.Sections {
		if s.What != Whole || len(s.Part) > 0 {
			return true
		}
	}
	return it.Body || it.BodyStructure
}

// NeedsRaw tells whether a message's bytes must be at hand.
func (it *Items) NeedsRaw() bool { return len(it.Sections) > 0 }

// SetsSeen tells whether fetching sets \Seen.
func (it *Items) SetsSeen() bool {
	for _, s := range it.Sections {
		if !s.Peek && s.What != BinarySize {
			return true
		}
	}
	return false
}

// ParseItems reads what follows the sequence set of a FETCH command.
func ParseItems(p *wire.Parser) Items {
	var it Items
	if p.Peek() == '(' {
		p.List(func() { it.parse(p, false) })
	} else {
		it.parse(p, true)
	}
	return it
}

func (it *Items) parse(p *wire.Parser, macros bool) {
	name := strings.ToUpper(p.Word("a data item", func(ch byte) bool { return ch != '[' && ch != '<' && wire.AtomChar(ch) }))
	switch name {
	case "ALL", "FAST", "FULL": // RFC 9051 6.4.5: alone only
		if !macros {
			p.Fail("%s cannot be part of a list", name)
		}
		it.Flags, it.InternalDate, it.Size = true, true, true
		it.Envelope = it.Envelope || name != "FAST"
		it.Body = it.Body || name == "FULL"
	case "UID":
		it.UID = true
	case "FLAGS":
		it.Flags = true
	case "INTERNALDATE":
		it.InternalDate = true
	case "RFC822.SIZE":
		it.Size = true
	case "ENVELOPE":
		it.Envelope = true
	case "BODYSTRUCTURE":
		it.BodyStructure = true
	case "RFC822": // these four: RFC 3501 6.4.5, and RFC822.PEEK of old Outlooks
		it.add(Section{Name: name})
	case "RFC822.PEEK":
		it.add(Section{Name: name, Peek: true})
	case "RFC822.HEADER":
		it.add(Section{Name: name, What: Header, Peek: true})
	case "RFC822.TEXT":
		it.add(Section{Name: name, What: Text})
	case "BODY", "BODY.PEEK":
		if p.Peek() != '[' && name == "BODY" {
			it.Body = true
			return
		}
		it.add(parseSection(p, name == "BODY.PEEK"))
	case "BINARY", "BINARY.PEEK", "BINARY.SIZE": // RFC 3516, RFC 9051 6.4.5
		it.add(parseBinary(p, name))
	default:
		p.Fail("unknown data item %q", name)
	}
}

func (it *Items) add(s Section) { it.Sections = append(it.Sections, s) }

func parseSection(p *wire.Parser, peek bool) Section {
	s := Section{Peek: peek}
	p.Expect('[')
	dot := s.parsePart(p)
	name := "BODY[" + partName(s.Part)
	if p.Peek() != ']' {
		word := strings.ToUpper(p.Word("a section", func(ch byte) bool { return wire.AtomChar(ch) }))
		switch word {
		case "HEADER":
			s.What = Header
		case "TEXT":
			s.What = Text
		case "HEADER.FIELDS":
			s.What = Fields
		case "HEADER.FIELDS.NOT":
			s.What = FieldsNot
		case "MIME":
			s.What = MIME
		}
		if s.What == Whole || len(s.Part) > 0 && !dot || s.What == MIME && len(s.Part) == 0 {
			p.Fail("unknown section %q", word)
		}
		if dot {
			name += "."
		}
		name += word
	} else if dot {
		p.Fail("unfinished section")
	}
	if s.What == Fields || s.What == FieldsNot {
		p.Expect(' ')
		p.List(func() { s.Fields = append(s.Fields, p.AString()) })
		if len(s.Fields) == 0 {
			p.Fail("no field names")
		}
		b := append([]byte(name), ' ', '(')
		for i, f := range s.Fields {
			if i > 0 {
				b = append(b, ' ')
			}
			b = appendString(b, f, false)
		}
		name = string(append(b, ')'))
	}
	p.Expect(']')
	s.Name = name + "]"
	s.parsePartial(p)
	return s
}

func parseBinary(p *wire.Parser, name string) Section {
	s := Section{What: Binary, Peek: name == "BINARY.PEEK"}
	p.Expect('[')
	if s.parsePart(p) {
		p.Fail("unfinished section")
	}
	p.Expect(']')
	if name == "BINARY.SIZE" {
		s.What = BinarySize
		s.Name = "BINARY.SIZE[" + partName(s.Part) + "]"
		return s
	}
	s.Name = "BINARY[" + partName(s.Part) + "]"
	s.parsePartial(p)
	return s
}

// parsePart reads section-part and tells whether a dot follows it.
func (s *Section) parsePart(p *wire.Parser) (dot bool) {
	for '1' <= p.Peek() && p.Peek() <= '9' {
		n := p.Number()
		if n > 1<<30 || len(s.Part) >= 1000 {
			p.Fail("no such part")
			return false
		}
		s.Part = append(s.Part, int(n))
		if dot = p.Take('.'); !dot {
			return false
		}
	}
	return dot
}

func (s *Section) parsePartial(p *wire.Parser) {
	if !p.Take('<') {
		return
	}
	s.Partial = true
	s.Offset = p.Number()
	p.Expect('.')
	s.Count = p.Number()
	p.Expect('>')
	if p.Err() == nil && s.Count == 0 {
		p.Fail("a partial of zero bytes") // RFC 9051 9: partial = nz-number64
	}
	s.Name += "<" + strconv.FormatInt(s.Offset, 10) + ">"
}

func partName(part []int) string {
	var b []byte
	for i, n := range part {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(b)
}
