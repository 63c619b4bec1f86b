package receive

import (
	"context"
	"errors"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
)

// submission is a session that can log in: user is an inbox address, password an API key (RFC 4954, RFC 6409).
type submission struct{ *session }

var _ gosmtp.AuthSession = (*submission)(nil)

// mayAuth tells whether a password can be said here: under TLS, or to a peer on this very machine.
func (x *submission) mayAuth() bool {
	_, secret := x.g.TLSConnectionState()
	return secret || x.c.ip.IsLoopback()
}

// AuthMechanisms implements gosmtp.AuthSession.
func (x *submission) AuthMechanisms() []string {
	if !x.mayAuth() {
		return nil
	}
	return []string{sasl.Plain, sasl.Login}
}

// Auth implements gosmtp.AuthSession.
func (x *submission) Auth(mechanism string) (sasl.Server, error) {
	if !x.mayAuth() {
		return nil, &gosmtp.SMTPError{Code: 538, EnhancedCode: gosmtp.EnhancedCode{5, 7, 11}, Message: "Encryption required: use STARTTLS first"}
	}
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, user, password string) error {
			if identity != "" && mail.CanonicalAddress(identity) != mail.CanonicalAddress(user) {
				return x.failed(mail.Errorf(mail.CodeUnauthenticated, "No inbox may act for another."))
			}
			return x.login(user, password)
		}), nil
	case sasl.Login:
		return &loginServer{login: x.login}, nil
	}
	return nil, &gosmtp.SMTPError{Code: 504, EnhancedCode: gosmtp.EnhancedCode{5, 5, 4}, Message: "Unknown mechanism"}
}

func (x *submission) login(user, password string) error {
	grant, inbox, err := x.s.o.Server.Login(x.ctx, user, password, mail.MessageSend)
	if err != nil {
		return x.failed(err)
	}
	x.mu.Lock()
	x.grant = &grant
	x.mu.Unlock()
	x.log.Info("logged in", "inbox", inbox.Address)
	return nil
}

// failed makes guessing slow, and hangs up on who goes on.
func (x *submission) failed(err error) error {
	code := mail.CodeOf(err)
	if code != mail.CodeUnauthenticated && code != mail.CodeForbidden {
		return x.reply(err)
	}
	x.loginFailures++
	x.log.Warn("login failed", "failures", x.loginFailures)
	ctx, cancel := context.WithTimeout(x.ctx, x.s.o.FailureDelay<<(x.loginFailures-1))
	<-ctx.Done()
	cancel()
	if x.loginFailures >= x.s.o.MaxLoginFailures {
		x.hangUp()
		return &gosmtp.SMTPError{Code: 421, EnhancedCode: gosmtp.EnhancedCode{4, 7, 0}, Message: "Too many failed logins"}
	}
	return &gosmtp.SMTPError{Code: 535, EnhancedCode: gosmtp.EnhancedCode{5, 7, 8}, Message: "Authentication failed: user is the inbox's address, password an API key with message_send"}
}

// loginServer is the LOGIN mechanism, which old clients speak and go-sasl has for clients only
// (draft-murchison-sasl-login).
type loginServer struct {
	login func(user, password string) error
	step  int
	user  string
}

// Next implements sasl.Server.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	if l.step == 1 && response != nil { // the user came with the command
		l.step++
	}
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	case 3:
		return nil, true, l.login(l.user, string(response))
	}
	return nil, false, errors.New("unexpected response")
}
