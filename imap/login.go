package imap

import (
	"math"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/mail"
)

// Login implements imapserver.Session, for LOGIN and AUTHENTICATE PLAIN (RFC 9051 6.2.2, 6.2.3): the user is an inbox's
// address, the password an API key.
func (a *adapter) Login(user, password string) error {
	inbox, err := a.session.Login(user, password)
	if err == nil {
		a.conn.SetAuthenticated()
		a.loggedIn = true
		a.log = a.log.With("inbox", inbox.Address)
		a.log.Info("imap: logged in", "tls", a.conn.TLS())
		return nil
	}
	code := mail.CodeOf(err)
	if code != mail.CodeUnauthenticated && code != mail.CodeForbidden {
		return a.status("LOGIN", err)
	}
	a.failures++
	a.log.Warn("imap: login failed", "user", user, "code", code, "failures", a.failures)
	a.sleep(a.server.options.FailureDelay << (a.failures - 1))
	if a.failures >= a.server.options.MaxLoginFailures {
		a.conn.ByeAfter("Too many failed logins")
	}
	if code == mail.CodeForbidden {
		return &goimap.Error{
			Type: goimap.StatusResponseTypeNo, Code: goimap.ResponseCodeAuthorizationFailed,
			Text: "This API key may not read messages",
		}
	}
	return imapserver.ErrAuthFailed
}

// AppendLimit implements imapserver.SessionAppendLimit (RFC 7889).
func (a *adapter) AppendLimit() uint32 {
	return uint32(min(a.server.options.Server.MaxMessageSize(), math.MaxUint32))
}
