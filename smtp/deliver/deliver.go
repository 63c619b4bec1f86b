// Package deliver is the outward face of Podmail's SMTP: it carries messages to the hosts of their recipients, or to a
// smarthost, and tells what became of each recipient (RFC 5321 and its extensions, as a client).
//
// It decides nothing about what happens next, and keeps nothing but open connections: when to try again, what to tell
// the sender, whose turn it is are the queue's questions, which server answers.
package deliver

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"time"

	"podmail/mail"
	"podmail/mail/mtasts"
	"podmail/server/dns"
)

// Options configure a Courier. What is zero gets the default named beside it.
type Options struct {
	Resolver     dns.Resolver
	Clock        mail.Clock
	Random       io.Reader
	Log          *slog.Logger
	Hostname     string               // our name where a Transfer gives none; an MX that points to it is a loop
	Port         string               // 25, of MX hosts
	AllowPrivate bool                 // whether MX hosts may have addresses outside the Internet
	Roots        *x509.CertPool       // who vouches for certificates; nil: whom the system trusts
	PolicyPort   string               // 443, of the hosts of MTA-STS policies
	Policies     []mtasts.Fetched     // that are known from before
	Keep         func(mtasts.Fetched) // is told of each that is fetched; nil: it is forgotten with the Courier
	Times        Times
	MaxIdle      int // 100 connections that wait for another message
}

// Times are how long a host may take for each step (RFC 5321 4.5.3.2).
type Times struct {
	Connect  time.Duration // 20 s
	Greeting time.Duration // 5 min, also for EHLO and TLS
	Command  time.Duration // 5 min, for MAIL and RCPT
	Data     time.Duration // 2 min, for DATA
	Block    time.Duration // 3 min, for taking some of a body
	Final    time.Duration // 10 min, for the reply to a body
	Whole    time.Duration // 1 h for everything about one Transfer
	Idle     time.Duration // 15 s, for which a connection waits for another message
	Age      time.Duration // 5 min, after which a connection is not used again
}

func (o Options) withDefaults() Options {
	set(&o.Port, "25")
	set(&o.PolicyPort, "443")
	set(&o.MaxIdle, 100)
	set(&o.Times.Connect, 20*time.Second)
	set(&o.Times.Greeting, 5*time.Minute)
	set(&o.Times.Command, 5*time.Minute)
	set(&o.Times.Data, 2*time.Minute)
	set(&o.Times.Block, 3*time.Minute)
	set(&o.Times.Final, 10*time.Minute)
	set(&o.Times.Whole, time.Hour)
	set(&o.Times.Idle, 15*time.Second)
	set(&o.Times.Age, 5*time.Minute)
	return o
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Courier carries messages out. It is safe for concurrent use.
type Courier struct {
	o        Options
	pool     *pool
	policies *policies
	tally    tally
}

// New returns a Courier with no connections.
func New(o Options) *Courier {
	o = o.withDefaults()
	return &Courier{o: o, pool: newPool(o.MaxIdle, o.Times), policies: newPolicies(o.Policies)}
}

// Close says goodbye on idle connections, and lets no further one become idle. What is being carried goes on.
func (c *Courier) Close(ctx context.Context) error { return c.pool.close(ctx) }

// Carry tries once to hand a message over, and returns one result for each recipient, in their order. It never
// fails otherwise: whatever goes wrong is what became of the recipients.
func (c *Courier) Carry(ctx context.Context, t mail.Transfer) []mail.TransferResult {
	ctx, cancel := context.WithTimeout(ctx, c.o.Times.Whole)
	defer cancel()
	if t.HELO == "" {
		t.HELO = c.o.Hostname
	}
	p := newParcel(t)
	results := p.end(c.carry(ctx, p))
	for _, r := range results {
		c.o.Log.Info("carried", "trace", t.TraceID, "destination", t.Destination, "recipient", r.Recipient, "host", r.Host, "tls", r.TLS,
			"failure", r.Failure, "permanent", r.Permanent, "code", r.Code, "text", r.Text)
	}
	return results
}

// carry tries to hand the parcel over. What it returns is the failure of recipients who are still open.
func (c *Courier) carry(ctx context.Context, p *parcel) *failure {
	if f := p.inspect(ctx); f != nil || len(p.open()) == 0 {
		return f
	}
	hosts, f := c.route(ctx, p.Transfer)
	if f != nil {
		return f
	}
	return c.try(ctx, p, hosts)
}
