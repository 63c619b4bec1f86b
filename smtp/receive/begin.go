package receive

import (
	"strconv"
	"strings"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/wire"
)

// begin is MAIL: a message begins.
func (x *session) begin(argument string) *wire.Reply {
	path, ok := cutPrefixFold(argument, "FROM:")
	switch {
	case x.helo == "":
		return wire.NewReply(503, "5.5.1", "Say EHLO first")
	case x.mail != nil:
		return wire.NewReply(503, "5.5.1", "A message has begun already: send RSET first")
	case x.role != MX && x.grant == nil:
		return wire.NewReply(530, "5.7.0", "Authentication required")
	case !ok:
		return wire.NewReply(501, "5.5.4", "Say MAIL FROM:<address>")
	}
	from, parameters, err := wire.ParsePath(path)
	if err != nil || from != "" && !strings.Contains(from, "@") {
		return wire.NewReply(501, "5.1.7", "Say MAIL FROM:<address>")
	}
	t := &transaction{in: server.Incoming{ReversePath: from}}
	for _, p := range parameters {
		if refusal := x.mailParameter(t, p); refusal != nil {
			return refusal
		}
	}
	if !t.utf8 && !wire.IsASCII(from) {
		return wire.NewReply(553, "5.6.7", "Such an address needs SMTPUTF8") // RFC 6531 3.5
	}
	if x.role != MX {
		if err := x.s.o.Server.MaySend(x.ctx, *x.grant, from); err != nil {
			return x.reply(err)
		}
	}
	if !x.s.rates.spend(x.accounts(), usage{messages: 1}, t.size) {
		return x.tooMuch("messages")
	}
	x.mail = t
	return wire.NewReply(250, "2.1.0", "OK")
}

// mailParameter takes a parameter of MAIL.
func (x *session) mailParameter(t *transaction, p wire.Parameter) *wire.Reply {
	bad := wire.NewReply(501, "5.5.4", "Bad value of "+p.Keyword)
	_, secret := x.tlsState()
	switch value := strings.ToUpper(p.Value); {
	case !x.extended:
		return wire.NewReply(555, "5.5.4", "Parameters need EHLO")
	case p.Keyword == "SIZE": // RFC 1870
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil {
			return bad
		}
		if t.size = int64(n); t.size > x.s.o.Server.MaxMessageSize() {
			return wire.NewReply(552, "5.3.4", "The message is too large: at most "+strconv.FormatInt(x.s.o.Server.MaxMessageSize(), 10)+" bytes")
		}
	case p.Keyword == "BODY": // RFC 6152
		if value == "BINARYMIME" {
			return wire.NewReply(504, "5.5.4", "BINARYMIME is not taken here")
		} else if value != "7BIT" && value != "8BITMIME" {
			return bad
		}
	case p.Keyword == "SMTPUTF8": // RFC 6531
		if t.utf8 = true; value != "" {
			return bad
		}
	case p.Keyword == "REQUIRETLS" && secret: // RFC 8689
		if t.in.RequireTLS = true; value != "" {
			return bad
		}
	case p.Keyword == "RET": // RFC 3461 4.3
		if t.in.Return = value; value != "FULL" && value != "HDRS" {
			return bad
		}
	case p.Keyword == "ENVID": // RFC 3461 4.4
		id, err := wire.DecodeXtext(p.Value)
		if t.in.EnvelopeID = id; err != nil || !printable(id) || len(p.Value) > 100 {
			return bad
		}
	case p.Keyword == "AUTH": // RFC 4954 5: who it was first submitted by, which we believe nobody
	case (p.Keyword == "HOLDFOR" || p.Keyword == "HOLDUNTIL") && x.role != MX:
		return x.release(t, p)
	default:
		return wire.NewReply(555, "5.5.4", "Unknown parameter "+p.Keyword)
	}
	return nil
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

// recipient is RCPT.
func (x *session) recipient(argument string) *wire.Reply {
	path, ok := cutPrefixFold(argument, "TO:")
	switch {
	case x.mail == nil:
		return wire.NewReply(503, "5.5.1", "Say MAIL first")
	case !ok:
		return wire.NewReply(501, "5.5.4", "Say RCPT TO:<address>")
	case len(x.mail.in.Recipients) >= x.s.o.MaxRecipients:
		return wire.NewReply(452, "4.5.3", "Too many recipients: send the rest in another message") // RFC 5321 4.5.3.1.10
	}
	to, parameters, err := wire.ParsePath(path)
	if err != nil || to == "" {
		return wire.NewReply(501, "5.1.3", "Say RCPT TO:<address>")
	}
	var reporting mail.Reporting
	for _, p := range parameters {
		if refusal := x.recipientParameter(&reporting, p); refusal != nil {
			return refusal
		}
	}
	if !x.mail.utf8 && !wire.IsASCII(to) {
		return wire.NewReply(553, "5.6.7", "Such an address needs SMTPUTF8")
	}
	if !x.s.rates.spend(x.accounts(), usage{recipients: 1}, 0) {
		return x.tooMuch("recipients")
	}
	if x.role == MX {
		inbox, err := x.s.o.Server.Recipient(x.ctx, to)
		if err != nil {
			return x.reply(err)
		}
		x.mail.in.Inboxes = append(x.mail.in.Inboxes, inbox)
	}
	x.mail.in.Recipients = append(x.mail.in.Recipients, to)
	x.mail.in.Reporting = append(x.mail.in.Reporting, reporting)
	return wire.NewReply(250, "2.1.5", "OK")
}

// recipientParameter takes a parameter of RCPT: what the sender wants to be told (RFC 3461 4).
func (x *session) recipientParameter(r *mail.Reporting, p wire.Parameter) *wire.Reply {
	bad := wire.NewReply(501, "5.5.4", "Bad value of "+p.Keyword)
	switch {
	case !x.extended:
		return wire.NewReply(555, "5.5.4", "Parameters need EHLO")
	case p.Keyword == "NOTIFY":
		if r.Notify = strings.ToUpper(p.Value); !validNotify(r.Notify) {
			return bad
		}
	case p.Keyword == "ORCPT":
		kind, address, found := strings.Cut(p.Value, ";")
		if !found || kind == "" || len(p.Value) > 500 {
			return bad
		}
		if !strings.EqualFold(kind, "utf-8") { // whose own encoding (RFC 6533 3) is kept as it came
			var err error
			if address, err = wire.DecodeXtext(address); err != nil {
				return bad
			}
		}
		if r.OriginalRecipient = strings.ToLower(kind) + ";" + address; !printable(r.OriginalRecipient) {
			return bad
		}
	default:
		return wire.NewReply(555, "5.5.4", "Unknown parameter "+p.Keyword)
	}
	return nil
}

// validNotify takes NEVER alone, or each of the others at most once.
func validNotify(s string) bool {
	seen := map[string]bool{}
	for word := range strings.SplitSeq(s, ",") {
		if seen[word] || word != "SUCCESS" && word != "FAILURE" && word != "DELAY" && (word != "NEVER" || s != "NEVER") {
			return false
		}
		seen[word] = true
	}
	return true
}

// printable wants something that can stand in a field of a report.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
