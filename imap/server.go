package imap

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"podmail/imap/session"
	"podmail/imap/wire"
	"podmail/server"
)

// Options is what a Server needs. Limits and times that are zero take their defaults.
type Options struct {
	Server    *server.Server
	Hostname  string
	TLSConfig *tls.Config // nil: no STARTTLS
	Log       *slog.Logger
	Random    io.Reader // for trace ids; nil: crypto/rand

	MaxConnections   int           // 10,000
	MaxPerIP         int           // 100; loopback peers are not counted
	MaxLoginFailures int           // 3; then the connection is closed
	FailureDelay     time.Duration // 1 s for the first failure, twice as long for each further one
	LoginTime        time.Duration // 1 min from connection to login
	IdleTime         time.Duration // 35 min without a command (RFC 9051 5.4: at least 30)
	CommandTime      time.Duration // 1 min without a byte within a command
	WriteTime        time.Duration // 1 min for 32 KiB
	PollTime         time.Duration // 45 s between an idle session's own looks
}

func (o Options) withDefaults() Options {
	number := func(n *int, fallback int) {
		if *n == 0 {
			*n = fallback
		}
	}
	duration := func(d *time.Duration, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
	}
	number(&o.MaxConnections, 10_000)
	number(&o.MaxPerIP, 100)
	number(&o.MaxLoginFailures, 3)
	duration(&o.FailureDelay, time.Second)
	duration(&o.LoginTime, time.Minute)
	duration(&o.IdleTime, 35*time.Minute)
	duration(&o.CommandTime, time.Minute)
	duration(&o.WriteTime, time.Minute)
	duration(&o.PollTime, 45*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server answers IMAP clients.
type Server struct {
	options   Options
	buffers   *sync.Pool
	renderers *sync.Pool
	registry  *registry
	ctx       context.Context // of all connections
	cut       context.CancelFunc
}

// New returns a Server. Its connections end with Shutdown.
func New(o Options) *Server {
	ctx, cut := context.WithCancel(context.Background())
	o = o.withDefaults()
	return &Server{
		options: o, buffers: wire.Pool(), renderers: session.Renderers(),
		registry: newRegistry(o.MaxConnections, o.MaxPerIP), ctx: ctx, cut: cut,
	}
}

// ErrClosed is what Serve returns once the server has been shut down.
var ErrClosed = errors.New("imap: server closed")

// Serve accepts connections until Shutdown, or until the listener fails. A listener that yields *tls.Conn makes the
// port with implicit TLS.
func (s *Server) Serve(ln net.Listener) error {
	if !s.registry.addListener(ln) {
		_ = ln.Close()
		return ErrClosed
	}
	defer s.registry.removeListener(ln)
	var delay time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case s.registry.isClosed():
			if err == nil {
				_ = conn.Close()
			}
			return ErrClosed
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // such as too many open files: it passes
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.options.Log.Error("imap: accepting a connection failed", "error", err, "retry_in", delay)
			select {
			case <-time.After(delay):
			case <-s.ctx.Done():
				return ErrClosed
			}
			continue
		}
		delay = 0
		s.accept(conn)
	}
}

// accept starts a connection's own goroutine, unless a limit is reached.
func (s *Server) accept(conn net.Conn) {
	c := newConnection(s, conn)
	if full := s.registry.add(c); full != "" {
		s.options.Log.Warn("imap: connection refused", "remote", conn.RemoteAddr().String(), "reason", full)
		if _, isTLS := conn.(*tls.Conn); !isTLS { // a TLS peer would have to be shaken hands with first
			_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = io.WriteString(conn, "* BYE [UNAVAILABLE] "+full+"\r\n")
		}
		_ = conn.Close()
		return
	}
	go c.open()
}

// Shutdown stops listening, tells every session goodbye after the command that it is running, and returns when all
// goroutines have ended. When ctx ends first, connections are cut.
func (s *Server) Shutdown(ctx context.Context) error {
	conns := s.registry.close()
	for _, c := range conns {
		go c.conn.Bye("Server is shutting down")
	}
	done := s.registry.done()
	select {
	case <-done:
		s.cut()
		return nil
	case <-ctx.Done():
	}
	s.cut()
	for _, c := range conns {
		c.conn.Kill()
	}
	<-done
	return ctx.Err()
}
