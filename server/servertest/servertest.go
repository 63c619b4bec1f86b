// Package servertest starts a real server over a real database file in a temporary folder, for the tests of the doors.
// Every such world holds a twin tenant whose texts say POISON: a test fails if an answer under another scope shows
// them, or if its rows change.
package servertest

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/notify"
	"podmail/storage"
)

// Poison is in every text of the twin tenant.
const Poison = "POISON"

// World is a running server with its clock. It ends with the test.
type World struct {
	Server *server.Server
	Org    mail.Grant // the whole organization, unrestricted
	Clock  *Clock
	DNS    *Zone
	Store  *storage.Store // for looking at rows that no verb shows

	Options server.Options // of Server, for starting another in its place
}

// Clock is a clock that tests step. It starts at 2026-01-02 03:04:05 UTC and ticks a microsecond at every look, so
// that no two moments are equal.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now implements mail.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

// Step moves the clock forward.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// New starts a world with MaxMessageSize 60 MiB, hostname mx.podmail.test and default domain podmail.test, unless change
// says otherwise. Mail to other hosts stays in its queue unless it names a courier.
func New(t testing.TB, change ...func(*server.Options)) *World {
	t.Helper()
	ctx := context.Background()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	path := filepath.Join(t.TempDir(), "podmail.db")
	if err := os.WriteFile(path, migrated(t), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := storage.Open(ctx, storage.Options{Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	clock := &Clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	zone := NewZone()
	options := server.Options{Store: store, Hub: notify.NewHub(), Clock: clock, Random: rand.Reader, Resolver: zone, Log: log,
		Hostname: "mx.podmail.test", DefaultDomain: "podmail.test", PublicURL: "http://127.0.0.1:8080", MaxMessageSize: 60 << 20}
	for _, c := range change {
		c(&options)
	}
	srv := server.New(options)
	if _, err := srv.Bootstrap(ctx); err != nil {
		t.Fatal(err)
	}
	runCtx, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Run(runCtx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("background work: %v", err)
		}
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	w := &World{Server: srv, Org: srv.Operator(), Clock: clock, DNS: zone, Store: store, Options: options}
	w.poison(t)
	return w
}

// template is an empty file that has all migrations behind it. Each world begins with a copy: migrating takes longer than
// most tests.
var template struct {
	sync.Mutex
	bytes []byte
}

func migrated(t testing.TB) []byte {
	t.Helper()
	template.Lock()
	defer template.Unlock()
	if template.bytes != nil {
		return template.bytes
	}
	path := filepath.Join(t.TempDir(), "template.db")
	store, err := storage.Open(context.Background(), storage.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if template.bytes, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return template.bytes
}

// poison makes the twin tenant: names like those that tests use, texts that say so.
func (w *World) poison(t testing.TB) {
	t.Helper()
	pod := w.Pod(t, Poison)
	for _, name := range []string{"poison.alice", "poison.bob"} {
		g := w.Inbox(t, pod, name)
		if _, _, err := w.Server.CreateDraft(context.Background(), g, server.NewDraft{ClientID: Poison,
			SendRequest: server.SendRequest{Subject: Poison, To: []string{"poison@example.org"}}}); err != nil {
			t.Fatal(err)
		}
		w.Deliver(t, name+"@podmail.test", "From: "+Poison+" <poison@example.org>\nTo: "+name+"@podmail.test\nSubject: "+Poison+
			"\nMessage-ID: <hello@example.org>\n\n"+Poison+" hello\n")
	}
}

// Pod makes a pod and returns a grant for it.
func (w *World) Pod(t testing.TB, name string) mail.Grant {
	t.Helper()
	pod, err := w.Server.CreatePod(context.Background(), w.Org, server.NewPod{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	g, err := w.Server.InPod(context.Background(), w.Org, pod.PodID)
	if err != nil {
		t.Fatal(err)
	}
	g.KeyScope = g.Scope
	return g
}

// Inbox makes the inbox username@podmail.test within grant's scope and returns a grant narrowed to it.
func (w *World) Inbox(t testing.TB, g mail.Grant, username string) mail.Grant {
	t.Helper()
	inbox, err := w.Server.CreateInbox(context.Background(), g, server.NewInbox{Username: username})
	if err != nil {
		t.Fatal(err)
	}
	g, err = w.Server.InInbox(context.Background(), g, inbox.Address)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Domain registers a domain in the grant's scope.
func (w *World) Domain(t testing.TB, g mail.Grant, n server.NewDomain) mail.Domain {
	t.Helper()
	d, err := w.Server.CreateDomain(context.Background(), g, n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Verified registers a domain in the grant's scope, publishes its records and verifies it.
func (w *World) Verified(t testing.TB, g mail.Grant, n server.NewDomain) mail.Domain {
	t.Helper()
	d := w.Domain(t, g, n)
	w.DNS.Publish(d.Records)
	if err := w.Server.VerifyDomain(context.Background(), g, d.Name); err != nil {
		t.Fatal(err)
	}
	d, err := w.Server.GetDomain(context.Background(), g, d.Name)
	if err != nil || d.Status != mail.DomainVerified {
		t.Fatalf("%+v, %v", d, err)
	}
	return d
}

// PoisonDomain gives the twin tenant a domain that is verified, called poison.example. It is not there from the start,
// since a domain's keys take time to make.
func (w *World) PoisonDomain(t testing.TB) {
	t.Helper()
	g, err := w.Server.InInbox(context.Background(), w.Org, "poison.alice@podmail.test")
	if err != nil {
		t.Fatal(err)
	}
	g.Scope.Inbox = 0
	w.Verified(t, g, server.NewDomain{Name: "poison.example", ClientID: Poison, SubdomainsEnabled: true})
}

// Key makes an unrestricted API key of the grant's scope and returns its secret.
func (w *World) Key(t testing.TB, g mail.Grant) string {
	t.Helper()
	_, secret, err := w.Server.CreateAPIKey(context.Background(), g, server.NewAPIKey{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// Deliver puts a raw message (LF or CRLF line ends) into the inbox as mail from outside.
func (w *World) Deliver(t testing.TB, to, raw string) {
	t.Helper()
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	err := w.Server.Deliver(context.Background(), server.Incoming{ReversePath: "sender@example.org", Recipients: []string{to},
		Session: server.Session{HELO: "mail.example.org", Protocol: "ESMTP"}, Body: strings.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
}
