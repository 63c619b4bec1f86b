package deliver

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Bounds on one reply. RFC 5321 4.5.3.1.5 allows lines of 512 bytes.
const (
	maxReplyLine  = 2 << 10
	maxReplyLines = 100
	maxReplySize  = 16 << 10
)

var errNonsense = errors.New("what the host says is no SMTP reply")

// reply is what a host answers to a command (RFC 5321 4.2).
type reply struct {
	code     int
	enhanced string // RFC 3463; empty: the host gives none that goes with its code
	text     string // verbatim, lines joined by LF
}

func (r reply) good() bool      { return r.code/100 == 2 }
func (r reply) goOn() bool      { return r.code/100 == 3 }
func (r reply) permanent() bool { return r.code/100 == 5 }

// lines are the texts of a reply's lines, without codes.
func (r reply) lines() (texts []string) {
	for line := range strings.SplitSeq(r.text, "\n") {
		texts = append(texts, strings.TrimSpace(line[min(len(line), 4):]))
	}
	return texts
}

// readReply reads a reply of one or more lines, none longer than r's buffer.
func readReply(r *bufio.Reader) (reply, error) {
	var text strings.Builder
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return reply{}, err // what was read is no whole line
		}
		if err != nil || text.Len()+len(line) > maxReplySize || n > maxReplyLines {
			return reply{}, fmt.Errorf("%w: it is endless", errNonsense)
		}
		s := printable(strings.TrimRight(string(line), "\r\n"))
		code, more, ok := splitReply(s)
		if !ok {
			return reply{}, fmt.Errorf("%w: %.100q", errNonsense, s)
		}
		if n > 1 {
			text.WriteByte('\n')
		}
		text.WriteString(s)
		if !more { // lines with different codes: the last one counts, as elsewhere in the field
			return reply{code: code, enhanced: enhancedCode(s, code), text: text.String()}, nil
		}
	}
}

// splitReply reads the code of a line, and whether more lines follow.
func splitReply(s string) (code int, more, ok bool) {
	if len(s) < 3 || len(s) > 3 && s[3] != ' ' && s[3] != '-' {
		return 0, false, false
	}
	for i := range 3 {
		if s[i] < '0' || s[i] > '9' {
			return 0, false, false
		}
		code = code*10 + int(s[i]-'0')
	}
	return code, len(s) > 3 && s[3] == '-', code >= 200 && code <= 599
}

// enhancedCode finds the status code (RFC 2034 4) at the beginning of a line's text. Its class must be the reply's.
func enhancedCode(s string, code int) string {
	word, _, _ := strings.Cut(s[min(len(s), 4):], " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != fmt.Sprint(code/100) {
		return ""
	}
	for _, p := range parts[1:] {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return ""
		}
	}
	return word
}

// printable makes a line fit to be kept and shown: controls and what is no UTF-8 become replacement characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
