package wire

import (
	"bytes"
	"strings"
)

// announcement finds {n} or {n+} before the end of a line, as the library reads it: a space and a missing CR are
// tolerated. A size that no number holds is given as -1.
func announcement(tail []byte) (size int64, silent, ok bool) {
	tail = bytes.TrimSuffix(tail, []byte("\n"))
	tail = bytes.TrimSuffix(tail, []byte("\r"))
	tail = bytes.TrimSuffix(tail, []byte(" "))
	tail, ok = bytes.CutSuffix(tail, []byte("}"))
	if !ok {
		return 0, false, false
	}
	tail, silent = bytes.CutSuffix(tail, []byte("+"))
	digits := 0
	for digits < len(tail) && '0' <= tail[len(tail)-1-digits] && tail[len(tail)-1-digits] <= '9' {
		digits++
	}
	if digits > 18 { // more than int64 holds
		return -1, silent, true
	}
	if open := len(tail) - digits - 1; digits == 0 || open < 0 || tail[open] != '{' {
		return 0, false, false
	}
	for _, d := range tail[len(tail)-digits:] {
		size = size*10 + int64(d-'0')
	}
	return size, silent, true
}

// partial is how much of b's end may be the start of a literal's announcement, which must be seen whole.
func partial(b []byte) int {
	open := bytes.LastIndexByte(b[max(len(b)-24, 0):], '{')
	if open < 0 {
		return 0
	}
	n := min(len(b), 24) - open
	for i, ch := range b[len(b)-n+1:] {
		digit := '0' <= ch && ch <= '9'
		if !digit && ch != '+' && ch != '}' && ch != ' ' && ch != '\r' || i == 0 && !digit {
			return 0
		}
	}
	return n
}

// synchronize makes the literal announced at the end of a line a synchronizing one, for the library to say whether it
// wants it.
func synchronize(line []byte) []byte {
	plus := bytes.LastIndexByte(line, '+')
	return append(line[:plus], line[plus+1:]...)
}

const longestWord = 64 // of a tag or name that is looked at

// head reads a command's tag and name from b and how long they are. ok is false if b ends too early to tell; what can
// be no command that the door answers has an empty name.
func head(b []byte) (tag, name string, n int, ok bool) {
	word := func(at int) (string, int, bool) {
		for i := at; i < len(b); i++ {
			if ch := b[i]; ch == ' ' || ch == '\r' || ch == '\n' || ch == '(' {
				return string(b[at:i]), i, true
			} else if i-at == longestWord {
				return "", i, true
			}
		}
		return "", 0, len(b)-at > longestWord
	}
	tag, n, ok = word(0)
	if !ok || tag == "" || n == len(b) || b[n] != ' ' {
		return "", "", n, ok
	}
	name, n, ok = word(n + 1)
	name = strings.ToUpper(name)
	if !ok || name != "UID" || b[n] != ' ' {
		return tag, name, n, ok
	}
	var sub string
	sub, n, ok = word(n + 1)
	return tag, name + " " + strings.ToUpper(sub), n, ok
}
