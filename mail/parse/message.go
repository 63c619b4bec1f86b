package parse

import (
	"bytes"
	"io"
	"strings"

	"podmail/mail"
	"podmail/mail/reply"
)

// Bounds on what is described and kept of one message. What lies beyond stays in its bytes.
const (
	maxHeader = 1<<20 + 32<<10 // of the message's header: what is let in, and what we put on top of it
	maxPart   = 256 << 10      // of the header of a part
	maxParts  = 1000           // further ones are body of the part around them
	maxDepth  = 100
	maxText   = 64 << 10 // decoded, of each shown body, for search
	previewOf = 4 << 10  // decoded, of each shown body, for the preview
	usualBody = 1 << 10  // that there is room for from the start
)

// Message parses a whole message, reading r once and to its end. Its only error is r's.
func Message(r io.Reader) (*mail.Parsed, error) {
	p, root, err := parse(r, previewOf)
	if err != nil {
		return nil, err
	}
	out, text, html := p.finish(root)
	out.Preview = preview(reply.Text(plain(text, html)))
	return out, nil
}

// SearchText reads a message for what a full-text index should know of its bodies and attachments, bounded. Its only
// error is r's.
func SearchText(r io.Reader) (string, error) {
	p, root, err := parse(r, maxText)
	if err != nil {
		return "", err
	}
	out, text, html := p.finish(root)
	s := plain(text, html)
	for _, a := range out.Attachments {
		if a.Filename != "" {
			s += "\n" + a.Filename
		}
	}
	return s, nil
}

// parse reads a message, keeping so many bytes of each text body.
func parse(r io.Reader, keep int) (*parser, *node, error) {
	p := &parser{lines: newLines(r), keep: keep}
	root := p.part(mail.Part{Type: "text", Subtype: "plain"}, 0)
	for p.next() { // nothing is left unless the structure was cut short
	}
	return p, root, p.err
}

// node is a part with what is known of it beyond the structure.
type node struct {
	part     *mail.Part
	children []*node
	decoded  int64  // size of a leaf's body, transfer encoding undone
	text     []byte // beginning of a text leaf's body, decoded
	fields   []rawField
}

type parser struct {
	*lines
	boundaries []string // of the multiparts that we are in, outermost first, with the leading "--"
	keep       int      // decoded bytes to keep of a text body
	parts      int
	more       bool // lines stands on a line that nobody took
	hit        int  // index of the boundary that ended the last part; -1: the end of the message
	closing    bool // that boundary was a closing one
	root       rootHeader
}

// rootHeader is what the top header tells beside the structure.
type rootHeader struct {
	raw      []byte
	envelope mail.Envelope
	received int
	been     []string // where, by Delivered-To
	auto     bool
}

// advance moves to the next line unless the current one is still to be taken.
func (p *parser) advance() bool {
	if p.more {
		p.more = false
		return true
	}
	return p.next()
}

// boundary tells whether the current line is the boundary of a multipart that we are in, and notes which (RFC 2046
// 5.1.1). White space may follow it.
func (p *parser) boundary() bool {
	if !p.begin || len(p.boundaries) == 0 || !bytes.HasPrefix(p.text, []byte("--")) {
		return false
	}
	line := bytes.TrimRight(p.text, " \t")
	for i := len(p.boundaries) - 1; i >= 0; i-- {
		rest, ok := bytes.CutPrefix(line, []byte(p.boundaries[i]))
		if ok && (len(rest) == 0 || string(rest) == "--") {
			p.hit, p.closing = i, len(rest) > 0
			return true
		}
	}
	return false
}

// part parses a header and the body that follows, up to a boundary of an enclosing multipart or the end.
func (p *parser) part(def mail.Part, depth int) *node {
	p.parts++
	n := &node{part: &mail.Part{Header: p.start(), Type: def.Type, Subtype: def.Subtype}}
	header, ended := p.header(n.part, depth)
	n.fields = rawFields(header)
	p.describe(n.part, n.fields, def)
	if depth == 0 {
		p.root.raw = header
		readEnvelope(&p.root.envelope, n.fields)
		p.root.received, p.root.been, p.root.auto = traits(n.fields)
	}
	if ended {
		return n
	}
	switch {
	case n.part.Type == "multipart" && n.part.Params["boundary"] != "" && depth < maxDepth && p.parts < maxParts:
		p.multipart(n, depth)
	case n.part.MediaType() == "message/rfc822" && isIdentity(n.part.Encoding) && depth < maxDepth && p.parts < maxParts:
		p.embedded(n, depth)
	default:
		p.leaf(n)
	}
	return n
}

