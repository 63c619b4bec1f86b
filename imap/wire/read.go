package wire

import (
	"errors"
	"io"
	"net"
	"time"
)

// minRead is the room that judging the start of a command needs.
const minRead = 512

// Read hands the library what it may see. It never returns bytes beyond the announcement of a literal that the
// library has not yet asked for.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if c.ended {
			return 0, io.EOF // again and again: the library reads on after an error
		}
		if n := copy(p, c.feed); n > 0 {
			c.feed = c.feed[n:]
			return n, nil
		}
		c.feed = nil
		if c.failure == nil && c.scan.phase == await {
			c.settle()
			continue
		}
		if c.failure != nil {
			return 0, c.fail()
		}
		buf := p
		if len(buf) < minRead {
			buf = make([]byte, minRead)
		}
		n, err := c.fill(buf)
		if err != nil {
			return 0, err
		}
		out, err := c.look(buf[:n])
		if err != nil {
			c.ended = true
			return 0, io.EOF
		}
		if n := copy(p, out); n > 0 { // out lies in p already, or starts later in it
			if n < len(out) {
				c.feed = append([]byte(nil), out[n:]...)
			}
			return n, nil
		}
	}
}

// fill reads into buf: what was left over, and from the peer if that is not enough.
func (c *Conn) fill(buf []byte) (int, error) {
	n := copy(buf, c.scan.upTo(c.rest))
	c.rest = c.rest[n:]
	if len(c.rest) == 0 {
		c.rest = nil
	}
	if n > 0 && !c.more {
		return n, nil
	}
	c.more = false
	if c.readErr != nil {
		return 0, c.readErr
	}
	if err := c.beforeWaiting(n > 0); err != nil {
		return 0, err
	}
	m, err := c.inner.Read(buf[n:])
	c.mu.Lock()
	c.reading = false
	c.mu.Unlock()
	if err != nil {
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			c.timedOut()
		}
		c.readErr = err
		if m == 0 {
			return 0, err
		}
	}
	return n + m, nil
}

// timedOut tells the peer why it is hung up on (RFC 9051 5.4).
func (c *Conn) timedOut() {
	text := "Nothing was heard for too long"
	c.bye.Store(&text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sayBye()
}

// beforeWaiting sends what the peer may be waiting for, and sets its time limit. begun: the start of a command is there.
func (c *Conn) beforeWaiting(begun bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if err := c.flush(); err != nil {
		return err
	}
	c.reading = true
	if c.bye.Load() != nil {
		c.reading = false
		c.sayBye()
		return io.EOF
	}
	now := time.Now()
	var until time.Time
	switch {
	case !c.authenticated.Load():
		until = c.authBy
	case c.scan.phase == start && !begun:
		until = now.Add(c.opts.Idle) // RFC 9051 5.4: at least 30 minutes
	default:
		until = now.Add(c.opts.Command)
	}
	return c.inner.SetReadDeadline(until)
}

// settle decides what an announced literal has become: the library has either asked for it, or answered the command
// without it, or neither, when it did not take it for a literal and reads on.
func (c *Conn) settle() {
	s := &c.scan
	c.mu.Lock()
	continued, answered := c.continued, c.answered
	c.awaiting = false
	c.mu.Unlock()
	switch {
	case continued:
		s.enter(literal, line)
	case answered && s.silent: // refused, but on its way (RFC 7888 4): to be thrown away with the rest of the command
		s.enter(drainLiteral, drainLine)
	case answered: // refused, and the peer will not send it
		s.phase = start
	case !s.fed: // the end of a line makes the library give up on the command and answer it
		s.fed = true
		c.await()
		c.feed = []byte("\r\n")
	default:
		c.failure = &violation{tag: s.tag, text: "Misplaced literal"}
	}
}

func (c *Conn) await() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaiting, c.silent = true, c.scan.silent
	c.continued, c.answered = false, false
}

// violation is what the peer did that cannot be gone on from.
type violation struct {
	tag, text string
}

func (c *Conn) violate(v violation) error {
	c.failure = &v
	return c.fail()
}

// fail answers a violation and hangs up.
func (c *Conn) fail() error {
	v := c.failure
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return io.EOF
	}
	if v.tag != "" {
		c.append([]byte(v.tag + " BAD " + v.text + "\r\n"))
	}
	c.append([]byte("* BYE " + v.text + "\r\n"))
	_ = c.flush()
	c.closed = true // the library's own words on it are not wanted
	c.linger()
	_ = c.inner.Close()
	return io.EOF
}

// linger reads on for a moment, lest closing with bytes unread should reset the connection and take the goodbye with it.
func (c *Conn) linger() {
	if half, ok := c.inner.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.inner.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c.inner, 256*1024)
	}
}
