// Package receive is Podmail's SMTP listeners (RFC 5321, RFC 6409) over go-smtp: connections, their limits, and sessions
// that turn commands into server's verbs and its errors into replies.
//
// go-smtp runs the sessions. It is served guards in the place of connections: a guard lies above TLS, hands it one command
// at a time, closes its traps, adds the extensions that it lacks, and corrects its codes. Below TLS, conn bounds the time
// of a connection; peers counts who is connected, rates what each peer sends, guesses who tries to log in. The session's
// methods, a file per command, do the rest.
package receive

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/scan"
	"podmail/smtp/verify"
)

// Role says what a listener is for.
type Role int

// The roles: mail from other servers, and mail from clients that log in, with STARTTLS or with TLS from the first byte.
const (
	MX Role = iota
	Submission
	SubmissionTLS
)

// String names the role in metrics and logs.
func (r Role) String() string { return [...]string{"mx", "submission", "submission_tls"}[r] }

// Options configure the listeners. What is zero gets the default named beside it.
type Options struct {
	Server    *server.Server
	Hostname  string
	TLSConfig *tls.Config // nil: no TLS
	Log       *slog.Logger
	Clock     mail.Clock            // for what is counted per hour
	Metrics   prometheus.Registerer // nil: counted for nobody
	Filter    *scan.Rspamd          // of messages to the MX for spam; nil: none
	Scanner   *scan.Scanner         // of messages to the MX for viruses; nil: none
	Verifier  *verify.Verifier      // of who sends to the MX; nil: nothing is looked up

	ProxyNetworks []netip.Prefix // whose connections begin with a PROXY header that is believed

	MaxConnections    int           // 1,000 over all listeners
	MaxPerIP          int           // 50 of one address; peers on this machine are not counted, here and below
	MaxPerNetwork     int           // 200 of one network: /24 of IPv4, /64 of IPv6
	MessagesPerHour   int64         // 10,000 from one address, or by one inbox; four times as many from one network, here and below
	RecipientsPerHour int64         // 50,000
	BytesPerHour      int64         // 20 GiB
	MaxRecipients     int           // 1,000 of one message
	MaxHeaderSize     int64         // 1 MiB
	MaxErrors         int           // 20 refused commands; then the connection is closed
	MaxLoginFailures  int           // 20 in an hour from one address; then it may not try. A connection is closed after three
	FailureDelay      time.Duration // 1 s after the first failed login of an address or to an inbox, doubled up to 32 s
	CommandTime       time.Duration // 5 min for the next command (RFC 5321 4.5.3.2.7)
	StallTime         time.Duration // 3 min for the next bytes of a body (RFC 5321 4.5.3.2.5)
	BodyTime          time.Duration // 30 min for a whole body
	MinRate           int64         // 100 bytes per second, on average, of a body that takes longer than a minute
	WriteTime         time.Duration // 1 min for a reply
}

func (o Options) withDefaults() Options {
	set(&o.MaxConnections, 1000)
	set(&o.MaxPerIP, 50)
	set(&o.MaxPerNetwork, 200)
	set(&o.MessagesPerHour, 10_000)
	set(&o.RecipientsPerHour, 50_000)
	set(&o.BytesPerHour, 20<<30)
	set(&o.MaxRecipients, 1000)
	set(&o.MaxHeaderSize, 1<<20)
	set(&o.MaxErrors, 20)
	set(&o.MaxLoginFailures, 20)
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

// Server runs listeners and their connections.
type Server struct {
	o       Options
	peers   *peers
	rates   *rates
	guesses *guesses
	metrics *metrics

	mu        sync.Mutex
	closing   bool
	listeners []net.Listener
	stop      chan struct{} // closed when the server is shutting down
}

// New returns a Server that listens nowhere yet.
func New(o Options) *Server {
	o = o.withDefaults()
	return &Server{o: o, peers: newPeers(&o), rates: newRates(&o), guesses: newGuesses(&o), metrics: newMetrics(o.Metrics), stop: make(chan struct{})}
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
	q := newQueue(l.Addr())
	served := make(chan error, 1)
	go func() { served <- s.library().Serve(q) }()
	err := s.accept(l, role, q)
	q.Close()
	<-served // which says that q is closed
	return err
}

// library is go-smtp, set up so that it neither refuses nor announces what the guard and the session decide.
func (s *Server) library() *gosmtp.Server {
	g := gosmtp.NewServer(gosmtp.BackendFunc(newSession))
	g.Domain = s.o.Hostname
	g.MaxRecipients = s.o.MaxRecipients
	g.MaxMessageBytes = 0 // body bounds it: go-smtp refuses what has just this size, and reads on without end in what is larger
	g.MaxLineLength = 0   // the guard bounds them
	g.AllowInsecureAuth = true
	g.EnableSMTPUTF8, g.EnableREQUIRETLS, g.EnableDSN = true, true, true
	g.ErrorLog = errorLog{s.o.Log}
	return g
}

// accept begins a session on every connection.
func (s *Server) accept(l net.Listener, role Role, q *queue) error {
	for wait := time.Duration(0); ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			s.take(raw, role, q)
		case s.isClosing():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of descriptors, or a peer that was gone before it was taken: it passes
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.o.Log.Error("no connection taken; trying again", "listener", role.String(), "error", err)
			time.Sleep(wait)
		}
	}
}