// start is where the next line begins.
func (p *parser) start() int64 {
	if p.more {
		return p.pos
	}
	return p.off
}

// header reads up to and including the empty line. ended tells that the part ended within its header.
func (p *parser) header(part *mail.Part, depth int) (header []byte, ended bool) {
	most := maxPart
	if depth == 0 {
		most = maxHeader
	}
	first := true
	for p.advance() {
		if p.boundary() {
			part.Body, part.End = p.endBefore(part.Header), p.endBefore(part.Header)
			return header, true
		}
		if p.begin && len(p.text) == 0 && len(p.eol) > 0 {
			part.Body = p.off
			return header, false
		}
		if first && p.begin && !looksLikeHeader(p.text) { // no header at all: the body begins here
			p.more = true
			part.Body = p.pos
			return nil, false
		}
		first = false
		if len(header)+len(p.text) < most {
			header = append(append(header, p.text...), p.eol...)
		}
	}
	p.hit = -1
	part.Body, part.End = p.off, p.off
	return header, true
}

// looksLikeHeader tells whether a part's first line is a field, or the envelope line of a mbox.
func looksLikeHeader(line []byte) bool {
	if bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")) {
		return true
	}
	_, _, ok := splitField(line)
	return ok
}

// endBefore is where a body ends that the current line, a boundary, ends: the line break before the boundary belongs
// to it (RFC 2046 5.1.1).
func (p *parser) endBefore(from int64) int64 { return max(from, p.pos-p.prev) }

func isIdentity(encoding string) bool {
	return encoding == "" || encoding == "7bit" || encoding == "8bit" || encoding == "binary"
}

// multipart parses preamble, children and epilogue.
func (p *parser) multipart(n *node, depth int) {
	level := len(p.boundaries)
	p.boundaries = append(p.boundaries, "--"+n.part.Params["boundary"])
	def := mail.Part{Type: "text", Subtype: "plain"}
	if n.part.Subtype == "digest" { // RFC 2046 5.1.5
		def = mail.Part{Type: "message", Subtype: "rfc822"}
	}
	p.skip()
	for p.hit == level && !p.closing && p.parts < maxParts {
		child := p.part(def, depth+1)
		n.children = append(n.children, child)
		n.part.Children = append(n.part.Children, child.part)
	}
	p.boundaries = p.boundaries[:level]
	if p.hit == level { // the epilogue, or parts beyond the bound
		p.skip()
	}
	n.part.End = p.off
	if p.hit >= 0 {
		n.part.End = p.endBefore(n.part.Body)
	}
}

// skip reads on to a boundary or the end.
func (p *parser) skip() {
	for p.advance() {
		if p.boundary() {
			return
		}
	}
	p.hit = -1
}

// embedded parses a message within a message.
func (p *parser) embedded(n *node, depth int) {
	before := p.breaks
	child := p.part(mail.Part{Type: "text", Subtype: "plain"}, depth+1)
	n.children = []*node{child}
	n.part.Children = []*mail.Part{child.part}
	n.part.End = max(child.part.End, n.part.Body)
	n.part.Lines = max(0, p.linesSince(before))
	n.part.Envelope = &mail.Envelope{}
	readEnvelope(n.part.Envelope, child.fields)
	n.decoded = n.part.End - n.part.Body
}

// linesSince counts lines up to the end of the part that just ended, given the line breaks before it. The line break
// before a boundary is no part of it.
func (p *parser) linesSince(breaks int64) int64 {
	n := p.before - breaks
	if p.hit >= 0 {
		n--
	}
	if p.full && (p.hit >= 0 || !p.begin) { // the last line has no line break of its own
		n++
	}
	return n
}

