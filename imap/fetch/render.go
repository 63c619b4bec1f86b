package fetch

import (
	"errors"
	"io"
	"strconv"
	"time"

	"podmail/mail"
)

// BufferSize is how much a Renderer gathers before it wants to be emptied: one chunk of a stored message.
const BufferSize = 256 * 1024

// Message is what FETCH shows of a message. Envelope, Structure and Raw are there if the Items need them.
type Message struct {
	Seq, UID     uint32
	Flags        []string
	Seen         bool // \Seen has just been set by this command: show Flags unasked
	InternalDate time.Time
	Size         int64
	Envelope     *mail.Envelope
	Structure    *mail.Part
	Raw          io.ReaderAt
}

// Renderer writes FETCH responses into a buffer of fixed size. A message larger than that is written bit by bit, so
// that the rows it comes from need not stay open while a slow client takes it in. A Renderer can be reused after Reset.
type Renderer struct {
	items  *Items
	utf8ok bool

	out    []byte
	text   []byte  // what is not raw bytes, of the present message
	pieces []piece // the present message, if not all of it is in out
	next   int     // the first piece that is not
	uid    uint32  // of the present message
	raw    io.ReaderAt
	begun  bool // some of it is out, and not all
}

// piece is a bit of a response: text of the Renderer's, bytes of the message, or what a reader decodes from those.
type piece struct {
	text    [2]int
	raw     span
	decoded io.Reader
	source  *source // what decoded reads from
	length  int64   // of decoded
}

// ErrFull asks to send Out, call Sent, and call Add again with the same message.
var ErrFull = errors.New("fetch: buffer is full")

// NewRenderer makes a Renderer; Reset must be called before its first use.
func NewRenderer() *Renderer { return &Renderer{out: make([]byte, 0, BufferSize)} }

// Reset starts a FETCH command.
func (r *Renderer) Reset(items *Items, utf8ok bool) {
	out, text, pieces := r.out[:0], r.text[:0], r.pieces[:0]
	if cap(out) > 2*BufferSize {
		out = make([]byte, 0, BufferSize)
	}
	if cap(text) > BufferSize {
		text = nil
	}
	clear(pieces[:cap(pieces)])
	*r = Renderer{items: items, utf8ok: utf8ok, out: out, text: text, pieces: pieces}
}

// Out is what is ready to be sent.
func (r *Renderer) Out() []byte { return r.out }

// Sent empties the buffer.
func (r *Renderer) Sent() { r.out = r.out[:0] }

// Midway is the UID of the message that has been begun and not finished, or 0.
func (r *Renderer) Midway() uint32 {
	if r.begun {
		return r.uid
	}
	return 0
}

// Add renders a message. ErrFull may come before its first byte, or in its midst.
func (r *Renderer) Add(m *Message) error {
	if !r.begun || r.uid != m.UID {
		if err := r.compose(m); err != nil {
			return err
		}
		if len(r.out) > 0 && r.length()+int64(len(r.out)) > BufferSize {
			return ErrFull
		}
	}
	r.raw, r.begun = m.Raw, true
	for ; r.next < len(r.pieces); r.next++ {
		if err := r.emit(&r.pieces[r.next]); err != nil {
			return err
		}
	}
	r.begun = false
	return nil
}

// length is how long the present message's response is.
func (r *Renderer) length() int64 {
	var n int64
	for i := range r.pieces {
		p := &r.pieces[i]
		n += int64(p.text[1]-p.text[0]) + p.raw.to - p.raw.from + p.length
	}
	return n
}

// emit moves a piece to the buffer, or as much of it as there is room for, and then ErrFull.
func (r *Renderer) emit(p *piece) error {
	r.out = append(r.out, r.text[p.text[0]:p.text[1]]...) // small; may go beyond BufferSize
	p.text[0] = p.text[1]
	for p.raw.from < p.raw.to || p.length > 0 {
		room := int64(BufferSize - len(r.out))
		if room <= 0 {
			return ErrFull
		}
		at := len(r.out)
		if p.length > 0 {
			p.source.raw = r.raw
			n := min(room, p.length)
			r.out = r.out[:at+int(n)]
			got, err := io.ReadFull(p.decoded, r.out[at:])
			p.length -= int64(got)
			if err != nil {
				r.out = r.out[:at]
				return err
			}
			continue
		}
		n := min(room, p.raw.to-p.raw.from)
		r.out = r.out[:at+int(n)]
		if err := readFull(r.raw, r.out[at:], p.raw.from); err != nil {
			r.out = r.out[:at]
			return err
		}
		p.raw.from += n
	}
	return nil
}

