package receive

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"podmail/smtp/wire"
)

// conn guards a connection below TLS: every read and write has a deadline, and once it is broken it gives no further byte.
type conn struct {
	net.Conn
	s      *Server
	remote netip.AddrPort // who is at the other end; behind a proxy, its client
	trace  string
	placed bool // counted where it comes from

	mu      sync.Mutex
	closed  bool
	closing bool      // hang up when the current body is done
	until   time.Time // when the command must be there that is waited for
	body    time.Time // when the body began that is being read; zero between bodies
	taken   int64     // bytes of that body
}

// proxyTime is how long a proxy may take for its header.
const proxyTime = 10 * time.Second

// readProxyHeader learns from a proxy who the peer is.
func (c *conn) readProxyHeader() error {
	if err := c.Conn.SetReadDeadline(time.Now().Add(proxyTime)); err != nil {
		return err
	}
	client, err := wire.ReadProxyHeader(c.Conn)
	if err == nil && client.IsValid() {
		c.remote = client
	}
	return err
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.prepare(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken += int64(n)
	if err != nil && c.closing && c.body.IsZero() {
		err = errClosing
	}
	return n, err
}

// prepare sets until when the next bytes must come. A body that drips slower than it may is cut off.
func (c *conn) prepare() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed:
		return net.ErrClosed
	case c.body.IsZero() && c.closing:
		return errClosing
	case c.body.IsZero():
		return c.Conn.SetReadDeadline(c.until)
	}
	if elapsed := now.Sub(c.body); elapsed > time.Minute && c.taken < int64(elapsed.Seconds())*c.s.o.MinRate {
		return os.ErrDeadlineExceeded
	}
	deadline := c.body.Add(c.s.o.BodyTime)
	if stall := now.Add(c.s.o.StallTime); stall.Before(deadline) {
		deadline = stall
	}
	return c.Conn.SetReadDeadline(deadline)
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.s.o.WriteTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	return c.Conn.Close()
}

// expect says how long the peer has from now on for its next command, however it drips.
func (c *conn) expect(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Now().Add(d)
}

// beginBody and endBody enclose the reading of a body.
func (c *conn) beginBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.taken = time.Now(), 0
}

func (c *conn) endBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body = time.Time{}
}

// hangUpWhenIdle ends the connection: at once between messages, else when the body is done. The session says goodbye.
func (c *conn) hangUpWhenIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	if c.body.IsZero() && !c.closed {
		c.Conn.SetReadDeadline(time.Now()) // a connection that is gone already needs no waking
	}
}
