// Package servertest starts a real server over a real database file in a temporary folder, for the tests of the doors.
// Every such world holds a twin tenant whose texts say POISON: a test fails if an answer under another scope shows
// them.
package servertest

import (
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
)

// World is a running server with its clock. It ends with the test.
type World struct {
	Server *server.Server
	Org    mail.Grant // the whole organization, unrestricted
	Clock  *Clock
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

// New starts a world with MaxMessageSize 60 MiB, hostname mx.podmail.test and default domain podmail.test.
func New(t testing.TB) *World { panic("stub") }

// Pod makes a pod and returns a grant for it.
func (w *World) Pod(t testing.TB, name string) mail.Grant { panic("stub") }

// Inbox makes the inbox username@podmail.test within grant's scope and returns a grant narrowed to it.
func (w *World) Inbox(t testing.TB, g mail.Grant, username string) mail.Grant { panic("stub") }

// Key makes an unrestricted API key of the grant's scope and returns its secret.
func (w *World) Key(t testing.TB, g mail.Grant) string { panic("stub") }

// Deliver puts a raw message (LF or CRLF line ends) into the inbox as mail from outside.
func (w *World) Deliver(t testing.TB, to, raw string) { panic("stub") }
