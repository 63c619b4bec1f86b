package receive

import (
	"fmt"
	"time"

	"podmail/server"
	"podmail/smtp/wire"
)

// hello is EHLO and HELO. What had begun is forgotten (RFC 5321 4.1.4).
func (x *session) hello(c wire.Command) *wire.Reply {
	if !wire.ValidHello(c.Argument) {
		return wire.NewReply(501, "5.5.4", "Say "+c.Verb+" with the name of your host")
	}
	x.mail, x.helo, x.extended = nil, c.Argument, c.Verb == "EHLO"
	if !x.extended {
		return &wire.Reply{Code: 250, Lines: []string{x.s.o.Hostname}}
	}
	return &wire.Reply{Code: 250, Lines: append([]string{x.s.o.Hostname}, x.extensions()...)}
}

// extensions are what EHLO announces. Left out on purpose: BINARYMIME (RFC 3030), since a body that is no lines could be
// read by no IMAP client; and, from other servers, DSN (RFC 3461): mail that comes in ends here, so the sender's server
// itself reports that it was relayed to one that reports no more.
func (x *session) extensions() []string {
	out := []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING",
		fmt.Sprint("SIZE ", x.s.o.Server.MaxMessageSize()),
		fmt.Sprint("LIMITS RCPTMAX=", x.s.o.MaxRecipients)} // RFC 9422
	if _, secret := x.tlsState(); secret {
		out = append(out, "REQUIRETLS") // RFC 8689
	} else if x.s.o.TLSConfig != nil {
		out = append(out, "STARTTLS")
	}
	if x.role == MX {
		return out
	}
	until := x.s.o.Clock.Now().Add(server.MaxHold).UTC().Format(time.RFC3339)
	out = append(out, "DSN", fmt.Sprint("FUTURERELEASE ", int64(server.MaxHold/time.Second), " ", until))
	if mechanisms := x.mechanisms(); mechanisms != "" {
		out = append(out, "AUTH "+mechanisms)
	}
	return out
}