// leaf reads a body that has no parts.
func (p *parser) leaf(n *node) {
	w := newBody(n, p.keep)
	for p.advance() {
		if p.boundary() {
			n.part.End = p.endBefore(n.part.Body)
			w.finish(n)
			return
		}
		w.line(p.text, p.eol)
	}
	p.hit = -1
	n.part.End = p.off
	w.lineBreak()
	w.finish(n)
}

// body takes a leaf's lines, counts and decodes them.
type body struct {
	decoder decoder
	counts  bool   // lines are counted
	keep    int    // how many decoded bytes to keep
	held    []byte // the last line break: it may belong to a boundary
	heldBuf [2]byte
	lines   int64
	partial bool // a line without a line break is the last
	decoded int64
	kept    []byte
	scratch []byte
}

func newBody(n *node, keep int) *body {
	w := &body{decoder: decoder{encoding: n.part.Encoding}}
	if n.part.Type == "text" {
		w.counts = true
		if n.part.Subtype == "plain" || n.part.Subtype == "html" {
			w.keep = keep
		}
	}
	return w
}

func (w *body) line(text, eol []byte) {
	w.lineBreak()
	if len(text) > 0 {
		w.write(text)
		w.partial = true
	}
	w.held = w.heldBuf[:copy(w.heldBuf[:], eol)]
}

// lineBreak writes the line break that was held back.
func (w *body) lineBreak() {
	if len(w.held) > 0 {
		w.write(w.held)
		w.held = nil
		w.lines++
		w.partial = false
	}
}

func (w *body) write(b []byte) {
	switch {
	case isIdentity(w.decoder.encoding) || (w.decoder.encoding != "base64" && w.decoder.encoding != "quoted-printable"):
		w.take(b)
	default:
		w.scratch = w.decoder.push(w.scratch[:0], b)
		w.take(w.scratch)
	}
}

func (w *body) take(b []byte) {
	w.decoded += int64(len(b))
	if room := w.keep - len(w.kept); room > 0 {
		if w.kept == nil {
			w.kept = make([]byte, 0, min(w.keep, usualBody))
		}
		w.kept = append(w.kept, b[:min(room, len(b))]...)
	}
}

func (w *body) finish(n *node) {
	w.take(w.decoder.end(nil))
	n.decoded, n.text = w.decoded, w.kept
	if w.counts {
		n.part.Lines = w.lines
		if w.partial {
			n.part.Lines++
		}
	}
}

// describe fills in what a part's header says.
func (p *parser) describe(part *mail.Part, fields []rawField, def mail.Part) {
	for _, f := range fields {
		switch strings.ToLower(f.name) {
		case "content-type":
			p.contentType(part, unfold(f.value), def)
		case "content-transfer-encoding":
			part.Encoding = strings.ToLower(strings.TrimSpace(stripComments(unfold(f.value))))
		case "content-disposition":
			part.Disposition, part.DispParams = params(unfold(f.value))
		case "content-id":
			part.ContentID = clean(unfold(f.value))
		case "content-description":
			part.Description = clean(words(unfold(f.value)))
		case "content-md5":
			part.MD5 = clean(unfold(f.value))
		case "content-location":
			part.Location = clean(unfold(f.value))
		case "content-language":
			for l := range strings.SplitSeq(unfold(f.value), ",") {
				part.Language = append(part.Language, clean(l))
			}
		}
	}
	if part.Type == "multipart" && part.Params["boundary"] == "" {
		part.Type, part.Subtype = "text", "plain"
	}
}

// contentType reads the field. What cannot be read means plain text (RFC 2045 5.2).
func (p *parser) contentType(part *mail.Part, v string, def mail.Part) {
	word, ps := params(v)
	typ, sub, ok := strings.Cut(word, "/")
	typ, sub = strings.TrimSpace(typ), strings.TrimSpace(sub)
	if !ok || !isToken(typ) || !isToken(sub) {
		part.Type, part.Subtype, part.Params = "text", "plain", nil
		return
	}
	part.Type, part.Subtype, part.Params = typ, sub, ps
}

func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}
