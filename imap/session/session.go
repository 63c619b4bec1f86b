// Package session is what an IMAP session does once a command has been understood: who is logged in, which mailbox is
// selected, what the client has been told of it, and how its messages are fetched, searched and changed.
//
// It calls server's verbs and writes untagged responses; it decides nothing that server decides. How commands look on
// the wire, and which library reads them, is the business of package imap.
package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"podmail/imap/fetch"
	"podmail/mail"
	"podmail/server"
)

// Output takes whole responses. Gather may keep them until the peer is waited for; WriteNow does not.
type Output interface {
	Gather(p []byte) error
	WriteNow(p []byte) error
}

// Options is what a Session needs.
type Options struct {
	Server *server.Server
	Out    Output
	Log    *slog.Logger
	Poll   time.Duration // how often an idle session looks by itself
	// Renderers holds *fetch.Renderer, shared by all sessions of the door.
	Renderers *sync.Pool
}

// Session is one client's. Its methods may be called from any goroutine; they run one at a time, IDLE included.
type Session struct {
	Options
	ctx context.Context // of the connection: ends when it is cut

	mu     sync.Mutex
	grant  mail.Grant
	inbox  mail.Inbox
	sel    *selected // nil: none
	closed bool
}

// New starts a session that ends with ctx or Close.
func New(ctx context.Context, o Options) *Session {
	return &Session{Options: o, ctx: ctx}
}

// Renderers makes the pool for Options.Renderers.
func Renderers() *sync.Pool {
	return &sync.Pool{New: func() any { return fetch.NewRenderer() }}
}

// Close ends the session, after the command that runs.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unselect()
	s.closed = true
}

// Login opens an inbox: CodeUnauthenticated if the key does not fit, CodeForbidden if it may not read messages.
func (s *Session) Login(user, password string) (mail.Inbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grant, inbox, err := s.Server.Login(s.ctx, user, password, mail.MessageRead)
	if err != nil {
		return mail.Inbox{}, err
	}
	if err := grant.Require(mail.MessageRead); err != nil {
		return mail.Inbox{}, err
	}
	s.grant, s.inbox = grant, inbox
	return inbox, nil
}

// Selected tells whether a mailbox is selected.
func (s *Session) Selected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sel != nil
}
