// Package server is Podmail's verbs: who may do what, and what happens to a message. The doors (smtp, imap, web) call
// it with a grant and get nouns or a *mail.Error back; it calls storage with a scope and never shows a transaction.
//
// One file holds one subject: pods, inboxes, api_keys, messages, threads, mailboxes as the doors see them; filing is
// how a message finds its thread and mailbox; deliver, submit and send are its ways in and out; work_… are the
// background workers. SQL is storage's, protocols are the doors'.
package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"podmail/mail"
	"podmail/mail/tlsrpt"
	"podmail/server/dns"
	"podmail/server/notify"
	"podmail/storage"
)

// Options is everything a Server needs.
type Options struct {
	AgentSignUp    bool // whether agents may sign themselves up
	Store          *storage.Store
	Hub            *notify.Hub
	Clock          mail.Clock
	Random         io.Reader
	Resolver       dns.Resolver
	Courier        Courier                // nil: mail to other hosts stays in the queue
	Relay          *mail.Relay            // that takes all mail to other hosts; nil: it goes to its destination
	TLSResults     func() []tlsrpt.Result // counted since it was last called, for reports; nil: nothing is
	PostTLSReport  func(ctx context.Context, url string, packed []byte) error
	Queue          QueueLimits
	Sending        SendingLimits
	Poster         Poster // nil: webhooks are told nothing
	Intake         IntakeRules
	Log            *slog.Logger
	Metrics        prometheus.Registerer // nil: what is counted is shown to nobody
	Hostname       string                // EHLO name, and the host of message ids that we make
	DefaultDomain  string                // of inboxes created without one; belongs to all pods
	PublicURL      string                // of the HTTP listener, without trailing slash
	MaxMessageSize int64                 // bytes
	Postmaster     string                // address of the inbox that gets mail to postmaster@ and abuse@; empty: postmaster@DefaultDomain
}

// Server carries out verbs. It is safe for concurrent use.
type Server struct {
	store          *storage.Store
	hub            *notify.Hub
	clock          mail.Clock
	random         io.Reader
	resolver       dns.Resolver
	courier        Courier
	relay          *mail.Relay
	tlsResults     func() []tlsrpt.Result
	postTLSReport  func(ctx context.Context, url string, packed []byte) error
	tlsReporting   tlsReporting
	tally          dmarcTally
	dmarcReporting dmarcReporting
	turns          *turns
	sending        SendingLimits
	counters       *counters
	rules          IntakeRules
	taught         sync.Map       // pods to how many messages their spam filter has learned from
	transfers      sync.WaitGroup // on their way to other hosts
	poster         Poster
	posting        posting
	posted         sync.WaitGroup // on their way to webhooks
	log            *slog.Logger
	hostname       string
	defaultDomain  string
	publicURL      string
	maxMessageSize int64
	agentSignUp    bool
	postmaster     string

	organization storage.OrganizationRow
	eventIDs     eventIDs
	openTokens   openTokens
	srsSecret    []byte        // of the reverse-paths of what is handed on
	postIDs      eventIDs      // of webhooks' deliveries
	queueIDs     eventIDs      // of deliveries in the queue
	making       sync.Mutex    // held while the installation's own domain gets its keys
	posts        chan struct{} // wakes who tells webhooks
	hooks        atomic.Bool   // whether anybody has a webhook; never false if so
	queue        chan struct{} // wakes the local courier
	outbound     chan struct{} // wakes the queue of mail to other hosts
	index        chan struct{} // wakes the search indexer
	sweep        chan struct{} // wakes the sweeper
	drafts       chan struct{} // wakes the sender of scheduled drafts
	strangers    atomic.Int64  // that greylisting met
	lists        atomic.Bool   // whether anybody keeps an allow or block list; never false if so
	running      sync.Map      // requests with an idempotency key that are under way
	busyDrafts   sync.Map      // keys of the drafts that are being changed (false) or sent (true)
	awaited      atomic.Int64  // searches that wait for the indexer
	reading      chan struct{} // has room for the reports on domains that are read at a time
	used         usedKeys
	parsedKeys   parsedKeys
	unheard      unheard
	buffers      sync.Pool // *bytes.Buffer, for messages on their way to a row
}

// New returns a Server over an open store. Bootstrap it before its first verb, and Run its background work beside it.
func New(o Options) *Server {
	s := &Server{store: o.Store, hub: o.Hub, clock: o.Clock, random: o.Random, resolver: o.Resolver, courier: o.Courier, relay: o.Relay, tlsResults: o.TLSResults, postTLSReport: o.PostTLSReport, poster: o.Poster,
		log: o.Log, hostname: o.Hostname, defaultDomain: o.DefaultDomain, publicURL: o.PublicURL, maxMessageSize: o.MaxMessageSize, agentSignUp: o.AgentSignUp, postmaster: mail.CanonicalAddress(o.Postmaster),
		turns: newTurns(o.Queue), sending: o.Sending, counters: newCounters(o.Metrics), rules: o.Intake, posting: newPosting(),
		queue: make(chan struct{}, 1), posts: make(chan struct{}, 1), outbound: make(chan struct{}, 1), index: make(chan struct{}, 1), sweep: make(chan struct{}, 1), drafts: make(chan struct{}, 1), reading: make(chan struct{}, maxReading),
		buffers: sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 16<<10)) }}}
	s.watch(o.Metrics)
	return s
}

