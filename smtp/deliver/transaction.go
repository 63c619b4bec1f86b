package deliver

import (
	"context"
	"errors"
	"time"

	"podmail/mail"
)

// maxRecipients is how many every host must take (RFC 5321 4.5.3.1.8).
const maxRecipients = 100

// errStale is a connection of the pool that had died before anything was sent on it.
var errStale = &failure{kind: mail.TransferConnection, elsewhere: true, enhanced: "4.4.2", text: "the connection had been closed"}

// step is a command of a transaction. Under PIPELINING all are sent before the first reply is read.
type step struct {
	name, line string
	wait       time.Duration
	recipient  int
}

// transaction is one message for some recipients on a session.
type transaction struct {
	*parcel
	s        *session
	sealed   *sealed
	steps    []step
	sent     int      // steps written
	refusal  *failure // of MAIL or DATA: what concerns all recipients
	accepted []int    // recipients
	refused  map[int]*failure
	willing  bool // DATA was answered by 354
	astray   bool // a recipient was accepted of a sender who was not: an empty body might reach him
	crowded  bool // a recipient was one too many
}

// transact sends the message to the recipients that are open, or the first of them. A failure is that of those who are
// open still.
func (p *parcel) transact(ctx context.Context, s *session) *failure {
	if f := p.fit(s); f != nil || len(p.open()) == 0 {
		return f
	}
	shape, f := p.shape(s)
	if f != nil {
		return f
	}
	x, f := p.seal(ctx, shape)
	if f != nil {
		return f
	}
	if limit := s.sizeLimit(); limit > 0 && x.size > limit {
		return failed(mail.TransferContent, "5.3.4", "the message has %d bytes, and %s takes no more than %d", x.size, s.host, limit)
	}
	t := &transaction{parcel: p, s: s, sealed: x, refused: map[int]*failure{}}
	t.plan()
	stale, f := t.envelope()
	switch {
	case stale:
		return errStale
	case f != nil:
		t.settleRefused()
		return f
	}
	return t.body()
}

// fit settles recipients whom the host cannot take, or tells that it cannot take the message.
func (p *parcel) fit(s *session) *failure {
	if s.offers("SMTPUTF8") {
		return nil
	}
	switch {
	case p.content.utf8Header:
		return failed(mail.TransferContent, "5.6.9", "the message's header is not in ASCII, and %s does not offer SMTPUTF8", s.host)
	case p.international:
		return failed(mail.TransferContent, "5.6.7", "the sender's address is not in ASCII, and %s does not offer SMTPUTF8", s.host)
	}
	for _, i := range p.open() {
		if p.recipients[i].international {
			p.settle(i, failed(mail.TransferContent, "5.6.7", "the address is not in ASCII, and %s does not offer SMTPUTF8", s.host), s)
		}
	}
	return nil
}

// plan writes the commands.
func (t *transaction) plan() {
	if t.s.used {
		t.steps = append(t.steps, step{name: "RSET", line: "RSET", wait: t.s.times.Command})
	}
	at := t.open()
	at = at[:min(len(at), t.most, t.s.mostRecipients())]
	t.steps = append(t.steps, step{name: "MAIL", line: t.mail(at), wait: t.s.times.Command})
	for _, i := range at {
		t.steps = append(t.steps, step{name: "RCPT", line: t.rcpt(i), wait: t.s.times.Command, recipient: i})
	}
	t.steps = append(t.steps, step{name: "DATA", line: "DATA", wait: t.s.times.Data})
}

// envelope sends the commands and reads the replies, up to where the body can be sent. stale: nothing has happened on
// this connection, which was dead. The failure concerns all who are not in refused.
func (t *transaction) envelope() (stale bool, f *failure) {
	pipelined := t.s.offers("PIPELINING")
	for n, x := range t.steps {
		if x.name == "DATA" && !pipelined && len(t.accepted) == 0 {
			break
		}
		if x.name == "RCPT" && !pipelined && t.crowded { // the others have another turn
			t.sent++
			continue
		}
		r, err := t.exchange(n, pipelined)
		if err != nil && n == 0 && x.name == "RSET" {
			return true, nil
		}
		if err != nil {
			if t.refusal != nil { // what was said before counts
				break
			}
			return false, lost(err, "after "+x.name).orElsewhere()
		}
		t.s.used = true
		if x.name == "RSET" && !r.good() {
			t.s.broken = true
			return true, nil
		}
		t.take(x, r)
		if t.refusal != nil && !pipelined {
			break
		}
	}
	return false, t.conclude()
}

