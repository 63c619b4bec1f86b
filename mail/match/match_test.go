package match

import (
	"slices"
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	for _, c := range []struct{ query, field, want string }{
		{"acme", "Zoë <zoe@ACME.test>", "Zoë <zoe@**ACME**.test>"},
		{"ZOE", "Zoë <zoe@acme.test>", "**Zoë** <**zoe**@acme.test>"},
		{"order shipped", "Your order has shipped", "Your **order** has **shipped**"},
		{"order has", "Your order has shipped", "Your **order has** shipped"},
		{"nothing", "Your order", ""},
		{"resume", "Re\u0301sume\u0301", "**Résumé**"},
		{"", "Your order", ""},
		{"İ", "İstanbul", "**İ**stanbul"},
	} {
		if got, _ := New(c.query).Mark(c.field); got != c.want {
			t.Errorf("%q in %q: %q, want %q", c.query, c.field, got, c.want)
		}
	}
}

func TestFragments(t *testing.T) {
	long := strings.Repeat("before ", 20) + "the naïve Approach " + strings.Repeat("after ", 40) + "approach"
	got := New("APPROACH naive").Fragments(long)
	if len(got) != 2 || !strings.Contains(got[0], "the **naïve** **Approach** after") || !strings.HasSuffix(got[1], "**approach**") {
		t.Errorf("%q", got)
	}
	if got := New("pro").Fragments(long); got != nil {
		t.Errorf("half a word: %q", got)
	}
}

func TestScore(t *testing.T) {
	fields := []string{"other", "an order", "shipped the order", "order shipped today", "Order shipped"}
	q := New("order shipped")
	var scores []int
	for _, f := range fields {
		scores = append(scores, q.Score(f))
	}
	if !slices.Equal(scores, []int{0, 1, 2, 3, 4}) {
		t.Error(scores)
	}
}

// FuzzMark: marking loses nothing but adds its marks.
func FuzzMark(f *testing.F) {
	f.Add("a b", "xa b*c")
	f.Add("é", "e\u0301")
	f.Fuzz(func(t *testing.T, query, field string) {
		q := New(query)
		q.Fragments(field)
		q.Score(field)
		if got, ok := q.Mark(field); ok && strings.ReplaceAll(got, "*", "") != strings.ReplaceAll(compose(field), "*", "") {
			t.Errorf("%q in %q: %q", query, field, got)
		}
	})
}