// compose lays a message's response out in pieces.
func (r *Renderer) compose(m *Message) error {
	r.uid, r.next = m.UID, 0
	r.pieces, r.text = r.pieces[:0], r.text[:0]
	it := r.items
	b := append(r.text, "* "...)
	b = strconv.AppendUint(b, uint64(m.Seq), 10)
	b = append(b, " FETCH ("...)
	empty := len(b)
	if it.UID {
		b = append(b, "UID "...)
		b = strconv.AppendUint(b, uint64(m.UID), 10)
	}
	if it.Flags || m.Seen {
		b = AppendFlags(append(separate(b, empty), "FLAGS "...), m.Flags)
	}
	if it.InternalDate {
		b = append(separate(b, empty), `INTERNALDATE "`...)
		b = m.InternalDate.AppendFormat(b, "_2-Jan-2006 15:04:05 -0700")
		b = append(b, '"')
	}
	if it.Size {
		b = append(separate(b, empty), "RFC822.SIZE "...)
		b = strconv.AppendInt(b, m.Size, 10)
	}
	if it.Envelope {
		b = appendEnvelope(append(separate(b, empty), "ENVELOPE "...), m.Envelope, r.utf8ok)
	}
	if it.Body {
		b = appendStructure(append(separate(b, empty), "BODY "...), m.Structure, false, r.utf8ok)
	}
	if it.BodyStructure {
		b = appendStructure(append(separate(b, empty), "BODYSTRUCTURE "...), m.Structure, true, r.utf8ok)
	}
	r.text = b
	r.pieces = append(r.pieces, piece{text: [2]int{0, len(r.text)}})
	for i := range it.Sections {
		if len(r.text) > empty {
			r.text = append(r.text, ' ')
		}
		if err := r.section(m, &it.Sections[i]); err != nil {
			return err
		}
	}
	r.text = append(r.text, ")\r\n"...)
	r.extend()
	return nil
}

func separate(b []byte, empty int) []byte {
	if len(b) > empty {
		return append(b, ' ')
	}
	return b
}

// AppendFlags writes a flag list.
func AppendFlags(b []byte, flags []string) []byte {
	b = append(b, '(')
	for i, f := range flags {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, f...)
	}
	return append(b, ')')
}

// extend puts the text that no piece holds yet into one.
func (r *Renderer) extend() {
	last := &r.pieces[len(r.pieces)-1]
	if last.raw == (span{}) && last.length == 0 {
		last.text[1] = len(r.text)
		return
	}
	r.pieces = append(r.pieces, piece{text: [2]int{last.text[1], len(r.text)}})
}

// behindText is the piece whose bytes follow the text so far.
func (r *Renderer) behindText() *piece {
	r.extend()
	return &r.pieces[len(r.pieces)-1]
}

func (r *Renderer) section(m *Message, s *Section) error {
	sp, ok := s.find(m.Structure, m.Size)
	if s.What == Binary || s.What == BinarySize {
		return r.binary(m, s, sp, ok)
	}
	r.text = append(append(r.text, s.Name...), ' ')
	if !ok {
		r.text = append(r.text, "NIL"...)
		return nil
	}
	if s.What == Fields || s.What == FieldsNot {
		fields, err := s.filterHeader(m.Raw, sp)
		if err != nil {
			return err
		}
		sp = s.clip(span{0, int64(len(fields))})
		fields = fields[sp.from:sp.to]
		r.literal("{", int64(len(fields)))
		r.text = append(r.text, fields...)
		return nil
	}
	sp = s.clip(sp)
	r.literal("{", sp.to-sp.from)
	if sp.to > sp.from {
		r.behindText().raw = sp
	}
	return nil
}

func (r *Renderer) literal(open string, n int64) {
	r.text = append(r.text, open...)
	r.text = strconv.AppendInt(r.text, n, 10)
	r.text = append(r.text, "}\r\n"...)
}

// binary answers BINARY and BINARY.SIZE (RFC 3516 4). How long the decoded part is must be known before its first
// byte, so it is decoded twice rather than held.
func (r *Renderer) binary(m *Message, s *Section, sp span, ok bool) error {
	r.text = append(append(r.text, s.Name...), ' ')
	if !ok {
		if s.What == BinarySize {
			r.text = append(r.text, '0')
		} else {
			r.text = append(r.text, "NIL"...)
		}
		return nil
	}
	encoding := ""
	if len(s.Part) > 0 {
		encoding = findPart(m.Structure, s.Part).Encoding
	}
	src := &source{raw: m.Raw, span: sp}
	decoded, err := Decoder(src, encoding)
	if err != nil {
		return err
	}
	size, err := io.Copy(io.Discard, &lenient{r: decoded, raw: src})
	if err != nil {
		return err
	}
	if s.What == BinarySize {
		r.text = strconv.AppendInt(r.text, size, 10)
		return nil
	}
	want := s.clip(span{0, size})
	r.literal("~{", want.to-want.from)
	if want.to == want.from {
		return nil
	}
	src = &source{raw: m.Raw, span: sp}
	again, err := Decoder(src, encoding)
	if err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, again, want.from); err != nil {
		return err
	}
	p := r.behindText()
	p.decoded, p.source, p.length = again, src, want.to-want.from
	return nil
}
