// Package spam tells unwanted mail from wanted by its words, as it was taught: a Bayesian classifier whose tokens are
// combined by Fisher's method. It turns bytes to numbers and keeps nothing; what was learned is storage's.
package spam

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
	"strings"
	"unicode"

	"podmail/mail"
)

const (
	maxTokens = 400 // of a message that are learned and looked at
	telling   = 60  // of them that decide
	named     = 8   // of those that are told to people
	// Enough is how many messages of either kind must have been learned before a verdict is worth anything.
	Enough = 20
	// Threshold is the score from which on a message is spam.
	Threshold = 0.95
	// Messages is the token that every message has: its counts are those of all messages.
	Messages int64 = 0
)

// Tokens are what is looked at in a message: words of the body, and those of the subject and the sender as such. Each
// has the number under which it is kept.
func Tokens(e *mail.Envelope, text string) map[int64]string {
	tokens := map[int64]string{}
	add := func(kind, text string) {
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '$' && r != '\'' }) {
			n := len(word)
			if n < 3 || n > 40 || len(tokens) >= maxTokens {
				continue
			}
			word = kind + strings.ToLower(word)
			tokens[number(word)] = word
		}
	}
	for _, a := range e.From {
		add("from:", a.Name)
		if host := "from:" + strings.ToLower(a.Host); a.Host != "" && len(host) <= 200 {
			tokens[number(host)] = host
		}
	}
	add("subject:", e.Subject)
	add("", text)
	return tokens
}

// number is the key of a token: never that of all messages.
func number(token string) int64 {
	h := fnv.New64a()
	h.Write([]byte(token))
	if n := int64(h.Sum64()); n != Messages {
		return n
	}
	return 1
}

// Count is in how many messages of each kind a token was.
type Count struct{ Spam, Ham int64 }

// Taught tells whether enough messages were learned.
func (c Count) Taught() bool { return c.Spam >= Enough && c.Ham >= Enough }

// Judge scores a message by its tokens and what was learned of them, all being the counts of all messages.
func Judge(tokens map[int64]string, learned map[int64]Count, all Count) mail.SpamScore {
	type hint struct {
		word string
		p    float64
	}
	var hints []hint
	for n, word := range tokens {
		if c, ok := learned[n]; ok {
			hints = append(hints, hint{word, c.probability(all)})
		}
	}
	weight := func(h hint) float64 { return -math.Abs(h.p - 0.5) }
	slices.SortFunc(hints, func(a, b hint) int { return cmp.Or(cmp.Compare(weight(a), weight(b)), strings.Compare(a.word, b.word)) })
	hints = slices.DeleteFunc(hints, func(h hint) bool { return weight(h) > -0.1 })
	hints = hints[:min(len(hints), telling)]
	var spam, ham float64
	s := mail.SpamScore{Threshold: Threshold, LearnedSpam: all.Spam, LearnedHam: all.Ham}
	for i, h := range hints {
		spam += math.Log(1 - h.p)
		ham += math.Log(h.p)
		if i < named {
			s.Words = append(s.Words, mail.SpamWord{Word: h.word, Spam: round(h.p)})
		}
	}
	n := len(hints)
	s.Score = round((1 + chance(-2*ham, n) - chance(-2*spam, n)) / 2)
	if n == 0 {
		s.Score = 0.5
	}
	return s
}

// probability is how likely a message with the token is spam, drawn to one half while little is known of it (Robinson).
func (c Count) probability(all Count) float64 {
	s, h := float64(c.Spam)/float64(max(all.Spam, 1)), float64(c.Ham)/float64(max(all.Ham, 1))
	n := float64(c.Spam + c.Ham)
	if n <= 0 || s+h == 0 {
		return 0.5
	}
	const strength, prior = 0.45, 0.5
	p := (strength*prior + n*s/(s+h)) / (strength + n)
	return min(max(p, 0.001), 0.999)
}

// chance is that of a chi-square value with 2n degrees of freedom to be at least x.
func chance(x float64, n int) float64 {
	m := x / 2
	term := math.Exp(-m)
	sum := term
	for i := 1; i < n; i++ {
		term *= m / float64(i)
		sum += term
	}
	return min(sum, 1)
}

func round(x float64) float64 { return math.Round(x*1000) / 1000 }
