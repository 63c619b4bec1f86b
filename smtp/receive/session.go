package receive

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/netip"
	"sync"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
	"podmail/server"
)

// session is one SMTP session from its EHLO on.
type session struct {
	s    *Server
	c    *conn
	g    *gosmtp.Conn
	role Role
	ctx  context.Context
	log  *slog.Logger

	errors        int // refused senders and recipients
	loginFailures int

	mu         sync.Mutex // BDAT reads the body on a goroutine of its own
	grant      *mail.Grant
	from       *string // nil: no message has begun
	recipients []string
	inboxes    []mail.Inbox // of the recipients, at the MX
}

func (s *Server) newSession(g *gosmtp.Conn, role Role) (gosmtp.Session, error) {
	c := guardOf(g)
	return s.wrap(&session{s: s, c: c, g: g, role: role, ctx: mail.WithTrace(context.Background(), c.trace),
		log: s.o.Log.With("trace", c.trace, "remote", c.ip)}), nil
}

// wrap gives submission sessions AUTH; the MX offers none.
func (s *Server) wrap(x *session) gosmtp.Session {
	if x.role == Submission {
		return &submission{x}
	}
	return x
}

// guardOf finds the guard below go-smtp's connection.
func guardOf(g *gosmtp.Conn) *conn {
	n := g.Conn()
	t, secret := n.(*tls.Conn)
	if secret {
		n = t.NetConn()
	}
	guard := n.(*conn)
	guard.mu.Lock()
	defer guard.mu.Unlock()
	guard.secret = secret // since STARTTLS, it may be
	return guard
}

// Mail implements gosmtp.Session.
func (x *session) Mail(from string, _ *gosmtp.MailOptions) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.from != nil { // go-smtp would take it for a new message (RFC 5321 4.1.4)
		return &gosmtp.SMTPError{Code: 503, EnhancedCode: gosmtp.EnhancedCode{5, 5, 1}, Message: "A message has begun already: send RSET first"}
	}
	if x.role == Submission {
		if x.grant == nil {
			return &gosmtp.SMTPError{Code: 530, EnhancedCode: gosmtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
		}
		if err := x.s.o.Server.MaySend(x.ctx, *x.grant, from); err != nil {
			return x.refused(err)
		}
	}
	x.c.begin()
	x.from = &from
	return nil
}

// Rcpt implements gosmtp.Session.
func (x *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, _, ok := mail.SplitAddress(to); !ok {
		return x.refused(mail.Errorf(mail.CodeNotFound, "%s is no address", to))
	}
	if x.role == MX {
		inbox, err := x.s.o.Server.Recipient(x.ctx, to)
		if err != nil {
			return x.refused(err)
		}
		x.inboxes = append(x.inboxes, inbox)
	}
	x.recipients = append(x.recipients, to)
	return nil
}

// refused turns an error into a reply and hangs up on who collects too many.
func (x *session) refused(err error) error {
	if x.errors++; x.errors > x.s.o.MaxErrors {
		defer x.hangUp()
		x.log.Warn("hung up: too many refused addresses")
		return &gosmtp.SMTPError{Code: 421, EnhancedCode: gosmtp.EnhancedCode{4, 7, 0}, Message: "Too many errors"}
	}
	return x.reply(err)
}

// hangUp ends the connection once the reply that is being made has left.
func (x *session) hangUp() {
	x.c.mu.Lock()
	defer x.c.mu.Unlock()
	x.c.closing = true
}

// Data implements gosmtp.Session: it returns when the message is stored and synced, or refused.
func (x *session) Data(r io.Reader) error {
	x.mu.Lock()
	in := server.Incoming{Session: x.peer(), Recipients: x.recipients, Inboxes: x.inboxes}
	if x.from != nil {
		in.ReversePath = *x.from
	}
	grant := x.grant
	x.mu.Unlock()
	b := &body{r: r, c: x.c}
	in.Body = b
	x.c.beginBody()
	defer x.c.endBody()
	id := newTrace()
	ctx := mail.WithTrace(x.ctx, id)
	var err error
	if x.role == Submission {
		_, err = x.s.o.Server.Submit(ctx, *grant, in)
	} else {
		err = x.s.o.Server.Deliver(ctx, in)
	}
	if err != nil {
		return x.reply(err)
	}
	return &gosmtp.SMTPError{Code: 250, EnhancedCode: gosmtp.EnhancedCode{2, 0, 0}, Message: "OK: queued as " + id}
}

// peer is what the Received field tells of this session.
func (x *session) peer() server.Session {
	p := server.Session{HELO: x.g.Hostname(), Protocol: "ESMTP"}
	if ap, err := netip.ParseAddrPort(x.c.RemoteAddr().String()); err == nil {
		p.Remote = ap
	}
	if state, ok := x.g.TLSConnectionState(); ok {
		p.Protocol += "S"
		p.TLS = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	if x.grant != nil {
		p.Protocol += "A" // RFC 3848
		if p.TLS != "" {
			p.Protocol = "ESMTPSA"
		}
	}
	return p
}

// Reset implements gosmtp.Session.
func (x *session) Reset() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.from, x.recipients, x.inboxes = nil, nil, nil
}

// Logout implements gosmtp.Session.
func (x *session) Logout() error { return nil }
