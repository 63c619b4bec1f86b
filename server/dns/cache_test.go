package dns_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"podmail/server/dns"
)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestCache(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	answer := zone(t, `
a.example. 60 IN TXT "v=1"
a.example. 60 IN MX 10 mx.example.
`)
	times := &clock{now: time.Unix(1, 0)}
	c := dns.NewCache(dns.NewClient(serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		mu.Lock()
		asked[strings.ToLower(q.Question[0].Name)]++
		mu.Unlock()
		answer(w, q)
	}), false), times)
	ctx := context.Background()
	count := func(name string) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[name]
	}
	ask := func(name string) ([]string, error) { return c.LookupTXT(ctx, name) }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if got, err := ask("A.example"); err != nil || !slices.Equal(got, []string{"v=1"}) {
				t.Error(got, err)
			}
		})
	}
	all.Wait()
	if n := count("a.example."); n != 1 {
		t.Errorf("asked %d times at once", n)
	}
	if got, err := c.LookupMX(ctx, "a.example"); err != nil || !slices.Equal(got, []dns.MX{{Preference: 10, Host: "mx.example"}}) {
		t.Error("another type:", got, err)
	}
	times.step(4 * time.Minute)
	ask("a.example")
	ask("none.example")
	ask("none.example")
	if a, none := count("a.example."), count("none.example."); a != 2 || none != 1 { // one of them the MX
		t.Error("within their time:", a, none)
	}
	times.step(2 * time.Minute)
	ask("a.example")
	if n := count("a.example."); n != 3 {
		t.Error("after it:", n)
	}

	ask("broken.example")
	before := count("broken.example.")
	if _, err := ask("broken.example"); err == nil || count("broken.example.") != before {
		t.Error("a failure is kept:", err, count("broken.example."))
	}
	times.step(20 * time.Second)
	if ask("broken.example"); count("broken.example.") == before {
		t.Error("a failure is not kept for long")
	}

	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.LookupTXT(short, "b.example"); err == nil {
		t.Error("called off")
	}
	for range 50 {
		if _, err := c.LookupTXT(short, "a.example"); err != nil {
			t.Fatal("what is known is not said to who was called off:", err)
		}
	}
	if got, err := ask("b.example"); err != nil || got != nil {
		t.Error("after somebody was called off:", got, err)
	}
}
