package dns

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"podmail/mail"
)

const (
	cacheTime = 5 * time.Minute  // for which an answer is kept
	failTime  = 15 * time.Second // for which a failure is, so that a dead server is not asked for every message
	cacheSize = 20_000           // answers
)

// Cache is a Resolver that remembers what another one said, for a few minutes whatever its records allow: a recursive
// resolver is asked, which keeps to the letter. It is safe for concurrent use.
type Cache struct {
	resolver Resolver
	clock    mail.Clock

	mu      sync.Mutex
	entries map[question]*answered
}

type question struct {
	kind   string
	name   string
	secure bool // whether this is about DNSSEC
}

// answered is an answer that is there once done is closed.
type answered struct {
	done  chan struct{}
	value any
	err   error
	until time.Time
}

// NewCache returns an empty cache before a resolver.
func NewCache(r Resolver, clock mail.Clock) *Cache {
	return &Cache{resolver: r, clock: clock, entries: map[question]*answered{}}
}

// LookupMX implements Resolver.
func (c *Cache) LookupMX(ctx context.Context, name string) ([]MX, error) {
	return cached(ctx, c, question{kind: "MX", name: name}, func() ([]MX, error) { return c.resolver.LookupMX(ctx, name) })
}

// LookupTXT implements Resolver.
func (c *Cache) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return cached(ctx, c, question{kind: "TXT", name: name}, func() ([]string, error) { return c.resolver.LookupTXT(ctx, name) })
}

// LookupCNAME implements Resolver.
func (c *Cache) LookupCNAME(ctx context.Context, name string) ([]string, error) {
	return cached(ctx, c, question{kind: "CNAME", name: name}, func() ([]string, error) { return c.resolver.LookupCNAME(ctx, name) })
}

// Canonical implements Resolver.
func (c *Cache) Canonical(ctx context.Context, name string) (string, error) {
	return cached(ctx, c, question{kind: "alias", name: name}, func() (string, error) { return c.resolver.Canonical(ctx, name) })
}

// LookupIP implements Resolver.
func (c *Cache) LookupIP(ctx context.Context, family Family, name string) ([]netip.Addr, error) {
	return cached(ctx, c, question{kind: string(family), name: name}, func() ([]netip.Addr, error) { return c.resolver.LookupIP(ctx, family, name) })
}

// LookupPTR implements Resolver.
func (c *Cache) LookupPTR(ctx context.Context, address netip.Addr) ([]string, error) {
	return cached(ctx, c, question{kind: "PTR", name: address.String()}, func() ([]string, error) { return c.resolver.LookupPTR(ctx, address) })
}

// LookupTLSA implements Resolver.
func (c *Cache) LookupTLSA(ctx context.Context, name string) ([]TLSA, error) {
	return cached(ctx, c, question{kind: "TLSA", name: name}, func() ([]TLSA, error) { return c.resolver.LookupTLSA(ctx, name) })
}

// IsSecure implements Resolver.
func (c *Cache) IsSecure(ctx context.Context, kind mail.RecordType, name string) (bool, error) {
	return cached(ctx, c, question{string(kind), name, true}, func() (bool, error) { return c.resolver.IsSecure(ctx, kind, name) })
}

// cached answers q from memory, or asks: once, however many want to know.
func cached[T any](ctx context.Context, c *Cache, q question, ask func() (T, error)) (value T, err error) {
	q.name = strings.ToLower(q.name)
	for {
		a, mine := c.entry(q)
		if mine {
			value, err = ask()
			c.answer(ctx, q, a, value, err)
			return value, err
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			select {
			case <-a.done: // an answer that is there is given
			default:
				return value, ctx.Err()
			}
		}
		if a.value != nil {
			return a.value.(T), a.err
		}
		// Who asked was called off: ask ourselves.
	}
}

// entry finds the answer to q, or makes a place for it that the caller must fill.
func (c *Cache) entry(q question) (a *answered, mine bool) {
	now := c.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if a = c.entries[q]; a != nil && (a.until.IsZero() || a.until.After(now)) {
		return a, false
	}
	if len(c.entries) >= cacheSize {
		c.makeRoom(now)
	}
	a = &answered{done: make(chan struct{})}
	c.entries[q] = a
	return a, true
}

// makeRoom drops what has expired, and if that is too little anything that is answered.
func (c *Cache) makeRoom(now time.Time) {
	for _, all := range []bool{false, true} {
		for q, a := range c.entries {
			if len(c.entries) < cacheSize*9/10 {
				return
			}
			if !a.until.IsZero() && (all || !a.until.After(now)) {
				delete(c.entries, q)
			}
		}
	}
}

// answer fills a's place. What was called off is no answer.
func (c *Cache) answer(ctx context.Context, q question, a *answered, value any, err error) {
	keep := cacheTime
	if err != nil {
		keep = failTime
	}
	until := c.clock.Now().Add(keep)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		delete(c.entries, q)
	} else {
		a.value, a.err, a.until = value, err, until
	}
	close(a.done)
}
