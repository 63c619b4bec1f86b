package spam_test

import (
	"fmt"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/mail/spam"
)

func TestWhatWasLearnedIsRecognized(t *testing.T) {
	learned := map[int64]spam.Count{}
	learn := func(text string, isSpam bool) {
		for _, n := range append(keysOf(spam.Tokens(&mail.Envelope{}, text)), spam.Messages) {
			c := learned[n]
			if isSpam {
				c.Spam++
			} else {
				c.Ham++
			}
			learned[n] = c
		}
	}
	for i := range 30 {
		learn(fmt.Sprintf("Win a lottery prize and claim your free bitcoin jackpot winner number%d", i), true)
		learn(fmt.Sprintf("The parcel invoice and the meeting about the quarterly report, colleague number%d", i), false)
	}
	score := func(text string) mail.SpamScore {
		return spam.Judge(spam.Tokens(&mail.Envelope{}, text), learned, learned[spam.Messages])
	}
	if s := score("Claim your jackpot: a free bitcoin prize"); s.Score < spam.Threshold || len(s.Words) == 0 || s.Words[0].Spam < 0.9 {
		t.Errorf("spam: %+v", s)
	}
	if s := score("The invoice of the parcel, and the report for the meeting"); s.Score > 0.1 {
		t.Errorf("ham: %+v", s)
	}
	for _, neither := range []string{"Entirely unknown terms altogether", "", strings.Repeat("invoice jackpot prize meeting ", 50)} {
		if s := score(neither); s.Score < 0.1 || s.Score >= spam.Threshold {
			t.Errorf("%.30q: %+v", neither, s)
		}
	}
}

func keysOf(m map[int64]string) (keys []int64) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

func FuzzTokens(f *testing.F) {
	f.Add("Win $1000, don't wait!", "hello")
	f.Fuzz(func(t *testing.T, text, subject string) {
		tokens := spam.Tokens(&mail.Envelope{Subject: subject, From: []mail.Address{{Name: text, Host: subject}}}, text)
		if _, all := tokens[spam.Messages]; all || len(tokens) > 500 {
			t.Errorf("%d tokens", len(tokens))
		}
		if s := spam.Judge(tokens, nil, spam.Count{}); s.Score != 0.5 {
			t.Errorf("%+v", s)
		}
	})
}
