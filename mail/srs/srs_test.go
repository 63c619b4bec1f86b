package srs

import (
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1767225600, 0)

func TestSRS(t *testing.T) {
	first, second, third := Rewriter{[]byte("one"), "one.example"}, Rewriter{[]byte("two"), "two.example"}, Rewriter{[]byte("three"), "three.example"}
	const number = 1234567890123
	const sender = "Some.One+tag=x@Sender.example"
	a := first.Forward(sender, number, now)
	if !strings.HasPrefix(a, "SRS0=") || !strings.HasSuffix(a, "=Sender.example=Some.One+tag=x@one.example") {
		t.Fatal(a)
	}
	b := second.Forward(a, number, now)
	c := third.Forward(b, number, now)
	if !strings.HasPrefix(b, "SRS1=") || !strings.HasPrefix(c, "SRS1=") || !strings.Contains(c, "=one.example=") || strings.Contains(c, "two.example") {
		t.Fatal(b, c)
	}
	local := func(address string) string { l, _, _ := strings.Cut(address, "@"); return l }
	for _, step := range []struct {
		s    Rewriter
		from string
		want string
	}{{third, c, a}, {second, b, a}, {first, a, sender}} {
		for _, from := range []string{step.from, strings.ToLower(step.from), strings.ToUpper(step.from)} {
			got, by, err := step.s.Reverse(local(from), now.Add(20*24*time.Hour))
			if err != nil || !strings.EqualFold(got, step.want) || by != number {
				t.Errorf("%s: %s by %d, %v; want %s", from, got, by, err, step.want)
			}
		}
	}
	if got, _, err := first.Reverse(local(a), now.Add(23*24*time.Hour)); err == nil {
		t.Errorf("too old: %s", got)
	}
	for _, forged := range []string{strings.Replace(a, "=", "=a", 1), strings.Replace(a, "fr5hugnf", "fr5hugng", 1), strings.Replace(a, "Sender", "victim", 1), strings.Replace(a, "Some", "Any", 1), "SRS0=aaaaaaaa=aa=victim.example=a@one.example", "SRS0=", "SRS0", "SRS1=",
		"SRS1=a=b", "bob", "", "SRS0=a=b=c=d", strings.Replace(c, "SRS1", "SRS0", 1)} {
		if got, _, err := first.Reverse(local(forged), now); err == nil {
			t.Errorf("%s: %s", forged, got)
		}
	}
	for _, same := range []string{"", "us@one.example", "us@ONE.example"} {
		if got := first.Forward(same, number, now); got != same {
			t.Errorf("%s: %s", same, got)
		}
	}
}
