package imap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
	"podmail/imap/wire"
	"podmail/mail"
)

// connection is one client's connection. The library serves it in turns. STARTTLS begins a new one, since what the
// library offers depends on its options, which cannot change while it serves; and so does the end of IDLE, since its
// buffers and stack are not kept while nothing is asked.
type connection struct {
	server   *Server
	conn     *wire.Conn
	peer     netip.Addr
	log      *slog.Logger
	ctx      context.Context
	cancel   context.CancelFunc
	failures int // of logins

	session  *session.Session
	adapter  *adapter // of the library's present turn
	loggedIn bool
	upgraded bool          // STARTTLS has ended the library's turn
	idling   string        // the tag of the IDLE that has ended it
	enabled  goimap.CapSet // what to switch on again in the next turn
}

func newConnection(s *Server, conn net.Conn) *connection {
	c := &connection{server: s, peer: peerOf(conn)}
	trace := s.trace()
	c.log = s.options.Log.With("trace", trace, "remote", conn.RemoteAddr().String())
	c.ctx, c.cancel = context.WithCancel(mail.WithTrace(s.ctx, trace))
	o := s.options
	c.conn = wire.New(conn, s.buffers, wire.Options{
		Own: c.owns, Answer: c.answer, Append: "APPEND", Capabilities: []string{"ID"}, Greeting: strings.TrimSpace(o.Hostname + " Podmail ready"),
		AuthBy: o.LoginTime, Idle: o.IdleTime, Command: o.CommandTime, Write: o.WriteTime,
	})
	return c
}

func (s *Server) trace() string {
	random := s.options.Random
	if random == nil {
		random = rand.Reader
	}
	var b [8]byte
	_, _ = io.ReadFull(random, b[:])
	return hex.EncodeToString(b[:])
}

func peerOf(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// open runs in a goroutine of its own until the library has taken over.
func (c *connection) open() {
	defer c.contain()
	if err := c.conn.Handshake(c.ctx); err != nil {
		c.log.Info("imap: TLS handshake failed", "error", err)
		_ = c.conn.Close()
		c.end()
		return
	}
	c.log.Debug("imap: connected", "tls", c.conn.TLS())
	c.serve()
}

// contain makes a panic the end of its own connection only. The library does the same during its turns.
func (c *connection) contain() {
	if v := recover(); v != nil {
		c.log.Error("imap: panic", "panic", v, "stack", string(debug.Stack()))
		c.conn.Kill()
		c.end()
	}
}

// end is the last thing that a connection's goroutine does.
func (c *connection) end() {
	c.cancel()
	c.log.Debug("imap: disconnected")
	c.server.registry.remove(c)
}

// serve starts a turn of the library, with a server of its own: whether logging in is allowed depends on the
// connection (RFC 9051 11.3: not in clear text, but for peers on this machine).
func (c *connection) serve() {
	secure := c.conn.TLS()
	o := &imapserver.Options{
		NewSession:   c.newSession,
		Caps:         capabilities(),
		Logger:       libraryLog{c.log},
		InsecureAuth: secure || c.peer.IsLoopback(),
	}
	if !secure {
		o.TLSConfig = c.server.options.TLSConfig // makes it announce STARTTLS; the command itself is ours
	}
	_ = imapserver.New(o).Serve(&oneConn{conn: &turn{Conn: c.conn, connection: c}})
}

// capabilities are those that the library cannot know to be there.
func capabilities() goimap.CapSet {
	return goimap.CapSet{
		goimap.CapIMAP4rev1: {}, goimap.CapIMAP4rev2: {},
		goimap.CapNamespace: {}, goimap.CapUIDPlus: {}, goimap.CapESearch: {}, goimap.CapSearchRes: {},
		goimap.CapListExtended: {}, goimap.CapListStatus: {}, goimap.CapMove: {}, goimap.CapStatusSize: {},
		goimap.CapBinary: {}, goimap.CapChildren: {}, goimap.CapSpecialUse: {},
	}
}

func (c *connection) newSession(lib *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	if c.session == nil {
		o := c.server.options
		c.session = session.New(c.ctx, session.Options{
			Server: o.Server, Out: c.conn, Log: c.log, Poll: o.PollTime, Renderers: c.server.renderers,
		})
	}
	c.adapter = &adapter{connection: c, lib: lib, replaying: c.session.Selected()}
	return c.adapter, &imapserver.GreetingData{PreAuth: c.loggedIn}, nil
}

// adapter is the library's view of a session, for one turn. Its methods are in the files named after the commands.
type adapter struct {
	*connection
	lib       *imapserver.Conn
	replaying bool // the library is being told what the session knows: that a mailbox is selected
}

// Close implements imapserver.Session, at the end of a turn.
func (a *adapter) Close() error {
	if a.idling != "" {
		return nil
	}
	if !a.upgraded {
		a.cancel()
	}
	a.session.Close()
	a.connection.session = nil
	return nil
}

// turn is the connection as the library holds it for one turn.
type turn struct {
	*wire.Conn
	connection *connection
	once       sync.Once
}

// Close implements net.Conn. It is the last that the library does, but for a goodbye of its own before.
func (t *turn) Close() error {
	c := t.connection
	switch {
	case c.upgraded:
		c.upgraded = false
		c.conn.NextTurn()
		c.serve()
		return nil
	case c.idling != "":
		go c.idle() // not in this goroutine, whose stack holds the library's buffers
		return nil
	}
	err := t.Conn.Close()
	t.once.Do(c.end)
	return err
}

// oneConn is a listener with one connection.
type oneConn struct{ conn net.Conn }

// Accept implements net.Listener.
func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

// Close implements net.Listener.
func (l *oneConn) Close() error { return nil }

// Addr implements net.Listener.
func (l *oneConn) Addr() net.Addr { return nil }

// libraryLog takes the library's words. Most tell of peers that hang up or cannot spell.
type libraryLog struct{ log *slog.Logger }

// Printf implements imapserver.Logger.
func (l libraryLog) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "panic") {
		l.log.Error("imap: " + text)
		return
	}
	l.log.Debug("imap: " + text)
}

// sleep waits for d, or the end of the connection.
func (c *connection) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
}
