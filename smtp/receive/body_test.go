package receive

import (
	"math/rand/v2"
	"testing"
)

// TestCleanAgreesWithItsDefinition checks the fast scan against one that looks at each byte, over random borders.
func TestCleanAgreesWithItsDefinition(t *testing.T) {
	for range 20_000 {
		text := make([]byte, rand.IntN(12))
		for i := range text {
			text[i] = "\r\n\r\nab"[rand.IntN(6)]
		}
		want, last := true, byte(0)
		for _, c := range text {
			want = want && (c == '\n') == (last == '\r')
			last = c
		}
		b := &body{}
		got := true
		for rest := text; len(rest) > 0; {
			n := rand.IntN(len(rest)) + 1
			got = got && b.clean(rest[:n])
			rest = rest[n:]
		}
		if got != want {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	}
}
