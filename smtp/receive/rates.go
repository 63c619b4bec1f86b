package receive

import (
	"sync"
	"time"

	"podmail/mail"
)

// usage is what a peer has sent.
type usage struct{ messages, recipients, bytes int64 }

func (u usage) plus(v usage) usage {
	return usage{u.messages + v.messages, u.recipients + v.recipients, u.bytes + v.bytes}
}

func (u usage) within(limit usage) bool {
	return u.messages <= limit.messages && u.recipients <= limit.recipients && u.bytes <= limit.bytes
}

// account is one of those that a session's usage is counted for: an address, a network, an inbox.
type account struct {
	name   string
	factor int64 // how many times the limit it may use
}

// networkFactor is how much more a network may send than one of its addresses.
const networkFactor = 4

// rates counts what each account sends within an hour.
type rates struct {
	clock mail.Clock
	limit usage

	mu    sync.Mutex
	spent ledger[usage]
}

func newRates(o *Options) *rates {
	return &rates{clock: o.Clock, limit: usage{o.MessagesPerHour, o.RecipientsPerHour, o.BytesPerHour}, spent: ledger[usage]{}}
}

// spend counts u for every account, or for none if one would go over its limit; announced bytes are looked at only.
func (r *rates) spend(accounts []account, u usage, announced int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for _, a := range accounts {
		limit := usage{r.limit.messages * a.factor, r.limit.recipients * a.factor, r.limit.bytes * a.factor}
		if !r.spent.at(a.name, now).plus(u).plus(usage{bytes: announced}).within(limit) {
			return false
		}
	}
	r.add(accounts, u, now)
	return true
}

// note counts what has been used already.
func (r *rates) note(accounts []account, u usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(accounts, u, r.clock.Now())
}

func (r *rates) add(accounts []account, u usage, now time.Time) {
	for _, a := range accounts {
		r.spent.set(a.name, r.spent.at(a.name, now).plus(u), now)
	}
}

// accounts are those that the session's usage is counted for: the inbox that logged in, else where the peer is.
func (x *session) accounts() []account {
	ip := x.g.c.remote.Addr()
	switch {
	case x.grant != nil:
		return []account{{x.grant.InboxID, 1}}
	case !isCounted(ip):
		return nil
	}
	return []account{{ip.String(), 1}, {networkOf(ip).String(), networkFactor}}
}

// ledger keeps a value for a name, for an hour from when it was first set.
type ledger[T any] map[string]entry[T]

type entry[T any] struct {
	value T
	until time.Time
}

// maxEntries bounds a ledger. When more peers than that come within an hour, all is forgotten: who has so many addresses
// is not held back by counting them.
const maxEntries = 200_000

func (l ledger[T]) at(name string, now time.Time) (value T) {
	if e := l[name]; now.Before(e.until) {
		return e.value
	}
	return value
}

func (l ledger[T]) set(name string, value T, now time.Time) {
	e, there := l[name]
	if !now.Before(e.until) {
		e.until = now.Add(time.Hour)
	}
	if !there && len(l) >= maxEntries {
		l.tidy(now)
	}
	e.value = value
	l[name] = e
}

// tidy forgets what is over, or everything.
func (l ledger[T]) tidy(now time.Time) {
	for name, e := range l {
		if !now.Before(e.until) {
			delete(l, name)
		}
	}
	if len(l) >= maxEntries {
		clear(l)
	}
}
