package receive

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"podmail/mail"
	"podmail/server"
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
	// handshakeTime is how long a TLS handshake may take.
	handshakeTime = time.Minute
)

// session is one SMTP session, from the greeting on.
type session struct {
	s      *Server
	c      *conn
	role   Role
	ctx    context.Context
	log    *slog.Logger
	stream net.Conn // c, or TLS over it
	r      *bufio.Reader
	w      *bufio.Writer

	helo     string // what the peer calls itself; empty before EHLO or HELO
	extended bool   // it said EHLO
	grant    *mail.Grant
	mail     *transaction // nil: no message has begun

	unheard string // trace id of the last message that was accepted, while the peer may not know; see server.Heard
	reads   int    // from the connection
	since   int    // reads before that message was answered

	refused  int // commands that were
	idle     int // commands since the last message
	failures int // logins that failed
	over     bool
}

// transaction is a message on its way in: what its envelope says so far.
type transaction struct {
	utf8 bool
	size int64 // as announced; 0: not
	in   server.Incoming
}

func newSession(s *Server, c *conn, role Role) *session {
	x := &session{s: s, c: c, role: role, stream: c, ctx: mail.WithTrace(context.Background(), c.trace), log: s.o.Log.With("trace", c.trace, "remote", c.remote.Addr())}
	x.r, x.w = bufio.NewReaderSize(source{x}, readBuffer), bufio.NewWriterSize(c, 1<<10)
	return x
}

// run speaks with the peer until either side ends it.
func (x *session) run() {
	x.c.expect(x.s.o.CommandTime)
	if x.role == SubmissionTLS && !x.handshake() {
		return
	}
	x.send(&wire.Reply{Code: 220, Lines: []string{x.s.o.Hostname + " ESMTP Podmail"}})
	for !x.over {
		command, err := x.readCommand()
		if err != nil {
			x.farewell(err)
			break
		}
		if reply := x.obey(command); reply != nil {
			x.send(x.counted(reply))
		}
	}
	x.w.Flush() // the peer may be gone
	x.stream.Close()
}

// readCommand waits for the next command.
func (x *session) readCommand() (wire.Command, error) {
	x.c.expect(x.s.o.CommandTime)
	line, err := wire.ReadLine(x.r, maxCommandLine)
	if err == nil && x.unheard != "" && x.reads > x.since { // it came after our answer, not with the message
		x.s.o.Server.Heard(x.unheard)
		x.unheard = ""
	}
	if errors.Is(err, wire.ErrBareLineBreak) {
		return wire.Command{}, nil // which no verb is
	}
	return wire.ParseCommand(line), err
}

// obey carries out a command. A nil reply was given already.
func (x *session) obey(c wire.Command) *wire.Reply {
	if x.idle++; x.idle > maxIdleCommands {
		return x.hangUp(421, "4.7.0", "Too many commands without a message")
	}
	switch c.Verb {
	case "EHLO", "HELO":
		return x.hello(c)
	case "STARTTLS":
		return x.startTLS(c.Argument)
	case "AUTH":
		return x.authenticate(c.Argument)
	case "MAIL":
		return x.begin(c.Argument)
	case "RCPT":
		return x.countRecipient(x.recipient(c.Argument))
	case "DATA":
		return x.data(c.Argument)
	case "BDAT":
		return x.chunk(c.Argument)
	case "RSET":
		x.mail = nil
		return wire.NewReply(250, "2.0.0", "Forgotten")
	case "NOOP":
		return wire.NewReply(250, "2.0.0", "OK")
	case "VRFY":
		return wire.NewReply(252, "2.5.2", "Send mail there to find out")
	case "HELP":
		return wire.NewReply(214, "2.0.0", "RFC 5321 is spoken here")
	case "QUIT":
		x.over = true
		return wire.NewReply(221, "2.0.0", "Goodbye")
	case "EXPN", "TURN", "ETRN":
		return wire.NewReply(502, "5.5.1", "Not implemented")
	case "":
		return wire.NewReply(500, "5.5.2", "Commands are lines that end in CRLF")
	}
	return wire.NewReply(500, "5.5.1", "Unknown command")
}

// counted hangs up on who collects too many refusals.
func (x *session) counted(r *wire.Reply) *wire.Reply {
	if r.Code < 500 && r.Code != 421 || x.over {
		return r
	}
	if x.refused++; x.refused > x.s.o.MaxErrors {
		x.log.Warn("hung up: too many errors")
		return x.hangUp(421, "4.7.0", "Too many errors")
	}
	return r
}

// hangUp ends the session with a last word.
func (x *session) hangUp(code int, status, text string) *wire.Reply {
	x.over = true
	return wire.NewReply(code, status, text)
}

// send puts a reply on its way; it leaves before the session waits for more.
func (x *session) send(r *wire.Reply) {
	x.s.metrics.replies.WithLabelValues(x.role.String(), replyClass(r.Code)).Inc()
	if err := r.WriteTo(x.w); err != nil { // seen again when the next command is read
		x.log.Debug("reply did not leave", "error", err)
	}
}

// farewell tells the peer why the session ends, where it can still be told.
func (x *session) farewell(err error) {
	switch {
	case errors.Is(err, errClosing):
		x.send(wire.NewReply(421, "4.3.2", x.s.o.Hostname+" is shutting down"))
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.send(wire.NewReply(421, "4.4.2", "Waited too long, goodbye"))
	case errors.Is(err, wire.ErrLongLine):
		x.send(wire.NewReply(500, "5.5.2", "The line is too long, goodbye"))
	case !errors.Is(err, io.EOF):
		x.log.Debug("smtp connection", "error", err)
	}
}

// deliver hands a message over: it returns when the message is stored and synced, or refused.
func (x *session) deliver(b *body) (id string, err error) {
	in := x.mail.in
	in.Session, in.Body = x.peer(), b
	id = newTrace()
	ctx := mail.WithTrace(x.ctx, id)
	if x.role == MX {
		defer x.examined(ctx, &in)()
		err = x.s.o.Server.Deliver(ctx, in)
	} else {
		_, err = x.s.o.Server.Submit(ctx, *x.grant, in)
	}
	return id, err
}

// peer is what the Received field tells of this session.
func (x *session) peer() server.Session {
	p := server.Session{HELO: x.helo, Remote: x.c.remote, Protocol: "SMTP"}
	if x.extended {
		p.Protocol = "ESMTP"
	}
	if x.mail != nil && x.mail.utf8 {
		p.Protocol = "UTF8SMTP" // RFC 6531 4.3
	}
	if state, ok := x.tlsState(); ok {
		p.Protocol += "S" // RFC 3848
		p.TLS = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	if x.grant != nil {
		p.Protocol += "A"
	}
	return p
}

func (x *session) tlsState() (state tls.ConnectionState, ok bool) {
	t, ok := x.stream.(*tls.Conn)
	if ok {
		state = t.ConnectionState()
	}
	return state, ok
}
