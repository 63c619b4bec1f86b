package sign

import (
	"strings"
	"testing"
	"time"
)

func TestSRS(t *testing.T) {
	first, second, third := SRS{[]byte("one"), "one.example"}, SRS{[]byte("two"), "two.example"}, SRS{[]byte("three"), "three.example"}
	const sender = "Some.One+tag=x@Sender.example"
	a := first.Forward(sender, now)
	if !strings.HasPrefix(a, "SRS0=") || !strings.HasSuffix(a, "=Sender.example=Some.One+tag=x@one.example") {
		t.Fatal(a)
	}
	b := second.Forward(a, now)
	c := third.Forward(b, now)
	if !strings.HasPrefix(b, "SRS1=") || !strings.HasPrefix(c, "SRS1=") || !strings.Contains(c, "=one.example=") || strings.Contains(c, "two.example") {
		t.Fatal(b, c)
	}
	local := func(address string) string { l, _, _ := strings.Cut(address, "@"); return l }
	for _, step := range []struct {
		s    SRS
		from string
		want string
	}{{third, c, a}, {second, b, a}, {first, a, sender}} {
		for _, from := range []string{step.from, strings.ToLower(step.from), strings.ToUpper(step.from)} {
			got, err := step.s.Reverse(local(from), now.Add(20*24*time.Hour))
			if err != nil || !strings.EqualFold(got, step.want) {
				t.Errorf("%s: %s, %v; want %s", from, got, err, step.want)
			}
		}
	}
	if got, err := first.Reverse(local(a), now.Add(23*24*time.Hour)); err == nil {
		t.Errorf("too old: %s", got)
	}
	for _, forged := range []string{strings.Replace(a, "Sender", "victim", 1), strings.Replace(a, "Some", "Any", 1), "SRS0=aaaaaaaa=aa=victim.example=a@one.example", "SRS0=", "SRS0", "SRS1=",
		"SRS1=a=b", "bob", "", "SRS0=a=b=c=d", strings.Replace(c, "SRS1", "SRS0", 1)} {
		if got, err := first.Reverse(local(forged), now); err == nil {
			t.Errorf("%s: %s", forged, got)
		}
	}
	for _, same := range []string{"", "us@one.example", "us@ONE.example"} {
		if got := first.Forward(same, now); got != same {
			t.Errorf("%s: %s", same, got)
		}
	}
}
