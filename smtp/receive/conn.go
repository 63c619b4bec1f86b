package receive

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// maxCommandLine bounds a command (RFC 5321 4.5.3.1.4, with room for AUTH's response, RFC 4954 4).
const maxCommandLine = 12 << 10

var errLongCommand = errors.New("the command line is too long")

// conn guards a connection below go-smtp: it sets a deadline for every read, bounds command lines, notices bare CR and
// LF, and once it is broken gives no further byte, so that the rest of a body is never taken for commands.
type conn struct {
	net.Conn
	s     *Server
	ip    netip.Addr
	trace string

	mu      sync.Mutex
	secret  bool // TLS lies above: the bytes here are not the session's
	closed  bool
	closing bool      // hang up when the current body is done
	body    time.Time // when the body began that is being read; zero between bodies
	taken   int64     // bytes of that body
	ended   bool      // the peer's side has ended or failed

	// Touched by the reading goroutine only, but for bare.
	line int  // length of the current command line
	last byte // last byte read
	bare bool // a bare CR or LF came since the last MAIL
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	deadline, err := c.deadline()
	if err != nil {
		return 0, err
	}
	if err := c.Conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.ended = true
		return n, err
	}
	c.taken += int64(n)
	if !c.secret {
		c.watch(p[:n])
		if c.body.IsZero() && c.line > maxCommandLine {
			c.ended = true
			return 0, errLongCommand
		}
	}
	return n, nil
}

// deadline is until when the next bytes must come. A body that drips slower than it may is cut off.
func (c *conn) deadline() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.closed {
		return now, net.ErrClosed
	}
	if c.body.IsZero() {
		if c.closing {
			return now, io.EOF
		}
		return now.Add(c.s.o.CommandTime), nil
	}
	end := c.body.Add(c.s.o.BodyTime)
	if elapsed := now.Sub(c.body); elapsed > time.Minute && c.taken < int64(elapsed.Seconds())*c.s.o.MinRate {
		c.ended = true
		return now, os.ErrDeadlineExceeded
	}
	if stall := now.Add(c.s.o.StallTime); stall.Before(end) {
		return stall, nil
	}
	return end, nil
}

// watch follows lines: how long the current one is, and whether each CR and LF has its other half (RFC 5321 2.3.8).
func (c *conn) watch(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			c.bare = c.bare || c.last == '\r'
			c.line += len(b)
			c.last = b[len(b)-1]
			return
		}
		before := c.last
		if i > 0 {
			c.bare = c.bare || before == '\r'
			before = b[i-1]
		}
		switch b[i] {
		case '\n':
			c.bare = c.bare || before != '\r'
			c.line = 0
		case '\r':
			c.bare = c.bare || before == '\r'
			c.line += i + 1
		}
		c.last = b[i]
		b = b[i+1:]
	}
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
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	c.mu.Unlock()
	c.s.dismiss(c)
	return c.Conn.Close()
}

// begin notes that a new message begins: what came before it does not count against it.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bare = false
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
	c.line = 0
	if c.closing { // the reply still leaves; the next command does not come
		c.Conn.SetReadDeadline(time.Now())
	}
}

// sawBare tells whether a bare CR or LF came since the message began.
func (c *conn) sawBare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bare
}

// hasEnded tells whether the peer's side has ended or failed.
func (c *conn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// hangUpWhenIdle ends the connection: at once between messages, else when the body is done.
func (c *conn) hangUpWhenIdle() {
	c.mu.Lock()
	c.closing = true
	idle, secret := c.body.IsZero(), c.secret
	c.mu.Unlock()
	if !idle {
		return
	}
	if !secret { // under TLS the goodbye would have to go through it
		c.Write([]byte("421 4.3.2 " + c.s.o.Hostname + " is shutting down\r\n")) // a courtesy: it may fail
	}
	c.Close()
}
