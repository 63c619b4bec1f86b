package sign

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"hash"
	"strings"
)

// relaxedBody hashes a body in the relaxed form (RFC 6376 3.4.4). It is written the body, lines ended by CRLF.
type relaxedBody struct {
	sum   hash.Hash
	w     *bufio.Writer
	space bool // white space is held back: it may be at a line's end
	lines int  // line breaks are held back: they may be at the body's end
	any   bool // something was not empty
}

func newRelaxedBody() *relaxedBody {
	sum := sha256.New()
	return &relaxedBody{sum: sum, w: bufio.NewWriterSize(sum, 8<<10)}
}

// Write implements io.Writer.
func (b *relaxedBody) Write(p []byte) (int, error) {
	for _, c := range p {
		switch c {
		case ' ', '\t':
			b.space = true
		case '\r': // half of a line break
		case '\n':
			b.space = false
			b.lines++
		default:
			for ; b.lines > 0; b.lines-- {
				b.w.WriteString("\r\n")
			}
			if b.space {
				b.w.WriteByte(' ')
				b.space = false
			}
			b.w.WriteByte(c)
			b.any = true
		}
	}
	return len(p), nil
}

// Sum ends the body and returns its hash.
func (b *relaxedBody) Sum() []byte {
	if b.any {
		b.w.WriteString("\r\n")
	}
	b.w.Flush()
	return b.sum.Sum(nil)
}

// field is one header field as it stands, with its line break.
type field struct {
	name string // lower case
	raw  []byte
}

// splitFields cuts a header section into its fields, in order.
func splitFields(header []byte) (fields []field) {
	for line := range bytes.Lines(header) {
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			last := &fields[len(fields)-1]
			last.raw = append(last.raw[:len(last.raw):len(last.raw)], line...)
			continue
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		fields = append(fields, field{strings.ToLower(strings.TrimRight(string(name), " \t")), line})
	}
	return fields
}

// relaxed is a field in the relaxed form (RFC 6376 3.4.2), with its line break.
func (f field) relaxed() string {
	_, value, _ := strings.Cut(string(f.raw), ":")
	value = strings.NewReplacer("\r\n", "", "\n", "").Replace(value)
	return f.name + ":" + strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' }), " ") + "\r\n"
}

// selected are the fields of a header that h= names: of fields of one name the last first, each once; what is named
// oftener than it is there is the promise that there is no further one (RFC 6376 5.4.2).
func selected(fields []field, names []string) (out []field) {
	left := map[string][]int{} // places in fields
	for i, f := range fields {
		left[f.name] = append(left[f.name], i)
	}
	for _, name := range names {
		if n := len(left[name]); n > 0 {
			out = append(out, fields[left[name][n-1]])
			left[name] = left[name][:n-1]
		}
	}
	return out
}
