package api

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"podmail/mail"
)

// rates has a token bucket for each of many callers: so many requests a second, and so many more at once after a rest.
// It remembers at most twice mostCallers of them; who is forgotten starts with a full bucket.
type rates struct {
	perSecond rate.Limit
	burst     int

	mu            sync.Mutex
	recent, older map[string]*rate.Limiter
}

const mostCallers = 10_000

func newRates(perSecond rate.Limit, burst int) *rates {
	return &rates{perSecond: perSecond, burst: burst, recent: map[string]*rate.Limiter{}}
}

// take counts a request of a caller. CodeRateLimited if its bucket is empty, with how long it is until it is not.
func (r *rates) take(caller string) error {
	now := time.Now()
	reserved := r.of(caller).ReserveN(now, 1)
	wait := reserved.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reserved.CancelAt(now)
	e := mail.Errorf(mail.CodeRateLimited, "Too many requests.").WithFix("Wait as long as Retry-After says, then go on more slowly.")
	e.RetryAfter = wait
	return e
}

func (r *rates) of(caller string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.recent[caller]; l != nil {
		return l
	}
	l := r.older[caller]
	if l == nil {
		l = rate.NewLimiter(r.perSecond, r.burst)
	}
	if len(r.recent) >= mostCallers {
		r.recent, r.older = map[string]*rate.Limiter{}, r.recent
	}
	r.recent[caller] = l
	return l
}

// network is whom an address belongs to: with IPv6, one has a whole /64.
func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Unmap().Is4() {
		return ip
	}
	p, err := addr.Prefix(64)
	if err != nil {
		return ip
	}
	return p.String()
}