// take begins a session on a connection unless there are too many. What may take time before it does so on a goroutine of
// its own.
func (s *Server) take(raw net.Conn, role Role, q *queue) {
	c := &conn{Conn: raw, s: s, remote: addrPort(raw.RemoteAddr()), trace: newTrace()}
	if refusal := s.peers.enter(c); refusal != "" {
		s.refuse(c, role, refusal)
		return
	}
	s.metrics.open.Inc()
	go s.begin(c, role, q)
}

// begin finds out who the peer is, and hands it to go-smtp.
func (s *Server) begin(c *conn, role Role, q *queue) {
	begun := false
	defer func() {
		if r := recover(); r != nil {
			s.broke(c, r)
		}
		if !begun {
			c.Close()
			s.leave(c)
		}
	}()
	if !s.admit(c, role) {
		return
	}
	g := newGuard(s, c, role, q)
	begun = (role != SubmissionTLS || g.handshake()) && q.put(g)
}

// admit counts a peer where it comes from, and tells whether it may stay.
func (s *Server) admit(c *conn, role Role) bool {
	if inNetworks(s.o.ProxyNetworks, c.remote.Addr()) {
		if err := c.readProxyHeader(); err != nil {
			s.o.Log.Warn("a proxy's connection was closed", "remote", c.remote, "error", err)
			s.metrics.connections.WithLabelValues(role.String(), "no_proxy_header").Inc()
			return false
		}
	}
	if refusal := s.peers.place(c); refusal != "" {
		s.refuse(c, role, refusal)
		return false
	}
	s.metrics.connections.WithLabelValues(role.String(), "taken").Inc()
	return true
}

// leave counts a connection out that is closed.
func (s *Server) leave(c *conn) {
	s.peers.leave(c)
	s.metrics.open.Dec()
}

// broke reports a panic.
func (s *Server) broke(c *conn, panicked any) {
	s.o.Log.Error("smtp session broke", "trace", c.trace, "panic", panicked, "stack", string(debug.Stack()))
}

// refuse closes a connection that cannot be served, with a word of why where TLS does not lie above.
func (s *Server) refuse(c *conn, role Role, why refusal) {
	s.metrics.connections.WithLabelValues(role.String(), string(why)).Inc()
	s.o.Log.Debug("connection refused", "remote", c.remote, "why", string(why))
	if role != SubmissionTLS {
		c.Conn.SetWriteDeadline(time.Now().Add(time.Second))
		c.Conn.Write([]byte("421 " + why.text() + "\r\n")) // a courtesy: it may fail
	}
	c.Close()
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
	if !s.closing {
		s.closing = true
		close(s.stop)
	}
	var errs []error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	s.mu.Unlock()
	open := s.peers.close()
	for _, c := range open {
		c.hangUpWhenIdle()
	}
	stop := context.AfterFunc(ctx, func() {
		for _, c := range open {
			c.Close()
		}
	})
	defer stop()
	s.peers.wait()
	return errors.Join(append(errs, ctx.Err())...)
}

func inNetworks(networks []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// newTrace makes the id that follows a session's messages.
func newTrace() string {
	b := make([]byte, 8)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
