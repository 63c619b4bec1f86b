// Package match is what a search is: the words of a query and of a text, how well a query fits what a message says of
// itself, and where it stands in a text. It compares without case and without marks on letters.
package match

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Query is what somebody looks for.
type Query struct {
	whole []rune   // folded
	words [][]rune // its letters and digits, folded
	Text  string   // as it was asked, with single spaces
}

// New reads a query.
func New(q string) Query {
	text := strings.Join(strings.Fields(compose(q)), " ")
	folded := fold(text)
	return Query{whole: folded, words: words(folded), Text: text}
}

// Words are the query's words as Words gives them.
func (q Query) Words() (out []string) {
	for _, w := range q.words {
		out = append(out, string(w))
	}
	return out
}

// Words lists the different words of a text, in lower case and without marks.
func Words(text string) (out []string) {
	seen := map[string]bool{}
	folded := string(fold(compose(text))) // of which the words are pieces: most of them were seen before
	for w := range strings.FieldsFuncSeq(folded, func(r rune) bool { return !isWord(r) }) {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// compose puts letters and their marks together, so that each is one rune.
func compose(s string) string { return norm.NFC.String(strings.ToValidUTF8(s, "")) }

// fold maps each rune to one rune: lower case, without marks.
func fold(composed string) []rune {
	out := []rune(composed)
	for i, r := range out {
		if r > unicode.MaxASCII {
			var b [utf8.UTFMax]byte
			if d := norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).Decomposition(); len(d) > 0 {
				r, _ = utf8.DecodeRune(d)
			}
		}
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		} else if r > unicode.MaxASCII {
			r = unicode.ToLower(r)
		}
		out[i] = r
	}
	return out
}

func isWord(r rune) bool {
	if r < unicode.MaxASCII {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

func words(folded []rune) (out [][]rune) {
	start := -1
	for i, r := range folded {
		switch {
		case isWord(r) && start < 0:
			start = i
		case !isWord(r) && start >= 0:
			out, start = append(out, folded[start:i]), -1
		}
	}
	if start >= 0 {
		out = append(out, folded[start:])
	}
	return out
}

// Score tells how well the query fits a field: nothing, some of its words, all of it, or that it is all of the field.
func (q Query) Score(field string) int {
	folded := fold(compose(field))
	if i := index(folded, q.whole, 0); i >= 0 && len(q.whole) > 0 {
		if len(folded) == len(q.whole) {
			return 4
		}
		return 3
	}
	found := 0
	for _, w := range q.words {
		if index(folded, w, 0) >= 0 {
			found++
		}
	}
	switch {
	case found == 0:
		return 0
	case found == len(q.words):
		return 2
	}
	return 1
}

func index(in, what []rune, from int) int {
	for i := from; i+len(what) <= len(in); i++ {
		same := true
		for k := range what {
			if in[i+k] != what[k] {
				same = false
				break
			}
		}
		if same {
			return i
		}
	}
	return -1
}

type span struct{ from, to int }

// Mark returns the field with what the query matched between **; false if it matched nothing. A match may stand
// anywhere in a word, as in an address.
func (q Query) Mark(field string) (string, bool) {
	field = compose(field)
	spans := q.find(fold(field), false)
	if len(spans) == 0 {
		return "", false
	}
	runes := []rune(field)
	return mark(runes, spans, span{0, len(runes)}), true
}

// What is shown of a text: a few fragments, each so many characters around a match.
const (
	maxFragments = 3
	around       = 60
)

// Fragments returns pieces of a text around the query's words, which stand between **.
func (q Query) Fragments(text string) (out []string) {
	text = compose(text)
	runes := []rune(text)
	spans := q.find(fold(text), true)
	for len(spans) > 0 && len(out) < maxFragments {
		window := span{max(0, spans[0].from-around), min(len(runes), spans[0].to+around)}
		n := 0
		for n < len(spans) && spans[n].to <= window.to {
			n++
		}
		n = max(n, 1)
		out = append(out, strings.Join(strings.Fields(mark(runes, spans[:n], window)), " "))
		spans = spans[n:]
	}
	return out
}

// find lists where the query stands, in order and apart: all of it if it does, else its words.
func (q Query) find(folded []rune, wholeWords bool) []span {
	if wholeWords {
		return q.findWords(folded)
	}
	needles := q.words
	if len(q.whole) > 0 && index(folded, q.whole, 0) >= 0 {
		needles = [][]rune{q.whole}
	}
	var out []span
	for i := 0; i < len(folded); {
		end := i
		for _, n := range needles {
			if e := i + len(n); e > end && e <= len(folded) && slices.Equal(folded[i:e], n) {
				end = e
			}
		}
		if end == i {
			i++
			continue
		}
		out = append(out, span{i, end})
		i = end
	}
	return out
}

// findWords lists which words of a text are words of the query.
func (q Query) findWords(folded []rune) (out []span) {
	start := -1
	for i := 0; i <= len(folded); i++ {
		switch inside := i < len(folded) && isWord(folded[i]); {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			if slices.ContainsFunc(q.words, func(w []rune) bool { return slices.Equal(w, folded[start:i]) }) {
				out = append(out, span{start, i})
			}
			start = -1
		}
	}
	return out
}

func mark(runes []rune, spans []span, window span) string {
	var b strings.Builder
	at := window.from
	for _, s := range spans {
		b.WriteString(string(runes[at:s.from]))
		b.WriteString("**" + string(runes[s.from:s.to]) + "**")
		at = s.to
	}
	b.WriteString(string(runes[at:max(at, window.to)]))
	return b.String()
}