// exchange returns the reply to step n, sending what must have been sent before.
func (t *transaction) exchange(n int, pipelined bool) (reply, error) {
	until := n + 1
	if pipelined {
		until = len(t.steps)
	}
	if t.sent < until {
		for ; t.sent < until; t.sent++ {
			if err := t.s.write(t.steps[t.sent].line); err != nil {
				t.s.broken = true
				return reply{}, t.s.cause(err)
			}
		}
		if err := t.s.w.Flush(); err != nil {
			t.s.broken = true
			return reply{}, t.s.cause(err)
		}
	}
	return t.s.read(t.steps[n].wait)
}

// take notes the reply to a step.
func (t *transaction) take(x step, r reply) {
	switch x.name {
	case "MAIL":
		if !r.good() {
			t.refusal = refused(r, "MAIL")
			t.refusal.elsewhere = !t.refusal.permanent
		}
	case "RCPT":
		if t.refusal != nil { // it is about the sender again, unless the host is out of its mind
			t.astray = t.astray || r.good()
			return
		}
		if r.good() {
			t.accepted = append(t.accepted, x.recipient)
		} else {
			t.takeRefusal(x.recipient, r)
		}
	case "DATA":
		t.willing = r.code == 354
		if !t.willing && t.refusal == nil && len(t.accepted) > 0 {
			t.refusal = refused(r, "DATA")
		}
	}
}

// takeRefusal notes the refusal of a recipient. Who was one too many says how many the next transactions may have: some
// hosts hang up on who tries more again and again.
func (t *transaction) takeRefusal(recipient int, r reply) {
	f := refused(r, "RCPT")
	f.personal = f.code != 421
	if r.code == 552 && (r.enhanced == "" || r.enhanced == "5.5.3") { // as 452 (RFC 5321 4.5.3.1.10)
		f.permanent, f.enhanced = false, "4.5.3"
	}
	if t.refused[recipient] = f; f.tooMany() && len(t.accepted) > 0 && !t.crowded {
		t.crowded, t.most, t.s.most = true, len(t.accepted), len(t.accepted)
	}
}

// conclude decides whether the body is sent. A host that wants one for nobody gets an empty one (RFC 2920 3.1), unless it
// might take that for a message.
func (t *transaction) conclude() *failure {
	if t.refusal == nil && len(t.accepted) > 0 {
		return nil
	}
	if t.willing && t.astray {
		t.s.broken = true
	} else if t.willing {
		t.s.ask(t.s.times.Final, ".") // whatever it says: if it hangs up, the session knows
	}
	if t.refusal != nil {
		return t.refusal
	}
	for _, f := range t.refused { // a host that is closing says so to everybody
		if f.code == 421 {
			return f
		}
	}
	return nil
}

// body sends the message and settles its recipients by the final reply.
func (t *transaction) body() *failure {
	defer t.settleRefused()
	if len(t.accepted) == 0 {
		return nil
	}
	if err := t.sealed.send(t.s.ctx, t.s.w); err != nil {
		t.s.broken = true // an end of data must never follow
		return t.bodyFailed(err)
	}
	r, err := t.s.read(t.s.times.Final)
	if err != nil { // RFC 1047: nobody knows whether the host has it
		return t.forAccepted(lost(err, "the message was sent, and whether the host has taken it is not known"))
	}
	if !r.good() {
		return t.forAccepted(t.refusedBody(r))
	}
	for _, i := range t.accepted {
		t.settle(i, nil, t.s)
		t.results[i].Code, t.results[i].Enhanced, t.results[i].Text = r.code, r.enhanced, r.text
	}
	return nil
}

// refusedBody is the failure that the reply to a body tells. Who was its only recipient may be what it is about: some
// hosts look for mailboxes late.
func (t *transaction) refusedBody(r reply) *failure {
	f := refused(r, "the message")
	f.personal = len(t.accepted) == 1 && f.code != 421
	return f
}

// forAccepted gives a failure to the recipients that the message was sent for.
func (t *transaction) forAccepted(f *failure) *failure {
	for _, i := range t.accepted {
		t.settle(i, f, t.s)
	}
	return nil
}

// bodyFailed tells why the message could not be sent to its end: we could not read it, or the host has hung up, and
// perhaps has said why.
func (t *transaction) bodyFailed(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return t.forAccepted(f)
	}
	if t.s.ctx.Err() == nil {
		if r, readErr := t.s.read(min(t.s.times.Data, 5*time.Second)); readErr == nil && (r.permanent() || r.code/100 == 4) {
			return t.forAccepted(t.refusedBody(r))
		}
	}
	return t.forAccepted(lost(t.s.cause(err), "while the message was being sent"))
}

// settleRefused settles the recipients that the host has refused, but for those who were one too many beside others
// (RFC 5321 4.5.3.1.10): they have another turn.
func (t *transaction) settleRefused() {
	for i, f := range t.refused {
		if (f.tooMany() && len(t.accepted) > 0) || f.code == 421 {
			continue
		}
		t.settle(i, f, t.s)
	}
}
