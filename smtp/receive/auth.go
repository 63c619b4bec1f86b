package receive

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"podmail/mail"
	"podmail/mail/scram"
	"podmail/smtp/wire"
)

// The mechanisms beside go-sasl's.
const (
	scramSHA  = "SCRAM-SHA-256"
	scramPlus = "SCRAM-SHA-256-PLUS"
)

// maxFailures is how many logins may fail on one connection.
const maxFailures = 3

// AuthMechanisms implements gosmtp.AuthSession: those that can be used here. User is an inbox address, password an API key
// (RFC 4954, RFC 6409). A password can be said under TLS, or to this very machine; that one knows it can be proved
// everywhere.
func (x *session) AuthMechanisms() []string {
	_, secret := x.g.tlsState()
	switch {
	case x.g.role == MX:
		return nil
	case secret && len(x.bindings()) > 0:
		return []string{scramPlus, scramSHA, sasl.Plain, sasl.Login}
	case secret || x.g.c.remote.Addr().IsLoopback():
		return []string{scramSHA, sasl.Plain, sasl.Login}
	}
	return nil // RFC 6409 would allow SCRAM; but what follows it could be read and changed by anybody
}

// Auth implements gosmtp.AuthSession.
func (x *session) Auth(mechanism string) (sasl.Server, error) {
	switch offered := x.AuthMechanisms(); {
	case x.g.role == MX:
		return nil, asError(wire.NewReply(502, "5.5.1", "Nobody logs in here"))
	case !x.g.extended:
		return nil, asError(wire.NewReply(503, "5.5.1", "Say EHLO first"))
	case offered == nil:
		return nil, asError(wire.NewReply(538, "5.7.11", "Encryption required: use STARTTLS first"))
	case !slices.Contains(offered, mechanism):
		return nil, asError(wire.NewReply(504, "5.5.4", "Unknown mechanism: there are "+strings.Join(offered, " ")))
	case !x.s.guesses.mayTry(x.g.c.remote.Addr()):
		x.s.metrics.logins.WithLabelValues(mechanism, "not_looked_at").Inc()
		return nil, asError(x.g.hangUp(421, "4.7.0", "Too many failed logins from your address, try again in an hour"))
	}
	l := &exchange{x: x, mechanism: mechanism}
	switch mechanism {
	case sasl.Plain:
		l.Server = sasl.NewPlainServer(l.plain)
	case sasl.Login:
		l.Server = &loginServer{l: l}
	default:
		l.Server = &scramServer{l: l, plus: mechanism == scramPlus}
	}
	return l, nil
}

// exchange is one login, by a mechanism's steps.
type exchange struct {
	sasl.Server
	x         *session
	mechanism string
	user      string
	tried     bool // there was a password to look at
	grant     mail.Grant
}

// Next implements sasl.Server, and settles what came of the login.
func (l *exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	challenge, done, err = l.Server.Next(response)
	switch {
	case err != nil:
		return nil, false, asError(l.refused(err))
	case done:
		l.x.grant = &l.grant
		l.x.g.log.Info("logged in", "inbox", l.grant.InboxID, "mechanism", l.mechanism)
		l.x.s.metrics.logins.WithLabelValues(l.mechanism, "accepted").Inc()
	}
	return challenge, done, nil
}

// refused answers a login that failed, makes guessing slow, and hangs up on who goes on.
func (l *exchange) refused(err error) *wire.Reply {
	if l.mechanism == sasl.Plain && !l.tried {
		return wire.NewReply(501, "5.5.2", "That is no PLAIN response") // go-sasl's word for it would be an internal error
	}
	x := l.x
	code := mail.CodeOf(err)
	if _, said := errors.AsType[*wire.Reply](err); said || code != mail.CodeUnauthenticated && code != mail.CodeForbidden {
		return x.reply(err)
	}
	x.g.failures++
	delay := x.s.guesses.fail(x.g.c.remote.Addr(), l.user)
	x.s.metrics.logins.WithLabelValues(l.mechanism, "failed").Inc()
	x.g.log.Warn("login failed", "user", l.user, "mechanism", l.mechanism, "failures", x.g.failures, "delay", delay)
	select {
	case <-time.After(delay):
	case <-x.s.stop:
	}
	if x.g.failures >= maxFailures {
		return x.g.hangUp(421, "4.7.0", "Too many failed logins")
	}
	return wire.NewReply(535, "5.7.8", "Authentication failed: user is the inbox's address, password an API key with message_send")
}

// plain is RFC 4616.
func (l *exchange) plain(identity, user, password string) error {
	l.user, l.tried = user, true
	if err := l.alone(identity); err != nil {
		return err
	}
	return l.password(password)
}

// alone refuses to let one inbox act for another.
func (l *exchange) alone(identity string) error {
	if identity != "" && mail.CanonicalAddress(identity) != mail.CanonicalAddress(l.user) {
		return mail.Errorf(mail.CodeUnauthenticated, "No inbox may act for another.")
	}
	return nil
}

func (l *exchange) password(password string) (err error) {
	l.grant, _, err = l.x.s.o.Server.Login(l.x.g.ctx, l.user, password, mail.MessageSend)
	return err
}

// bindings are what TLS can be bound to (RFC 9266). Without TLS 1.3 or the extended master secret there is none that is
// unique.
func (x *session) bindings() []scram.Binding {
	state, secret := x.g.tlsState()
	if !secret {
		return nil
	}
	exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil
	}
	return []scram.Binding{{Name: "tls-exporter", Data: exported}}
}
