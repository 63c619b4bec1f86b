package receive

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
	"podmail/server"
)

// session is go-smtp's session, from the first EHLO or HELO to the end of the connection or to STARTTLS. Of its methods
// go-smtp calls one at a time, but for Data of a message in chunks, which runs beside them.
type session struct {
	s       *Server
	g       *guard
	library *gosmtp.Conn
	grant   *mail.Grant
	mail    *transaction // nil: no message has begun
}

var _ gosmtp.AuthSession = (*session)(nil)

// transaction is a message on its way in: what its envelope says so far.
type transaction struct {
	utf8     bool
	in       server.Incoming
	progress *progress
}

func newSession(c *gosmtp.Conn) (gosmtp.Session, error) {
	g := c.Conn().(*guard)
	g.session = &session{s: g.s, g: g, library: c}
	return g.session, nil
}

// Reset implements gosmtp.Session. A message in chunks is given up.
func (x *session) Reset() {
	if x.mail != nil {
		x.mail.progress.ended()
		x.mail = nil
	}
}

// Logout implements gosmtp.Session.
func (x *session) Logout() error {
	x.Reset()
	return nil
}

// peer is what the Received field tells of this session.
func (x *session) peer(utf8 bool) server.Session {
	p := server.Session{HELO: x.library.Hostname(), Remote: x.g.c.remote, Protocol: "SMTP"}
	if x.g.extended {
		p.Protocol = "ESMTP"
	}
	if utf8 {
		p.Protocol = "UTF8SMTP" // RFC 6531 4.3
	}
	if state, ok := x.g.tlsState(); ok {
		p.Protocol += "S" // RFC 3848
		p.TLS = tls.VersionName(state.Version) + " " + tls.CipherSuiteName(state.CipherSuite)
	}
	if x.grant != nil {
		p.Protocol += "A"
	}
	return p
}

// errorLog takes go-smtp's complaints: its panics, and connections that broke.
type errorLog struct{ log *slog.Logger }

// Printf implements gosmtp.Logger.
func (l errorLog) Printf(format string, v ...any) {
	if text := fmt.Sprintf(format, v...); strings.HasPrefix(text, "panic") {
		l.log.Error("smtp session broke", "detail", text)
	} else {
		l.log.Debug("smtp connection", "detail", text)
	}
}

// Println implements gosmtp.Logger.
func (l errorLog) Println(v ...any) { l.Printf("%s", fmt.Sprintln(v...)) }
