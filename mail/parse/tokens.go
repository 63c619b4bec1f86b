package parse

import (
	"slices"
	"strings"
)

// token is a piece of a structured field (RFC 5322 3.2).
type token struct {
	kind  byte   // 'a' an atom, '"' a quoted string, '(' a comment, '[' a domain literal, or one of . < > @ , ; : itself
	text  string // what a quoted string or a comment says; all else as it stands
	space bool   // white space goes before it
}

const (
	atom    = 'a'
	quoted  = '"'
	comment = '('
	literal = '['
)

// maxTokens bounds the tokens of a value that are looked at: many more than a thousand addresses have.
const maxTokens = 64 << 10

// tokenize cuts a value into tokens, and rest is what is too much. What is opened and never closed was not opened: nothing
// after it is hidden. Nor does a bracket hide anything that is not at the beginning of a domain.
func tokenize(s string) (tokens []token, rest string) {
	var open [256]bool // kinds of which one is not closed, so that the rest need not be looked through again
	space := false
	for i := 0; i < len(s); {
		t, n := token{kind: s[i], text: s[i : i+1]}, 1
		switch s[i] {
		case ' ', '\t', '\r', '\n':
			space, i = true, i+1
			continue
		case '.', '<', '>', '@', ',', ';', ':':
		case quoted, comment, literal:
			t.kind = atom
			if open[s[i]] || s[i] == literal && !beginsDomain(tokens) {
				break
			}
			if text, size := enclosed(s[i:]); size > 0 {
				t, n = token{kind: s[i], text: text}, size
			} else {
				open[s[i]] = true
			}
		default:
			if n = strings.IndexAny(s[i:], " \t\r\n.<>@,;:\"(["); n < 0 {
				n = len(s) - i
			}
			t.kind, t.text = atom, s[i:i+n]
		}
		if last := len(tokens) - 1; t.kind == atom && !space && last >= 0 && tokens[last].kind == atom {
			tokens[last].text = s[i-len(tokens[last].text) : i+n]
		} else if len(tokens) == maxTokens {
			return tokens, s[i:]
		} else {
			t.space = space
			tokens = append(tokens, t)
		}
		space, i = false, i+n
	}
	return tokens, ""
}

// beginsDomain tells whether a domain begins after tokens.
func beginsDomain(tokens []token) bool {
	for _, t := range slices.Backward(tokens) {
		if t.kind != comment {
			return t.kind == '@'
		}
	}
	return false
}

// enclosed reads a quoted string, a comment, in which there may be others, or a domain literal, and tells how long it is;
// 0 if it is not closed. Of a literal the brackets belong to the text.
func enclosed(s string) (text string, size int) {
	var b strings.Builder
	depth := 0
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
			continue
		case s[0] == literal && c == ']':
			return "[" + b.String() + "]", i + 1
		case s[0] == quoted && c == '"', s[0] == comment && c == ')' && depth == 0:
			return b.String(), i + 1
		case s[0] == comment && c == '(':
			depth++
		case s[0] == comment && c == ')':
			depth--
		}
		b.WriteByte(s[i])
	}
	return "", 0
}
