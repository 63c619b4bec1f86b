package receive

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/scram"
	"podmail/smtp/wire"
)

// The mechanisms that AUTH takes. User is an inbox address, password an API key (RFC 4954, RFC 6409).
const (
	plain     = "PLAIN"
	login     = "LOGIN"
	scramSHA  = "SCRAM-SHA-256"
	scramPlus = "SCRAM-SHA-256-PLUS"
)

// maxFailures is how many logins may fail on one connection.
const maxFailures = 3

// mechanisms are those that can be used here. A password can be said under TLS, or to this very machine; that one knows it
// can be proved everywhere.
func (x *session) mechanisms() string {
	_, secret := x.tlsState()
	switch {
	case secret && len(x.bindings()) > 0:
		return strings.Join([]string{scramPlus, scramSHA, plain, login}, " ")
	case secret || x.c.remote.Addr().IsLoopback():
		return strings.Join([]string{scramSHA, plain, login}, " ")
	}
	return "" // RFC 6409 would allow SCRAM; but what follows it could be read and changed by anybody
}

// errCancelled tells that the client gave an exchange up; errBase64 that it said what is none.
var (
	errCancelled = wire.NewReply(501, "5.7.0", "Authentication cancelled")
	errBase64    = wire.NewReply(501, "5.5.2", "That is no base64")
)

// authenticate is AUTH.
func (x *session) authenticate(argument string) *wire.Reply {
	mechanism, initial, _ := strings.Cut(argument, " ")
	mechanism = strings.ToUpper(mechanism)
	switch offered := x.mechanisms(); {
	case x.role == MX:
		return wire.NewReply(502, "5.5.1", "Nobody logs in here")
	case !x.extended:
		return wire.NewReply(503, "5.5.1", "Say EHLO first")
	case x.grant != nil || x.mail != nil:
		return wire.NewReply(503, "5.5.1", "Too late: a login comes once, and before a message")
	case offered == "":
		return wire.NewReply(538, "5.7.11", "Encryption required: use STARTTLS first")
	case mechanism == "" || !strings.Contains(" "+offered+" ", " "+mechanism+" "):
		return wire.NewReply(504, "5.5.4", "Unknown mechanism: there are "+offered)
	case !x.s.guesses.mayTry(x.c.remote.Addr()):
		x.s.metrics.logins.WithLabelValues(mechanism, "not_looked_at").Inc()
		return x.hangUp(421, "4.7.0", "Too many failed logins from your address, try again in an hour")
	}
	l := &exchange{x: x, initial: initial}
	var err error
	switch mechanism {
	case plain:
		err = l.plain()
	case login:
		err = l.login()
	default:
		err = l.scram(mechanism == scramPlus)
	}
	return x.settleLogin(mechanism, l, err)
}

// settleLogin answers a login, makes guessing slow, and hangs up on who goes on.
func (x *session) settleLogin(mechanism string, l *exchange, err error) *wire.Reply {
	if err == nil {
		x.grant = &l.grant
		x.log.Info("logged in", "inbox", l.grant.InboxID, "mechanism", mechanism)
		x.s.metrics.logins.WithLabelValues(mechanism, "accepted").Inc()
		return wire.NewReply(235, "2.7.0", "Welcome")
	}
	if l.broken != nil {
		x.over = true
		x.farewell(l.broken)
		return nil
	}
	if code := mail.CodeOf(err); code != mail.CodeUnauthenticated && code != mail.CodeForbidden {
		return x.reply(err)
	}
	x.failures++
	delay := x.s.guesses.fail(x.c.remote.Addr(), l.user)
	x.s.metrics.logins.WithLabelValues(mechanism, "failed").Inc()
	x.log.Warn("login failed", "user", l.user, "mechanism", mechanism, "failures", x.failures, "delay", delay)
	select {
	case <-time.After(delay):
	case <-x.s.stop:
	}
	if x.failures >= maxFailures {
		return x.hangUp(421, "4.7.0", "Too many failed logins")
	}
	return wire.NewReply(535, "5.7.8", "Authentication failed: user is the inbox's address, password an API key with message_send")
}

// exchange is one login.
type exchange struct {
	x       *session
	initial string // what came with the command, in base64; empty: nothing
	user    string
	grant   mail.Grant
	broken  error // of the connection
}

// ask sends a challenge and reads the response. One that came with the command answers the first challenge, if that is
// empty.
func (l *exchange) ask(challenge string) (string, error) {
	text := l.initial
	if l.initial = ""; text == "=" {
		return "", nil // RFC 4954 4
	} else if text == "" {
		l.x.send(&wire.Reply{Code: 334, Lines: []string{base64.StdEncoding.EncodeToString([]byte(challenge))}})
		l.x.c.expect(l.x.s.o.CommandTime)
		var err error
		if text, err = wire.ReadLine(l.x.r, maxCommandLine); err != nil {
			l.broken = err
			return "", err
		}
	}
	if text == "*" {
		return "", errCancelled
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", errBase64
	}
	return string(b), nil
}

// plain is RFC 4616.
func (l *exchange) plain() error {
	response, err := l.ask("")
	if err != nil {
		return err
	}
	parts := strings.Split(response, "\x00")
	if len(parts) != 3 {
		return wire.NewReply(501, "5.5.2", "That is no PLAIN response")
	}
	l.user = parts[1]
	if err := l.alone(parts[0]); err != nil {
		return err
	}
	return l.password(parts[2])
}

// login is what old clients speak (draft-murchison-sasl-login).
func (l *exchange) login() (err error) {
	if l.user, err = l.ask("Username:"); err != nil {
		return err
	}
	password, err := l.ask("Password:")
	if err != nil {
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
	l.grant, _, err = l.x.s.o.Server.Login(l.x.ctx, l.user, password, mail.MessageSend)
	return err
}

// scram is RFC 5802 with SHA-256 (RFC 7677), its channel bound to TLS if plus.
func (l *exchange) scram(plus bool) error {
	first, err := l.ask("")
	if err != nil {
		return err
	}
	c := &scram.Conversation{}
	challenge, err := c.First(first, plus, l.x.bindings(), l.x.s.o.Server.SCRAMSalt(), rand.Text())
	if l.user = c.User; err != nil {
		return scramError(err)
	}
	final, err := l.ask(challenge)
	if err != nil {
		return err
	}
	if err := c.Final(final); err != nil {
		return scramError(err)
	}
	if err := l.alone(c.As); err != nil {
		return err
	}
	grant, _, verifier, err := l.x.s.o.Server.LoginByProof(l.x.ctx, l.user, c.Proves, mail.MessageSend)
	if err != nil {
		return err
	}
	if _, err := l.ask(c.Success(verifier)); err != nil { // the client is satisfied
		return err
	}
	l.grant = grant
	return nil
}

// scramError tells what is badly said from what is not true.
func scramError(err error) error {
	if errors.Is(err, scram.ErrBinding) {
		return mail.Errorf(mail.CodeUnauthenticated, "The channel is not bound as it must be.")
	}
	return wire.NewReply(501, "5.5.2", "That is no SCRAM message")
}

// bindings are what TLS can be bound to (RFC 9266). Without TLS 1.3 or the extended master secret there is none that is
// unique.
func (x *session) bindings() []scram.Binding {
	state, secret := x.tlsState()
	if !secret {
		return nil
	}
	exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil
	}
	return []scram.Binding{{Name: "tls-exporter", Data: exported}}
}
