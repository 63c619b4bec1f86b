package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// ErrSyntax is wrapped by every error of a Parser.
var ErrSyntax = errors.New("syntax error")

// Parser takes a Command's Args apart, by the grammar of RFC 9051 section 9. The first error sticks.
type Parser struct {
	b   []byte
	i   int
	err error
}

// NewParser parses args.
func NewParser(args []byte) *Parser { return &Parser{b: args} }

// Err is the first error.
func (p *Parser) Err() error { return p.err }

// Fail records an error.
func (p *Parser) Fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", ErrSyntax, fmt.Sprintf(format, args...))
		p.i = len(p.b)
	}
}

// End tells whether all has been read.
func (p *Parser) End() bool { return p.i == len(p.b) }

// ExpectEnd records an error unless all has been read. A trailing space is let pass, as the library does.
func (p *Parser) ExpectEnd() {
	if p.Take(' '); !p.End() {
		p.Fail("unexpected %q", p.b[p.i:min(len(p.b), p.i+20)])
	}
}

// Peek is the next byte, or 0 at the end.
func (p *Parser) Peek() byte {
	if p.End() {
		return 0
	}
	return p.b[p.i]
}

// Take reads ch if it is next.
func (p *Parser) Take(ch byte) bool {
	if p.Peek() != ch || p.End() {
		return false
	}
	p.i++
	return true
}

// Expect reads ch.
func (p *Parser) Expect(ch byte) {
	if !p.Take(ch) {
		p.Fail("expected %q", ch)
	}
}

// Word reads the longest run of bytes that ok accepts; empty is an error.
func (p *Parser) Word(what string, ok func(byte) bool) string {
	from := p.i
	for p.i < len(p.b) && ok(p.b[p.i]) {
		p.i++
	}
	if p.i == from {
		p.Fail("expected %s", what)
		return ""
	}
	return string(p.b[from:p.i])
}

// Atom reads an atom.
func (p *Parser) Atom() string { return p.Word("an atom", AtomChar) }

// AtomChar is ATOM-CHAR of RFC 9051 section 9; bytes beyond ASCII are let pass.
func AtomChar(ch byte) bool {
	return ch > ' ' && ch != 0x7f && bytes.IndexByte([]byte(`(){%*"\]`), ch) < 0
}

// Number reads a number of up to 63 bits.
func (p *Parser) Number() int64 {
	w := p.Word("a number", func(ch byte) bool { return '0' <= ch && ch <= '9' })
	if p.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		p.Fail("number %s is too large", w)
	}
	return n
}

// AString reads an atom, a quoted string or a literal.
func (p *Parser) AString() string {
	switch p.Peek() {
	case '"':
		return p.quoted()
	case '{':
		return p.literal()
	}
	return p.Word("a string", func(ch byte) bool { return AtomChar(ch) || ch == ']' })
}

func (p *Parser) quoted() string {
	p.Expect('"')
	var s []byte
	for p.i < len(p.b) {
		ch := p.b[p.i]
		p.i++
		if ch == '"' {
			return string(s)
		}
		if ch == '\\' && p.i < len(p.b) {
			ch = p.b[p.i]
			p.i++
		}
		s = append(s, ch)
	}
	p.Fail("unfinished quoted string")
	return ""
}

func (p *Parser) literal() string {
	end := bytes.IndexByte(p.b[p.i:], '\n')
	if end < 0 {
		p.Fail("unfinished literal")
		return ""
	}
	header := p.b[p.i : p.i+end+1]
	size, _, ok := announcement(header)
	p.i += len(header)
	if !ok || size < 0 || size > int64(len(p.b)-p.i) {
		p.Fail("bad literal")
		return ""
	}
	s := string(p.b[p.i : p.i+int(size)])
	p.i += int(size)
	return s
}

// List reads a parenthesized list, calling item at the start of each of its items.
func (p *Parser) List(item func()) {
	p.Expect('(')
	if p.Take(')') {
		return
	}
	for p.err == nil {
		item()
		if p.Take(')') {
			return
		}
		p.Expect(' ')
	}
}
