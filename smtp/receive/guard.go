package receive

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"

	"podmail/mail"
	"podmail/smtp/wire"
)

const (
	// maxCommandLine bounds a command (RFC 5321 4.5.3.1.4, with room for AUTH's response, RFC 4954 4).
	maxCommandLine = 12 << 10
	// readBuffer holds a body's line at least in part; see wire.Data.
	readBuffer = 8 << 10
	// maxIdleCommands is how many commands may come without a message between them, refused or not: an honest peer
	// has no use for so many NOOPs.
	maxIdleCommands = 200
)

// guard is what go-smtp is served in the place of a connection. It lies above TLS, so that it sees every command and every
// reply: go-smtp reads from it one command at a time, then the body or the chunk that belongs to it and not a byte more,
// and what it answers goes through answered. All but Data of a message in chunks runs on one goroutine.
type guard struct {
	net.Conn // conn, or TLS over it
	s        *Server
	c        *conn
	role     Role
	queue    *queue // where go-smtp gets it from
	ctx      context.Context
	log      *slog.Logger
	r        *bufio.Reader
	w        *bufio.Writer
	session  *session // nil before EHLO or HELO
	extended bool     // it was EHLO

	feed      []byte     // for go-smtp: a line of which it has not read this yet
	asked     bool       // the next line answers a challenge
	data      *wire.Data // the body that follows DATA; nil: none
	chunk     chunk      // what follows BDAT
	receiving bool       // a body follows DATA, or has
	err       error      // of the stream: nothing more comes

	verb   string // of the command that go-smtp answers; empty: it greets
	path   path   // of MAIL and RCPT
	said   []byte // by go-smtp, less than a line
	lines  []string
	silent bool // the next reply is not for the peer

	unheard string // trace id of the last message that was accepted, while the peer may not know; see server.Heard
	reads   int    // from the connection
	since   int    // reads before that message was answered

	refused  int // commands that were
	idle     int // commands since the last message
	failures int // logins that failed
	over     bool
	upgraded bool // TLS has begun: go-smtp's session is over, another follows
	gone     bool
}

func newGuard(s *Server, c *conn, role Role, q *queue) *guard {
	g := &guard{Conn: c, s: s, c: c, role: role, queue: q, ctx: mail.WithTrace(context.Background(), c.trace), log: s.o.Log.With("trace", c.trace, "remote", c.remote.Addr())}
	g.r, g.w = bufio.NewReaderSize(source{g}, readBuffer), bufio.NewWriterSize(c, 1<<10)
	return g
}

// source is where a guard reads from: it sends what was answered before it waits for more, so that the answers to
// commands that came together leave together (RFC 2920 3.2).
type source struct{ g *guard }

// Read implements io.Reader.
func (s source) Read(p []byte) (int, error) {
	if err := s.g.w.Flush(); err != nil {
		return 0, err
	}
	n, err := s.g.Conn.Read(p)
	if n > 0 {
		s.g.reads++
	}
	return n, err
}

// Read implements net.Conn for go-smtp. Once the stream is broken it gives no further byte, so that the rest of a body is
// never taken for commands, and never EOF in a body, which go-smtp would take for its end.
func (g *guard) Read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil { // go-smtp looks out for panics in commands only
			g.s.broke(g.c, r)
			n, err, g.over = 0, io.ErrUnexpectedEOF, true
		}
	}()
	for {
		switch {
		case g.over || g.upgraded:
			return 0, io.EOF
		case g.err != nil:
			return 0, g.err
		case len(g.feed) > 0:
			n = copy(p, g.feed)
			g.feed = g.feed[n:]
			return n, nil
		case g.data != nil:
			n, err = g.data.Read(p)
			if err == io.EOF { // the next command follows
				g.data = nil
				continue
			}
			return n, g.cutOff(err)
		case g.chunk.left > 0:
			return g.readChunk(p)
		}
		g.next()
	}
}

// next reads a line, and leaves it for go-smtp or answers it.
func (g *guard) next() {
	if !g.chunk.pending {
		g.c.expect(g.s.o.CommandTime)
	}
	line, err := wire.ReadLine(g.r, maxCommandLine)
	if err == nil && g.unheard != "" && g.reads > g.since { // it came after our answer, not with the message
		g.s.o.Server.Heard(g.unheard)
		g.unheard = ""
	}
	switch {
	case g.asked && err == nil:
		g.asked, g.feed = false, []byte(line+"\r\n")
	case errors.Is(err, wire.ErrBareLineBreak) && !g.asked: // which no verb is
		g.obey(wire.Command{})
	case err != nil:
		g.farewell(err)
	default:
		g.obey(wire.ParseCommand(line))
	}
}

// obey judges a command.
func (g *guard) obey(c wire.Command) {
	g.verb = c.Verb
	if reply := g.judge(c); reply != nil {
		g.answer(reply)
	}
}

// farewell ends the session. Of time that is over go-smtp tells the peer.
func (g *guard) farewell(err error) {
	switch {
	case errors.Is(err, errClosing):
		g.verb, g.err = "", io.EOF
		g.answer(wire.NewReply(421, "4.3.2", g.s.o.Hostname+" is shutting down"))
	case errors.Is(err, os.ErrDeadlineExceeded):
		g.verb, g.err = "", os.ErrDeadlineExceeded
	case errors.Is(err, wire.ErrLongLine):
		g.verb, g.err = "", io.EOF
		g.answer(wire.NewReply(421, "4.7.0", "The line is too long, goodbye"))
	default:
		g.log.Debug("smtp connection", "error", err)
		g.err = io.EOF
	}
}

// cutOff breaks the stream within a body.
func (g *guard) cutOff(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	g.err = err
	return err
}

// hangUp ends the session with a last word.
func (g *guard) hangUp(code int, status, text string) *wire.Reply {
	g.over = true
	return wire.NewReply(code, status, text)
}

// Close implements net.Conn. Of a session that goes on under TLS only go-smtp's part is over.
func (g *guard) Close() error {
	if g.gone {
		return net.ErrClosed
	}
	err := g.w.Flush() // the peer may be gone
	if g.upgraded {
		g.upgraded = false
		if g.queue.put(g) { // it is another goroutine's from here on
			return nil
		}
	}
	g.gone, g.over = true, true
	err = errors.Join(err, g.Conn.Close())
	g.s.leave(g.c)
	return err
}