// MaxMessageSize is the largest message, in bytes, that is taken: for SMTP's SIZE and IMAP's APPENDLIMIT.
func (s *Server) MaxMessageSize() int64 { return s.maxMessageSize }

// DefaultDomain is the domain of inboxes that are created without one.
func (s *Server) DefaultDomain() string { return s.defaultDomain }

// Run does the background work until ctx ends: deliveries to inboxes of our own and to other hosts, search indexing,
// clean-up, checks of domains, webhooks.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.loop(ctx, "local courier", s.queue, 5*time.Second, s.DeliverDue) })
	g.Go(func() error {
		defer s.lastTLSCounts(ctx)
		defer s.transfers.Wait()
		return s.loop(ctx, "queue", s.outbound, 5*time.Second, s.CarryDue)
	})
	g.Go(func() error {
		happened, stop := s.hub.Watch(mail.Scope{})
		defer stop()
		return s.loop(ctx, "webhook fan-out", happened, 5*time.Second, s.FanOut)
	})
	g.Go(func() error {
		defer s.posted.Wait()
		return s.loop(ctx, "webhooks", s.posts, time.Second, s.PostDue)
	})
	g.Go(func() error { return s.loop(ctx, "search indexer", s.index, 5*time.Second, s.IndexMessages) })
	g.Go(func() error { return s.loop(ctx, "metrics", nil, time.Second, s.Meter) })
	g.Go(func() error { return s.loop(ctx, "scheduled drafts", s.drafts, 2*time.Second, s.SendDueDrafts) })
	g.Go(func() error { return s.loop(ctx, "lists", nil, time.Second, s.NoticeLists) })
	g.Go(func() error { return s.loop(ctx, "sweeper", s.sweep, time.Minute, s.Sweep) })
	g.Go(func() error { return s.loop(ctx, "spam filter", nil, 5*time.Second, s.LearnSpam) })
	g.Go(func() error { return s.loop(ctx, "domain checker", nil, 15*time.Second, s.CheckDomains) })
	g.Go(func() error {
		defer s.lastDMARCCounts(ctx)
		return s.loop(ctx, "DMARC reports", nil, time.Minute, s.ReportDMARC)
	})
	g.Go(func() error {
		defer s.lastUnheard(ctx)
		return s.loop(ctx, "answers", nil, unheardEvery, s.NoteUnheard)
	})
	g.Go(func() error { return s.loop(ctx, "TLS reports", nil, time.Minute, s.ReportTLS) })
	g.Go(func() error { return s.loop(ctx, "key usage", nil, 20*time.Second, s.NoteUsedKeys) })
	return g.Wait()
}

// loop runs step when woken and every so often, until ctx ends. A step says whether more work waits.
func (s *Server) loop(ctx context.Context, name string, wake <-chan struct{}, every time.Duration, step func(context.Context) (more bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		more, err := step(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("background work failed; it is tried again", "worker", name, "error", err)
		}
		if more && err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			s.log.Info("background work stopped", "worker", name)
			return nil
		case <-wake:
		case <-tick.C:
		}
	}
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // already woken
	}
}

// Watch returns a channel that receives after something in the grant's scope was committed, and a function that ends
// the watch.
func (s *Server) Watch(g mail.Grant) (<-chan struct{}, func()) { return s.hub.Watch(g.Scope) }

// WatchEvents is Watch for the places of a subscription.
func (s *Server) WatchEvents(sub mail.Subscription) (<-chan struct{}, func()) {
	return s.hub.Watch(sub.Scopes...)
}

// newID makes a public id: a UUID that sorts by creation (RFC 9562 5.7).
func (s *Server) newID() (string, error) {
	id, err := uuid.NewV7FromReader(s.random)
	return id.String(), err
}

// usedKeys gathers which keys were used, so that used_at costs no write of its own.
type usedKeys struct {
	mu sync.Mutex
	at map[int64]usedKey
}

type usedKey struct {
	at    time.Time
	scram []byte // that the key lacked
}

func (u *usedKeys) note(id int64, at time.Time, scram func() []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[int64]usedKey{}
	}
	key, seen := u.at[id]
	if key.at = at; !seen && scram != nil {
		key.scram = scram()
	}
	u.at[id] = key
}

func (u *usedKeys) take() map[int64]usedKey {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.at
	u.at = nil
	return at
}

// NoteUsedKeys writes down when keys were last used. It is a step of Run.
func (s *Server) NoteUsedKeys(ctx context.Context) (bool, error) {
	used := s.used.take()
	if len(used) == 0 {
		return false, nil
	}
	return false, s.store.System().Write(ctx, func(tx storage.SystemTx) error {
		for id, key := range used {
			if err := tx.TouchAPIKey(id, key.at, key.scram); err != nil {
				return err
			}
		}
		return nil
	})
}
