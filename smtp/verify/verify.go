// Package verify finds out who sent a message: SPF (RFC 7208), DKIM (RFC 6376), ARC (RFC 8617), DMARC (RFC 7489), the
// names of the peer's address (RFC 8601 2.7.3) and DNS block lists (RFC 5782). It looks at bytes as they pass and asks
// DNS; what follows from its verdicts is the server's to decide.
//
// One Check goes along with one message: look-ups run while the body comes in, bodies are hashed and never held.
// go-msgauth verifies DKIM and reads DMARC records. There is no library for ARC: it shares its fields, keys and canonical
// forms (signature, key, canonical) with what of DKIM go-msgauth leaves to us (dkim).
package verify

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"podmail/mail"
	"podmail/server/dns"
)

// Bounds on what one message can make us do.
const (
	lookupTime    = 20 * time.Second // for all look-ups of one method (RFC 7208 4.6.4)
	maxSignatures = 10               // that are verified
	maxNames      = 10               // of an address, that are looked up (RFC 7208 5.5)
	maxAuthors    = 10               // domains in From that are judged
)

// Options configure a Verifier.
type Options struct {
	Resolver   dns.Resolver
	Clock      mail.Clock
	Hostname   string         // ours, for explanations
	Trusted    []netip.Prefix // peers of which nothing is asked
	BlockLists []string       // zones of DNS block lists
	Log        *slog.Logger   // of look-ups that failed; nil: nowhere
	MaxHeader  int            // bytes of a header that are looked at, and held: as many as are let in; 1 MiB
}

// Verifier checks messages. It is safe for concurrent use.
type Verifier struct{ o Options }

// New returns a Verifier.
func New(o Options) *Verifier {
	if o.MaxHeader == 0 {
		o.MaxHeader = 1 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Resolver = plainResolver{o.Resolver, o.Log}
	return &Verifier{o}
}

// Peer is who hands in a message, and under which names.
type Peer struct {
	Remote      netip.Addr
	HELO        string
	ReversePath string // empty: a bounce
}

// Check goes along with one message: all its bytes are written to it, then Finish tells what they are worth.
type Check struct {
	v      *Verifier
	ctx    context.Context
	cancel context.CancelFunc
	peer   Peer

	lookups sync.WaitGroup
	spf     mail.SPFResult
	helo    mail.SPFResult
	reverse mail.ReverseResult
	listed  []mail.ListedAt

	reader  headerReader
	bodies  []*bodyHash
	trials  []*trial
	keys    *keyring
	header  header
	signed  []*signature // of DKIM-Signature fields
	refused []mail.DKIMResult
	arc     chain
}

// Begin starts to look up what is known of a peer. nil: nothing is asked of this one. A Check that was begun must be
// closed.
func (v *Verifier) Begin(ctx context.Context, p Peer) *Check {
	p.Remote = p.Remote.Unmap().WithZone("")
	trusted := func(n netip.Prefix) bool { return n.Contains(p.Remote) }
	if !p.Remote.IsValid() || slices.ContainsFunc(v.o.Trusted, trusted) {
		return nil
	}
	c := &Check{v: v, peer: p, reader: headerReader{most: v.o.MaxHeader}}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.keys = &keyring{resolver: v.o.Resolver, found: map[string]*foundKey{}}
	c.start(func(ctx context.Context) { c.reverse = v.reverse(ctx, p.Remote) })
	c.start(func(ctx context.Context) { c.helo = v.checkHELO(ctx, p) })
	c.start(func(ctx context.Context) { c.spf = v.checkReversePath(ctx, p) })
	if len(v.o.BlockLists) > 0 {
		c.start(func(ctx context.Context) { c.listed = v.blockLists(ctx, p.Remote) })
	}
	return c
}

// start runs a look-up beside the message, for a bounded time.
func (c *Check) start(look func(context.Context)) {
	c.lookups.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, lookupTime)
		defer cancel()
		look(ctx)
	})
}

// Write takes the message's next bytes. It never fails.
func (c *Check) Write(p []byte) (int, error) {
	n := len(p)
	rest, done := c.reader.write(p)
	if done {
		c.readHeader()
	}
	if len(rest) == 0 {
		return n, nil
	}
	for _, b := range c.bodies {
		b.write(rest)
	}
	for _, t := range c.trials {
		t.write(rest)
	}
	return n, nil
}

// readHeader finds out from the header what of the body must be hashed and which keys are needed.
func (c *Check) readHeader() {
	c.header = splitHeader(c.reader.header)
	c.readSignatures()
	c.arc = readChain(c.header)
	for _, s := range append(slices.Clone(c.signed), c.arc.signatures()...) {
		if s.trial != nil {
			continue
		}
		if s.bodyHash != nil {
			s.body = c.bodyOf(s)
		}
		c.start(func(ctx context.Context) { c.keys.find(ctx, s) })
	}
}

// bodyOf is the hash of the body as a signature wants it; signatures that want the same share it.
func (c *Check) bodyOf(s *signature) *bodyHash {
	for _, b := range c.bodies {
		if b.relaxed == s.relaxedBody && b.limit == s.length {
			return b
		}
	}
	b := newBodyHash(s.relaxedBody, s.length)
	c.bodies = append(c.bodies, b)
	return b
}

// Finish tells what the message is worth, once all of it was written.
func (c *Check) Finish() mail.Authentication {
	if !c.reader.done { // it ended within its header
		c.reader.done = true
		c.readHeader()
	}
	for _, b := range c.bodies {
		b.finish()
	}
	for _, t := range c.trials {
		t.finish()
	}
	a := mail.Authentication{Remote: c.peer.Remote, HELO: c.peer.HELO, ReversePath: c.peer.ReversePath, DKIM: []mail.DKIMResult{}}
	c.lookups.Wait()
	a.Reverse, a.HELOSPF, a.SPF, a.BlockLists = c.reverse, c.helo, c.spf, c.listed
	for _, t := range c.trials {
		t.judge()
	}
	for _, s := range c.signed {
		a.DKIM = append(a.DKIM, s.verify(c.header, c.keys))
	}
	a.DKIM = append(a.DKIM, c.refused...)
	a.ARC = c.arc.verify(c.header, c.keys)
	c.start(func(ctx context.Context) { a.DMARC = c.dmarc(ctx, &a) })
	c.lookups.Wait()
	return a
}

// Close gives up what still runs.
func (c *Check) Close() {
	c.cancel()
	for _, t := range c.trials {
		t.pipe.CloseWithError(errInterrupted)
	}
	c.lookups.Wait()
}
