package deliver_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestNoMoreThanAHostTakes: what a host announces that it takes at a time is obeyed, and what it only shows is learned, by way
// of its replies or of its hanging up.
func TestNoMoreThanAHostTakes(t *testing.T) {
	const recipients = 40
	for _, c := range []struct {
		name      string
		announces string
		script    script
		rcpts     int // at most
		opened    int // connections
	}{
		{"announced", "LIMITS MAILMAX=100 RCPTMAX=7", script{most: 7, crowded: "452 4.5.3 too many", patience: 1}, recipients, 1},
		{"shown", "HELP", script{most: 7, crowded: "452 4.5.3 too many"}, recipients + 33, 1},
		{"shown by 552", "HELP", script{most: 7, crowded: "552 too many recipients"}, recipients + 33, 1},
		{"shown by 452 alone", "HELP", script{most: 7, crowded: "452 too many recipients"}, recipients + 33, 1},
		{"and it hangs up", "HELP", script{most: 7, crowded: "452 4.5.3 too many", patience: 10}, 2 * recipients, 2},
		{"few messages at a time", "LIMITS RCPTMAX=10 MAILMAX=2", script{most: 10}, recipients, 2},
		{"limits that make no sense", "LIMITS RCPTMAX=0 MAILMAX RCPTMAX=x", script{}, recipients, 1},
	} {
		for _, pipelining := range []string{"PIPELINING", "NOPIPELINING"} {
			t.Run(c.name+" "+pipelining, func(t *testing.T) {
				s := c.script
				s.offers = []string{pipelining, c.announces}
				w, h := meet(t, s, nil)
				tr := transfer(plain)
				var to, want []string
				for i := range recipients {
					to, want = append(to, fmt.Sprintf("r%d@example.org", i)), append(want, "taken 250 2.0.0")
				}
				tr.Recipients = transfer(plain, to...).Recipients
				w.expect(t, tr, want...)
				if n := len(h.heard("RCPT")); n > c.rcpts {
					t.Errorf("%d recipients were said, at most %d are needed", n, c.rcpts)
				}
				opened := c.opened
				if pipelining == "NOPIPELINING" && strings.Contains(c.name, "hangs up") {
					opened = 1 // it is not told more than one
				}
				if h.connections() != opened {
					t.Errorf("%d connections, want %d", h.connections(), opened)
				}
			})
		}
	}
}

// TestCrowdedForNow: a host that takes nobody, since somebody else fills it, is asked again later.
func TestCrowdedForNow(t *testing.T) {
	for _, answer := range []string{"452 4.5.3 too many", "552 too many recipients", "552 5.5.3 too many"} {
		w, _ := meet(t, script{answers: map[string]string{"RCPT": answer}}, nil)
		w.expect(t, transfer(plain, "bob@example.org"), "reply temporary "+answer[:3]+" 4.5.3")
	}
	w, _ := meet(t, script{answers: map[string]string{"RCPT": "552 5.2.2 full"}}, nil)
	w.expect(t, transfer(plain, "bob@example.org"), "reply permanent 552 5.2.2")
}
