package parse

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// fieldStart is how much of a field is looked at to see whether it is to go.
const fieldStart = 2 << 10

// WithoutResults passes a message on without the Authentication-Results fields that claim to be host's, and without
// X-Podmail-Spam: whoever reads them would take a stranger's word for ours (RFC 8601 5). All else stays byte for byte.
func WithoutResults(r io.Reader, host string) io.Reader { return newResultsFilter(r, host) }

// ClaimsResults tells whether a message has fields that WithoutResults leaves out. Its only error is r's.
func ClaimsResults(r io.Reader, host string) (bool, error) {
	f := newResultsFilter(r, host)
	for f.header && !f.drop && f.err == nil {
		f.line()
	}
	if f.err == io.EOF {
		f.err = nil
	}
	return f.drop, f.err
}

func newResultsFilter(r io.Reader, host string) *resultsFilter {
	return &resultsFilter{r: bufio.NewReaderSize(&lasting{r: r}, 2*fieldStart), host: host, header: true, begin: true}
}

// resultsFilter looks at a header field by field and at a body not at all.
type resultsFilter struct {
	r      *bufio.Reader
	host   string
	header bool   // we are in the header
	begin  bool   // at the beginning of a line
	drop   bool   // within a field that goes
	out    []byte // read and not yet passed on
	err    error
}

// Read implements io.Reader.
func (f *resultsFilter) Read(p []byte) (int, error) {
	for len(f.out) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		if !f.header {
			return f.r.Read(p)
		}
		f.line()
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	return n, nil
}

// lasting repeats an error: bufio forgets those that it met while it looked ahead.
type lasting struct {
	r   io.Reader
	err error
}

func (l *lasting) Read(p []byte) (n int, err error) {
	if l.err == nil {
		n, l.err = l.r.Read(p)
	}
	return n, l.err
}

// line reads on to the end of a line, or of what the buffer holds of it.
func (f *resultsFilter) line() {
	if f.begin {
		next, _ := f.r.Peek(1) // whatever is wrong, the read says so too
		if len(next) > 0 && next[0] != ' ' && next[0] != '\t' {
			f.drop = f.isClaim()
		}
	}
	line, err := f.r.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		f.err = err
	}
	if f.begin && (string(line) == "\r\n" || string(line) == "\n") {
		f.header = false
	}
	f.begin = err == nil
	if !f.drop {
		f.out = line
	}
}

// isClaim tells whether the field that begins here says that we wrote it.
func (f *resultsFilter) isClaim() bool {
	const name, score = "authentication-results", "x-podmail-spam"
	start, _ := f.r.Peek(len(name))
	if field, _, _ := bytes.Cut(start, []byte(":")); strings.EqualFold(strings.TrimRight(string(field), " \t\r\n"), score) {
		return true
	}
	if !strings.EqualFold(string(start), name) {
		return false
	}
	start, _ = f.r.Peek(fieldStart)
	field, value, ok := bytes.Cut(start, []byte(":"))
	if !ok && len(start) < fieldStart { // no field. One whose colon comes later is none of anybody honest
		return false
	}
	if !strings.EqualFold(strings.TrimRight(string(field), " \t\r\n"), name) {
		return false
	}
	id, ok := serverID(value)
	return !ok || strings.EqualFold(strings.TrimSuffix(id, "."), f.host)
}

// serverID is who wrote the results that a value begins with (RFC 8601 2.2). It fails if that does not come soon, which
// nobody honest lets happen.
func serverID(value []byte) (id string, ok bool) {
	depth, quoted, began := 0, false, false
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && (quoted || depth > 0):
			if i++; quoted && i < len(value) {
				b.WriteByte(value[i])
			}
		case quoted && c == '"':
			return b.String(), true
		case quoted:
			b.WriteByte(c)
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0:
		case c == '"' && !began:
			quoted = true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';':
			if began || c == ';' {
				return b.String(), true
			}
		default:
			began = true
			b.WriteByte(c)
		}
	}
	return b.String(), began && len(value) < fieldStart/2
}
