package verify

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"strings"
)

// canonicalField is a header field as it is signed (RFC 6376 3.4.1, 3.4.2), with its line break.
func canonicalField(raw []byte, relaxed bool) []byte {
	if !relaxed {
		return raw
	}
	name, value, _ := bytes.Cut(raw, []byte(":"))
	out := []byte(strings.ToLower(strings.TrimRight(string(name), " \t")) + ":")
	return append(append(out, bytes.Join(bytes.FieldsFunc(value, isSpace), []byte(" "))...), "\r\n"...)
}

// isSpace knows the white space of header fields, and no other.
func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }

// bodyHash hashes a body in canonical form (RFC 6376 3.4.3, 3.4.4) as it comes in.
type bodyHash struct {
	relaxed bool
	limit   int64 // l=; negative: all of it

	sum     hash.Hash
	size    int64 // of the canonical body
	breaks  int   // line breaks held back: those at the end do not count
	space   bool  // white space held back: that at the end of a line does not count
	cr      bool  // a CR held back
	scratch []byte
	final   []byte
}

func newBodyHash(relaxed bool, limit int64) *bodyHash {
	return &bodyHash{relaxed: relaxed, limit: limit, sum: sha256.New()}
}

func (b *bodyHash) write(p []byte) {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.text(p)
			return
		}
		b.text(p[:i])
		b.cr, b.space = false, false
		b.breaks++
		p = p[i+1:]
	}
}

// text takes some of a line.
func (b *bodyHash) text(p []byte) {
	if len(p) == 0 {
		return
	}
	if b.cr { // it stood within the line
		b.cr = false
		b.put([]byte("\r"))
	}
	if p[len(p)-1] == '\r' {
		b.cr = true
		p = p[:len(p)-1]
	}
	if b.relaxed {
		p = b.collapse(p)
	}
	if len(p) > 0 {
		b.put(p)
	}
}

// collapse makes white space single spaces and holds back what may be at the end of the line.
func (b *bodyHash) collapse(p []byte) []byte {
	out := b.scratch[:0]
	for _, c := range p {
		if c == ' ' || c == '\t' {
			b.space = true
			continue
		}
		if b.space {
			out = append(out, ' ')
			b.space = false
		}
		out = append(out, c)
	}
	b.scratch = out
	return out
}

// put hashes some of a line, after the line breaks before it.
func (b *bodyHash) put(p []byte) {
	for ; b.breaks > 0; b.breaks-- {
		b.hash([]byte("\r\n"))
	}
	b.hash(p)
}

func (b *bodyHash) hash(p []byte) {
	b.size += int64(len(p))
	if b.limit >= 0 {
		p = p[:max(0, min(int64(len(p)), b.limit-(b.size-int64(len(p)))))]
	}
	b.sum.Write(p)
}

// finish ends the body with one line break, unless it is empty and that is to stay so.
func (b *bodyHash) finish() {
	if b.size > 0 || !b.relaxed {
		b.hash([]byte("\r\n"))
	}
	b.final = b.sum.Sum(nil)
}
