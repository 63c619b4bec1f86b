package receive

import (
	"net/netip"
	"sync"
	"time"

	"podmail/mail"
)

// guesses counts failed logins by where they came from and whom they were for, over all connections: who guesses becomes
// slow, and then may not try at all. Who logs in to an inbox that others guess at is not held up: only failures are.
type guesses struct {
	clock mail.Clock
	delay time.Duration
	most  int

	mu     sync.Mutex
	failed ledger[int]
}

func newGuesses(o *Options) *guesses {
	return &guesses{clock: o.Clock, delay: o.FailureDelay, most: o.MaxLoginFailures, failed: ledger[int]{}}
}

// maxDoublings bounds how slow a failure becomes.
const maxDoublings = 5

// fail counts a failed login and says how long its answer is to take.
func (g *guesses) fail(ip netip.Addr, user string) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	most := 0
	for _, name := range []string{origin(ip), "to " + mail.CanonicalAddress(user)} {
		n := g.failed.at(name, now) + 1
		g.failed.set(name, n, now)
		most = max(most, n)
	}
	return g.delay << min(most-1, maxDoublings)
}

// mayTry tells whether logins from there are looked at.
func (g *guesses) mayTry(ip netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !isCounted(ip) || g.failed.at(origin(ip), g.clock.Now()) < g.most
}

// origin is the address, or for IPv6, where one host has as many as it likes, the network.
func origin(ip netip.Addr) string {
	if ip.Is6() {
		return "from " + networkOf(ip).String()
	}
	return "from " + ip.String()
}
