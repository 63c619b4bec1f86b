// Package wire is the guard between the network and the IMAP library: a net.Conn that frames command lines and
// literals while they pass.
//
// It refuses what would put the library out of step with its peer (oversized non-synchronising literals, endless
// commands), releases a literal only once the library has asked for it, answers some commands without the library
// (Options.Own), gathers responses into few writes, and keeps the time limits. It knows no mailbox and no message.
package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on what a peer may send.
const (
	MaxCommand     = 50 * 1024 // bytes of one command without its literals
	MaxLiteralPlus = 4096      // bytes of a non-synchronising literal (RFC 7888 5, LITERAL-)
	MaxLiterals    = 64 * 1024 // bytes of all literals of a command that is kept in memory
)

// Options is what a Conn needs.
type Options struct {
	// Own tells whether the door answers a command itself. The name is in upper case; "UID SEARCH" is one name.
	Own func(name string) bool
	// Answer answers such a command, after all that came before it has been answered. An error ends the connection.
	Answer func(Command) error
	// Append names the commands whose literal streams, and so has no limit here.
	Append string
	// Capabilities are added to those that the library announces.
	Capabilities []string
	// Greeting replaces the text of the library's.
	Greeting string

	AuthBy  time.Duration // from the start until SetAuthenticated
	Idle    time.Duration // between commands, once authenticated
	Command time.Duration // between two reads within a command
	Write   time.Duration // for one write of at most 32 KiB
}

// Command is a whole command line. Args is what follows the name and its space, literals included, without the end of
// the line.
type Command struct {
	Tag, Name string
	Args      []byte
}

// Conn implements net.Conn. One goroutine reads; writes may come from several.
type Conn struct {
	opts          Options
	raw           net.Conn // as accepted, never replaced: for addresses and for Kill
	authBy        time.Time
	authenticated atomic.Bool
	bye           atomic.Pointer[string] // what to say before hanging up

	// Of the reading goroutine.
	inner   net.Conn
	rest    []byte // read, and not yet looked at
	more    bool   // rest is too short to judge
	feed    []byte // looked at, and meant for the library
	readErr error
	scan    scanner
	failure *violation
	ended   bool // nothing more for the library that reads now

	mu     sync.Mutex // guards what follows, and writes to inner
	out    []byte     // from outPool while something waits in it
	pool   *sync.Pool
	closed bool
	// reading: the peer is waited for, so that nobody else will flush or say goodbye.
	reading bool
	// What the library has said since it was handed a literal's announcement.
	awaiting, silent bool // silent: the peer waits for no continuation
	continued        bool
	answered         bool
	prompted         bool // the library asked for a line that is not a command (AUTHENTICATE, IDLE)
	midLine          bool // the library's last write did not end a line
	greeted          bool
	skipGreeting     bool
	replaying        int // commands of which nothing must be heard
}

// Pool makes the pool of output buffers that all connections of a door share.
func Pool() *sync.Pool {
	return &sync.Pool{New: func() any { b := make([]byte, 0, outSize); return &b }}
}

// New guards conn. pool is from Pool.
func New(conn net.Conn, pool *sync.Pool, o Options) *Conn {
	return &Conn{opts: o, raw: conn, inner: conn, pool: pool, authBy: time.Now().Add(o.AuthBy)}
}

// SetAuthenticated ends the limits that strangers are under.
func (c *Conn) SetAuthenticated() { c.authenticated.Store(true) }

// TLS tells whether the peer's side is encrypted.
func (c *Conn) TLS() bool {
	_, ok := c.inner.(*tls.Conn)
	return ok
}

// Handshake does the TLS handshake of a connection that was accepted as a *tls.Conn.
func (c *Conn) Handshake(ctx context.Context) error {
	conn, ok := c.inner.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, c.authBy)
	defer cancel()
	return conn.HandshakeContext(ctx)
}

// ErrUpgraded ends the library's reading after StartTLS: what follows is another session.
var ErrUpgraded = errors.New("wire: connection continues under TLS")

// ErrSuspended, returned by Answer, ends the library's reading while somebody else waits for the peer.
var ErrSuspended = errors.New("wire: connection continues without a library")

// StartTLS answers tag with OK, becomes the server side of a TLS handshake and returns ErrUpgraded, for Answer to
// pass on. The library's turn ends.
func (c *Conn) StartTLS(tag string, config *tls.Config) error {
	if len(c.rest) > 0 {
		// Commands sent ahead in the clear must not be taken for protected ones (RFC 9051 6.2.1, CVE-2011-0411).
		return c.violate(violation{tag: tag, text: "Nothing may follow STARTTLS before TLS"})
	}
	if err := c.WriteNow([]byte(tag + " OK Begin TLS negotiation now\r\n")); err != nil {
		return err
	}
	conn := tls.Server(c.inner, config)
	_ = conn.SetDeadline(c.authBy)
	if err := conn.Handshake(); err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Time{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inner = conn
	return ErrUpgraded
}

// NextTurn lets another library read on, after ErrUpgraded or ErrSuspended has ended the turn of the first. Its greeting
// is left out. To put it into the state that the first was in, it reads these commands beforehand, whose responses are
// left out too; each must be tagged with ReplayTag.
func (c *Conn) NextTurn(replay ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipGreeting, c.replaying = true, len(replay)
	c.ended = false
	c.feed = []byte(strings.Join(replay, ""))
}

// ReplayTag is the tag of commands for NextTurn.
const ReplayTag = "replay"

// ReadLine reads a line that is no command (DONE, RFC 9051 6.3.13) while no library reads.
func (c *Conn) ReadLine() (string, error) {
	buf := make([]byte, minRead)
	for n := 0; n < len(buf); {
		m, err := c.fill(buf[n:])
		if err != nil {
			return "", err
		}
		if end := bytes.IndexByte(buf[n:n+m], '\n'); end >= 0 {
			c.keep(buf[n+end+1 : n+m])
			return strings.TrimRight(string(buf[:n+end]), "\r"), nil
		}
		n += m
	}
	return "", c.violate(violation{text: "Line too long"})
}

// Bye tells the peer goodbye and hangs up: at once if the peer is being waited for, else as soon as the command that
// runs has been answered.
func (c *Conn) Bye(text string) {
	c.bye.Store(&text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading {
		c.sayBye()
	}
}

// ByeAfter says goodbye once the command that runs has been answered.
func (c *Conn) ByeAfter(text string) { c.bye.Store(&text) }

// Kill closes the connection whatever is going on.
func (c *Conn) Kill() { _ = c.raw.Close() }

// Close sends what is left and closes the connection.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.close()
}

func (c *Conn) close() error {
	if c.closed {
		return nil
	}
	_ = c.flush()
	c.closed = true
	c.drop()
	return c.inner.Close()
}

// sayBye is called with mu held.
func (c *Conn) sayBye() {
	if text := c.bye.Load(); text != nil && !c.closed {
		c.append([]byte("* BYE " + *text + "\r\n"))
		_ = c.close()
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// SetDeadline implements net.Conn. The library's deadlines are too coarse (one for a whole body) and are left
// aside: Conn sets its own around each read and write.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn and does nothing, as SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn and does nothing, as SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
