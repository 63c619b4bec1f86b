package wire

import (
	"bytes"
	"net"
	"time"
)

const (
	outSize   = 16 * 1024
	writeSize = 32 * 1024 // at most so much under one deadline
)

// Write takes the library's responses. They are gathered, and sent when the buffer is full or the peer is waited for:
// the library flushes after every line, which would be a packet each.
func (c *Conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	n := len(p)
	if n == 0 {
		return 0, nil
	}
	startsLine := !c.midLine
	c.midLine = p[n-1] != '\n'
	if startsLine {
		if p = c.listen(p); p == nil {
			return n, nil
		}
	}
	if err := c.gather(p); err != nil {
		return 0, err
	}
	return n, nil
}

// listen notes what a line of the library means for the framing, and returns what is to be sent of it.
func (c *Conn) listen(p []byte) []byte {
	if c.skipGreeting {
		c.skipGreeting = false // RFC 9051 6.2.1: no second greeting after STARTTLS
		return nil
	}
	if c.replaying > 0 {
		if bytes.HasPrefix(p, []byte(ReplayTag+" ")) {
			c.replaying--
		}
		return nil
	}
	switch {
	case bytes.HasPrefix(p, []byte("+ ")):
		if !c.awaiting {
			c.prompted = true
			return p
		}
		c.continued = true
		if c.silent {
			return nil
		}
	case c.awaiting && !bytes.HasPrefix(p, []byte("* ")):
		c.answered = true
	}
	return c.correct(p)
}

// correct puts right what the library cannot be told: capabilities that it does not know, and syntax errors that it
// reports as faults of the server (its own errors that are not of a type it expects; ours never use that text).
func (c *Conn) correct(p []byte) []byte {
	if bug := []byte(" NO [SERVERBUG] Internal server error\r\n"); bytes.HasSuffix(p, bug) {
		return append(bytes.Clone(p[:len(p)-len(bug)]), " BAD [CLIENTBUG] Syntax error\r\n"...)
	}
	if !c.greeted {
		c.greeted = true
		p = bytes.Replace(p, []byte("] IMAP server ready\r\n"), []byte("] "+c.opts.Greeting+"\r\n"), 1)
	}
	_, line, _ := bytes.Cut(p, []byte(" "))
	line, _ = bytes.CutPrefix(line, []byte("OK ["))
	const announce = "CAPABILITY "
	if len(c.opts.Capabilities) == 0 || !bytes.HasPrefix(line, []byte(announce)) {
		return p
	}
	at := len(p) - len(line) + len(announce)
	at += bytes.IndexAny(p[at:], " ]\r") // after the first: the protocol's version leads
	out := bytes.Clone(p[:at])
	for _, name := range c.opts.Capabilities {
		out = append(append(out, ' '), name...)
	}
	return append(out, p[at:]...)
}

// WriteNow sends whole responses, after what waits to be sent. p is not kept.
func (c *Conn) WriteNow(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if len(p) <= outSize {
		if err := c.gather(p); err != nil {
			return err
		}
		return c.flush()
	}
	if err := c.flush(); err != nil {
		return err
	}
	return c.send(p)
}

// Gather adds whole responses to what waits to be sent.
func (c *Conn) Gather(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.gather(p)
}

func (c *Conn) gather(p []byte) error {
	if len(p) == 0 {
		return nil // or an idle connection would hold a buffer for it
	}
	if len(c.out)+len(p) > outSize {
		if err := c.flush(); err != nil {
			return err
		}
		if len(p) > outSize {
			return c.send(p)
		}
	}
	c.append(p)
	return nil
}

func (c *Conn) append(p []byte) {
	if c.out == nil {
		c.out = *c.pool.Get().(*[]byte)
	}
	c.out = append(c.out, p...)
}

// flush sends what waits, and gives the buffer back: an idle connection holds none.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.send(c.out)
	c.drop()
	return err
}

func (c *Conn) drop() {
	if c.out != nil {
		b := c.out[:0]
		c.out = nil
		if cap(b) == outSize {
			c.pool.Put(&b)
		}
	}
}

// send writes p in pieces, each with its own deadline, so that a slow peer gets a long answer and a dead one does not
// hold it for ever.
func (c *Conn) send(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), writeSize)
		_ = c.inner.SetWriteDeadline(time.Now().Add(c.opts.Write))
		if _, err := c.inner.Write(p[:n]); err != nil {
			// Half a response may be out: nothing that follows would be understood.
			c.closed = true
			c.drop()
			_ = c.raw.Close()
			return err
		}
		p = p[n:]
	}
	return nil
}
