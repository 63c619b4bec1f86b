package parse

import (
	"io"
)

// decoder undoes a transfer encoding piece by piece (RFC 2045 6). What is no part of the encoding is skipped in base64
// and kept in quoted-printable, so that it never fails.
type decoder struct {
	encoding string
	bits     uint32 // base64: collected bits
	nbits    int
	eq       []byte // quoted-printable: what follows a "=" so far, itself included
}

// push decodes b and appends the result to dst.
func (d *decoder) push(dst, b []byte) []byte {
	switch d.encoding {
	case "base64":
		return d.base64(dst, b)
	case "quoted-printable":
		return d.quoted(dst, b)
	}
	return append(dst, b...)
}

// end appends what is left when the input ends.
func (d *decoder) end(dst []byte) []byte {
	dst = append(dst, d.eq...)
	d.eq = d.eq[:0]
	return dst
}

var base64Values = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = int8(i)
	}
	return t
}()

func (d *decoder) base64(dst, b []byte) []byte {
	for _, c := range b {
		v := base64Values[c]
		if v < 0 {
			if c == '=' { // padding ends a quantum; another may follow
				d.nbits = 0
			}
			continue
		}
		d.bits = d.bits<<6 | uint32(v)
		if d.nbits += 6; d.nbits >= 8 {
			d.nbits -= 8
			dst = append(dst, byte(d.bits>>d.nbits))
		}
	}
	return dst
}

func (d *decoder) quoted(dst, b []byte) []byte {
	for _, c := range b {
		if len(d.eq) == 0 {
			if c == '=' {
				d.eq = append(d.eq, c)
			} else {
				dst = append(dst, c)
			}
			continue
		}
		dst = d.escape(dst, c)
	}
	return dst
}

// escape takes the next byte after a "=": a soft line break, with white space before it, or two hex digits.
func (d *decoder) escape(dst []byte, c byte) []byte {
	last := d.eq[len(d.eq)-1]
	switch {
	case c == '\n':
		d.eq = d.eq[:0]
		return dst
	case last == '\r': // a bare CR was no line break
	case len(d.eq) < 100 && (c == ' ' || c == '\t' || c == '\r') && !isHex(last):
		d.eq = append(d.eq, c)
		return dst
	case len(d.eq) == 1 && isHex(c):
		d.eq = append(d.eq, c)
		return dst
	case len(d.eq) == 2 && isHex(last) && isHex(c):
		d.eq = d.eq[:0]
		return append(dst, unhex(last)<<4|unhex(c))
	}
	dst = append(dst, d.eq...)
	d.eq = d.eq[:0]
	if c == '=' {
		d.eq = append(d.eq, c)
		return dst
	}
	return append(dst, c)
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'F' || 'a' <= c && c <= 'f'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}

// Decode returns a reader of r with its transfer encoding (lower case, as in mail.Part) undone. An encoding that it
// does not know is passed through.
func Decode(r io.Reader, encoding string) io.Reader {
	if encoding != "base64" && encoding != "quoted-printable" {
		return r
	}
	return &decodingReader{r: r, d: decoder{encoding: encoding}}
}

type decodingReader struct {
	r   io.Reader
	d   decoder
	in  [4096]byte
	out []byte
	buf []byte // backing of out
	err error
}

// Read implements io.Reader.
func (d *decodingReader) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		var n int
		n, d.err = d.r.Read(d.in[:])
		d.buf = d.d.push(d.buf[:0], d.in[:n])
		if d.err == io.EOF {
			d.buf = d.d.end(d.buf)
		}
		d.out = d.buf
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}
