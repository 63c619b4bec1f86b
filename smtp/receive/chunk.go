package receive

import (
	"errors"
	"io"

	"podmail/smtp/wire"
)

// chunk is BDAT (RFC 3030): a message in chunks of known sizes.
func (x *session) chunk(argument string) *wire.Reply {
	size, last, err := wire.ParseChunk(argument)
	if err != nil { // nobody knows how much follows
		return x.hangUp(501, "5.5.4", "Say BDAT size, or BDAT size LAST")
	}
	c := &chunks{x: x, left: size, last: last}
	if x.mail == nil || len(x.mail.in.Recipients) == 0 { // the chunk follows all the same
		if size > x.s.o.Server.MaxMessageSize() {
			return x.hangUp(503, "5.5.1", "No recipient was accepted")
		}
		x.c.beginBody()
		defer x.c.endBody()
		if _, err := io.Copy(io.Discard, rest{c}); err != nil {
			x.over = true
		}
		return wire.NewReply(503, "5.5.1", "No recipient was accepted")
	}
	reply := x.receive(c, rest{c})
	if c.pending != nil { // the message was given up
		x.over = false
		return x.obey(*c.pending)
	}
	return reply
}

// chunks reads a message that comes by BDAT, and asks for the next chunk when one is read.
type chunks struct {
	x       *session
	left    int64
	last    bool
	pending *wire.Command // that came instead of a chunk
}

// errGivenUp tells of a message that the peer did not go on with.
var errGivenUp = errors.New("the message was given up")

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.last {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.x.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next acknowledges a chunk and waits for the next.
func (c *chunks) next() error {
	c.x.send(wire.NewReply(250, "2.0.0", "Go on"))
	for {
		command, err := c.x.readCommand()
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		switch command.Verb {
		case "BDAT":
			if c.left, c.last, err = wire.ParseChunk(command.Argument); err != nil {
				return err
			}
			return nil
		case "NOOP":
			c.x.send(wire.NewReply(250, "2.0.0", "OK"))
		case "RSET", "QUIT", "EHLO", "HELO":
			c.pending = &command
			return errGivenUp
		default:
			c.x.send(c.x.counted(wire.NewReply(503, "5.5.1", "A message is coming in chunks: send the next, or RSET")))
			if c.x.over {
				return errGivenUp
			}
		}
	}
}

// rest reads what is left of the current chunk, and asks for no other.
type rest struct{ c *chunks }

// Read implements io.Reader.
func (r rest) Read(p []byte) (int, error) {
	if r.c.left == 0 {
		return 0, io.EOF
	}
	return r.c.Read(p)
}
