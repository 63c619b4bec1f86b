package receive

import (
	"strconv"
	"strings"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/wire"
)

// Mail implements gosmtp.Session: a message begins.
func (x *session) Mail(_ string, o *gosmtp.MailOptions) error { return asError(x.begin(x.g.path, o)) }

func (x *session) begin(said path, o *gosmtp.MailOptions) *wire.Reply {
	_, secret := x.g.tlsState()
	switch most := x.s.o.Server.MaxMessageSize(); {
	case x.mail != nil: // go-smtp would take it for a new message (RFC 5321 4.1.4)
		return wire.NewReply(503, "5.5.1", "A message has begun already: send RSET first")
	case x.g.role != MX && x.grant == nil:
		return wire.NewReply(530, "5.7.0", "Authentication required")
	case o.RequireTLS && !secret: // RFC 8689
		return wire.NewReply(555, "5.5.4", "Unknown parameter REQUIRETLS")
	case o.Size > most: // RFC 1870
		return wire.NewReply(552, "5.3.4", "The message is too large: at most "+strconv.FormatInt(most, 10)+" bytes")
	case len(o.EnvelopeID) > 100: // RFC 3461 4.4
		return wire.NewReply(501, "5.5.4", "Bad value of ENVID")
	}
	t := &transaction{utf8: o.UTF8, progress: newProgress(), in: server.Incoming{ReversePath: said.address, Session: x.peer(o.UTF8)}}
	t.in.RequireTLS, t.in.Return, t.in.EnvelopeID = o.RequireTLS, string(o.Return), o.EnvelopeID
	for _, p := range said.parameters {
		if refusal := x.mailParameter(t, p); refusal != nil {
			return refusal
		}
	}
	if !t.utf8 && !wire.IsASCII(said.address) {
		return wire.NewReply(553, "5.6.7", "Such an address needs SMTPUTF8") // RFC 6531 3.5
	}
	if x.g.role != MX {
		if err := x.s.o.Server.MaySend(x.g.ctx, *x.grant, said.address); err != nil {
			return x.reply(err)
		}
	}
	if !x.s.rates.spend(x.accounts(), usage{messages: 1}, o.Size) {
		return x.tooMuch("messages")
	}
	x.mail = t
	return nil
}

// mailParameter takes a parameter of MAIL that go-smtp does not know.
func (x *session) mailParameter(t *transaction, p wire.Parameter) *wire.Reply {
	switch p.Keyword {
	case "AUTH": // RFC 4954 5: who it was first submitted by, which we believe nobody
		return nil
	case "HOLDFOR", "HOLDUNTIL":
		return x.release(t, p)
	}
	return wire.NewReply(501, "5.5.4", "Bad value of "+p.Keyword)
}

// release takes until when a message is to be held (RFC 4865 4).
func (x *session) release(t *transaction, p wire.Parameter) *wire.Reply {
	now := x.s.o.Clock.Now()
	at, err := time.Parse(time.RFC3339, p.Value)
	if p.Keyword == "HOLDFOR" {
		var seconds uint64
		seconds, err = strconv.ParseUint(p.Value, 10, 30)
		at = now.Add(time.Duration(seconds) * time.Second)
	}
	switch {
	case err != nil || !t.in.ReleaseAt.IsZero():
		return wire.NewReply(501, "5.5.4", "Bad value of "+p.Keyword)
	case at.After(now.Add(server.MaxHold)):
		return wire.NewReply(501, "5.5.4", "A message is held for at most "+strconv.Itoa(int(server.MaxHold/time.Second))+" seconds")
	}
	t.in.ReleaseAt = at
	return nil
}

// Rcpt implements gosmtp.Session.
func (x *session) Rcpt(_ string, o *gosmtp.RcptOptions) error {
	return asError(x.recipient(x.g.path, o))
}

func (x *session) recipient(said path, o *gosmtp.RcptOptions) *wire.Reply {
	reporting, refusal := reportingOf(o, said.parameters)
	switch {
	case refusal != nil:
		return refusal
	case !x.mail.utf8 && !wire.IsASCII(said.address):
		return wire.NewReply(553, "5.6.7", "Such an address needs SMTPUTF8")
	case !x.s.rates.spend(x.accounts(), usage{recipients: 1}, 0):
		return x.tooMuch("recipients")
	}
	in := &x.mail.in
	if x.g.role == MX {
		inbox, err := x.s.o.Server.Recipient(x.g.ctx, in.ReversePath, said.address)
		if err != nil {
			return x.reply(err)
		}
		in.Inboxes = append(in.Inboxes, inbox)
	}
	in.Recipients = append(in.Recipients, said.address)
	in.Reporting = append(in.Reporting, reporting)
	return nil
}

// reportingOf is what the sender wants to be told (RFC 3461 4). An ORCPT that go-smtp did not take is kept as it came.
func reportingOf(o *gosmtp.RcptOptions, parameters []wire.Parameter) (r mail.Reporting, refusal *wire.Reply) {
	var words []string
	for _, n := range o.Notify {
		words = append(words, string(n))
	}
	r.Notify = strings.Join(words, ",")
	if o.OriginalRecipient != "" {
		r.OriginalRecipient = strings.ToLower(string(o.OriginalRecipientType)) + ";" + o.OriginalRecipient
	}
	for _, p := range parameters {
		kind, address, found := strings.Cut(p.Value, ";")
		if found && !strings.EqualFold(kind, "utf-8") { // whose own encoding (RFC 6533 3) it is
			var err error
			address, err = wire.DecodeXtext(address)
			found = err == nil
		}
		r.OriginalRecipient = strings.ToLower(kind) + ";" + address
		if !found || kind == "" || !printable(r.OriginalRecipient) {
			return r, wire.NewReply(501, "5.5.4", "Bad value of "+p.Keyword)
		}
	}
	if len(r.OriginalRecipient) > 500 {
		return r, wire.NewReply(501, "5.5.4", "Bad value of ORCPT")
	}
	return r, nil
}

// printable wants something that can stand in a field of a report.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
