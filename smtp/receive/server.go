// Package receive is Podmail's SMTP listeners (RFC 5321, RFC 6409) over go-smtp: connections, their limits, and
// sessions that turn commands into server's verbs and its errors into replies.
//
// go-smtp parses commands and unescapes bodies. What it leaves open is closed here: conn bounds time and command
// lines and notices what a body must not hold, body refuses what is cut off or malformed, listener counts peers.
package receive

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/server"
)

// Role says what a listener is for.
type Role int

// The roles: mail from other servers, and mail from clients that log in.
const (
	MX Role = iota
	Submission
)

// Options configure the listeners. What is zero gets the default named beside it.
type Options struct {
	Server    *server.Server
	Hostname  string
	TLSConfig *tls.Config // nil: no STARTTLS
	Log       *slog.Logger

	MaxConnections   int           // 1,000 over all listeners
	MaxPerIP         int           // 50 of one address; loopback peers are not counted
	MaxRecipients    int           // 1,000 of one message
	MaxErrors        int           // 20 refused recipients or senders; then the connection is closed
	MaxLoginFailures int           // 3; then the connection is closed
	FailureDelay     time.Duration // 1 s after the first failed login, twice as long after each further one
	CommandTime      time.Duration // 5 min for the next command (RFC 5321 4.5.3.2.7)
	StallTime        time.Duration // 3 min for the next bytes of a body (RFC 5321 4.5.3.2.5)
	BodyTime         time.Duration // 30 min for a whole body
	MinRate          int64         // 100 bytes per second, on average, of a body that takes longer than a minute
	WriteTime        time.Duration // 1 min for a reply
}

func (o Options) withDefaults() Options {
	set(&o.MaxConnections, 1000)
	set(&o.MaxPerIP, 50)
	set(&o.MaxRecipients, 1000)
	set(&o.MaxErrors, 20)
	set(&o.MaxLoginFailures, 3)
	set(&o.FailureDelay, time.Second)
	set(&o.CommandTime, 5*time.Minute)
	set(&o.StallTime, 3*time.Minute)
	set(&o.BodyTime, 30*time.Minute)
	set(&o.MinRate, 100)
	set(&o.WriteTime, time.Minute)
	return o
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// maxBodyLine is the longest line of a body. RFC 5321 allows 1,000; what is longer is delivered as it is, up to here.
const maxBodyLine = 1 << 20

// Server runs listeners and their connections.
type Server struct {
	o Options

	mu        sync.Mutex
	closing   bool
	listeners []net.Listener
	conns     map[*conn]struct{}
	perIP     map[string]int
	gone      *sync.Cond // a connection has gone
}

// New returns a Server that listens nowhere yet.
func New(o Options) *Server {
	s := &Server{o: o.withDefaults(), conns: map[*conn]struct{}{}, perIP: map[string]int{}}
	s.gone = sync.NewCond(&s.mu)
	return s
}

// Serve takes connections from l until Shutdown.
func (s *Server) Serve(l net.Listener, role Role) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return errors.Join(errClosing, l.Close())
	}
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	g := gosmtp.NewServer(gosmtp.BackendFunc(func(c *gosmtp.Conn) (gosmtp.Session, error) { return s.newSession(c, role) }))
	g.Domain = s.o.Hostname
	g.TLSConfig = s.o.TLSConfig
	g.MaxRecipients = s.o.MaxRecipients
	g.MaxMessageBytes = s.o.Server.MaxMessageSize()
	g.MaxLineLength = maxBodyLine
	g.AllowInsecureAuth = true // the session decides: only on loopback or under TLS
	g.EnableSMTPUTF8 = true
	g.ErrorLog = errorLog{s.o.Log}
	err := g.Serve(&listener{Listener: l, s: s})
	if s.isClosing() {
		return nil
	}
	return err
}

var errClosing = errors.New("the server is shutting down")

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown closes the listeners, tells sessions between messages that the service closes (RFC 5321 3.8), lets bodies on
// their way finish within ctx, and waits until every connection is gone.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.hangUpWhenIdle()
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range open {
			c.Close()
		}
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		s.gone.Wait()
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// errorLog takes go-smtp's complaints: its own panics and broken connections.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Printf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	if strings.HasPrefix(msg, "panic") {
		l.log.Error("smtp session broke", "detail", msg)
	} else {
		l.log.Debug("smtp connection", "detail", msg)
	}
}

func (l errorLog) Println(v ...any) { l.Printf("%s", fmt.Sprintln(v...)) }

// newTrace makes the id that follows a session's messages.
func newTrace() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
