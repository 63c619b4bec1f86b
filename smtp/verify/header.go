package verify

import (
	"bytes"
	"hash/fnv"
	"strings"
)

// field is one header field as it stands, with the line break at its end.
type field struct {
	name string // lower case
	raw  []byte
}

// value is what follows the colon.
func (f field) value() []byte { return f.raw[bytes.IndexByte(f.raw, ':')+1:] }

// unfolded is the value on one line.
func (f field) unfolded() string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "").Replace(string(f.value())))
}

type header []field

func (h header) named(name string) (found []field) {
	for _, f := range h {
		if f.name == name {
			found = append(found, f)
		}
	}
	return found
}

// splitHeader cuts a header into its fields. A line that is none is dropped.
func splitHeader(raw []byte) (h header) {
	for len(raw) > 0 {
		end := 0
		for { // a field goes on while the next line begins with white space (RFC 5322 2.2.3)
			i := bytes.IndexByte(raw[end:], '\n')
			if i < 0 {
				end = len(raw)
				break
			}
			if end += i + 1; end == len(raw) || raw[end] != ' ' && raw[end] != '\t' {
				break
			}
		}
		if i := bytes.IndexByte(raw[:end], ':'); i > 0 {
			h = append(h, field{strings.ToLower(strings.TrimRight(string(raw[:i]), " \t")), raw[:end]})
		}
		raw = raw[end:]
	}
	return h
}

// headerReader gathers a header as it comes in.
type headerReader struct {
	most   int // bytes that are gathered
	header []byte
	line   int // bytes of the line that has begun, without line break
	cut    int // bytes beyond the bound
	done   bool
}

// write takes bytes up to the empty line. rest is what follows that; done tells that it was reached just now.
func (r *headerReader) write(p []byte) (rest []byte, done bool) {
	if r.done {
		return p, false
	}
	for i, c := range p {
		if len(r.header) < r.most {
			r.header = append(r.header, c)
		} else {
			r.cut++
		}
		switch c {
		case '\n':
			if r.line == 0 {
				r.done = true
				r.header = bytes.TrimSuffix(bytes.TrimSuffix(r.header, []byte("\n")), []byte("\r"))
				return p[i+1:], true
			}
			r.line = 0
		case '\r':
		default:
			r.line++
		}
	}
	return nil, false
}

// sample is a number from 0 to 99 that is the same for every attempt to deliver the message.
func (r *headerReader) sample() int {
	h := fnv.New32a()
	h.Write(r.header)
	return int(h.Sum32() % 100)
}
