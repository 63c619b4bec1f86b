package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/dsn"
	"podmail/mail/parse"
	"podmail/mail/srs"
	"podmail/storage"
)

// An inbox that forwards hands on what lands in its inbox view: one delivery for each address, queued in the transaction
// that files the message. Without a copy the message is in Trash while it is on its way: delivered to all it is removed,
// and if one delivery fails for good it moves to the inbox.

// forwards are to whom a landing is handed on.
type forwards struct {
	addresses []string
	keepCopy  bool
}

// purpose is that of the deliveries.
func (f *forwards) purpose() mail.Purpose {
	if f.keepCopy {
		return mail.PurposeForward
	}
	return mail.PurposeRedirect
}

// action is what a notification says of the landing: who hands on to one address and keeps nothing leaves it to those there
// to say what becomes of the message (RFC 3461 5.2.7.1). Empty: nothing.
func (f *forwards) action() dsn.Action {
	switch {
	case f == nil:
		return dsn.Delivered
	case !f.keepCopy && len(f.addresses) == 1:
		return ""
	}
	return dsn.Expanded
}

// planForwards works out to whom a landing is handed on, and says in its intake what speaks against that.
func (s *Server) planForwards(ctx context.Context, l *landing, p *mail.Parsed, r received) error {
	f := l.to.Forwarding
	if f == nil || l.intake.Placement != mail.LabelReceived {
		return nil
	}
	if r.ours {
		l.intake.Forwarding = "It is not handed on: it tells of something that was."
		return nil
	}
	been := map[string]bool{}
	for _, address := range p.DeliveredTo {
		been[inboxAddress(address)] = true
	}
	if been[l.to.Address] {
		l.intake.Forwarding = "It is not handed on: it has been here before, and would go round for ever."
		return nil
	}
	out := &forwards{keepCopy: f.KeepCopy}
	var but []string
	for _, address := range f.Addresses {
		_, v, err := s.judge(ctx, l.to.Scope(), mail.DirectionSend, []string{address})
		switch {
		case err != nil:
			return coded(err, "Mailbox")
		case been[inboxAddress(address)]:
			but = append(but, address+" had it before")
		case v.Blocked:
			but = append(but, "the lists block "+address)
		default:
			out.addresses = append(out.addresses, address)
		}
	}
	if len(out.addresses) > 0 {
		l.forwards = out
		l.intake.Forwarding = "It is handed on to " + strings.Join(out.addresses, ", ") + "."
	}
	if len(but) > 0 {
		l.intake.Forwarding = strings.TrimSpace(l.intake.Forwarding + " Not to all: " + strings.Join(but, "; ") + ".")
	}
	return nil
}

// queueForwards queues a landing to whom it is handed on, in its transaction. done is false if a sending limit keeps it here.
func (s *Server) queueForwards(sys storage.SystemTx, l *landing, a *arrival) (done bool, err error) {
	err = s.countSent(sys, &l.to.Inbox, len(l.forwards.addresses), a.at)
	if _, limited := errors.AsType[*mail.Error](err); limited {
		s.log.Warn("a message is not handed on, since a sending limit is reached; it is in the inbox", "trace", a.traceID, "inbox", l.to.Address, "limit", err)
		return false, nil
	} else if err != nil {
		return false, err
	}
	m := &l.filing.message.Message
	d := mail.Delivery{Purpose: l.forwards.purpose(), Message: m.ID, Sender: s.rewriter(&l.to.Inbox).Forward(a.reversePath, l.to.ID, a.at), Origin: mail.Origin{ReversePath: a.reversePath, Vouched: a.vouched},
		State: mail.DeliveryQueued, NextAttemptAt: a.at, TraceID: a.traceID, CreatedAt: a.at, Handling: a.handling, Reporting: l.to.names[0].redistributed(l.forwards.action())}
	for _, d.Recipient = range l.forwards.addresses {
		_, d.Destination, _ = mail.SplitAddress(inboxAddress(d.Recipient))
		if d.Courier, err = s.courierFor(sys, d.Recipient, d.Destination); err != nil {
			return false, err
		}
		if err := sys.For(l.to.Scope()).InsertDelivery(d); err != nil {
			return false, err
		}
	}
	return true, nil
}

// redistributed is what is asked for a recipient's mail where it is handed on: the same, less what a notification of ours
// has told already, and with the name under which the sender knows him (RFC 3461 5.2.7).
func (n name) redistributed(told dsn.Action) mail.Reporting {
	out := n.Reporting
	if out.OriginalRecipient == "" {
		kind := "rfc822"
		if strings.ContainsFunc(n.address, func(r rune) bool { return r >= 0x80 }) {
			kind = "utf-8" // RFC 6533 3
		}
		out.OriginalRecipient = kind + ";" + n.address
	}
	if told == "" || out.Notify == "" {
		return out
	}
	words := slices.DeleteFunc(strings.Split(out.Notify, ","), func(word string) bool { return word == "SUCCESS" })
	if out.Notify = strings.Join(words, ","); out.Notify == "" {
		out.Notify = "NEVER"
	}
	return out
}

// newSRSSecret derives the secret of the reverse-paths of what is handed on.
func newSRSSecret(secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("reverse-paths"))
	return mac.Sum(nil)
}

// rewriter makes the reverse-paths of what an inbox hands on, at its own domain, for which we may send.
func (s *Server) rewriter(inbox *mail.Inbox) srs.Rewriter {
	_, domain, _ := mail.SplitAddress(inbox.Address)
	return srs.Rewriter{Secret: s.srsSecret, Domain: domain}
}

// handedOn is what goes of a message that an inbox hands on: as it came, below where it has been, which ends loops, and the
// fields it got here.
func handedOn(inbox string, raw storage.RawMessage) storage.RawMessage {
	trace := append([]byte(compose.DeliveredTo(inbox)), parse.WithoutFields(raw.Trace, "Return-Path", "X-Podmail-Spam")...)
	raw.Size += int64(len(trace) - len(raw.Trace))
	raw.Trace = trace
	return raw
}

// handOn makes a transfer one of what an inbox hands on. What one of our inboxes wrote was never signed so far.
func (s *Server) handOn(ctx context.Context, t *mail.Transfer, d *mail.Delivery, raw storage.RawMessage) error {
	at := s.store.For(d.Scope())
	var inbox mail.Inbox
	err := at.Read(ctx, func(tx storage.Tx) (err error) {
		inbox, err = tx.FindOwnInbox()
		return err
	})
	if err != nil {
		return err
	}
	if t.Seal, err = s.sealOf(ctx, &inbox, raw, s.clock.Now()); err != nil {
		return err
	}
	if d.Origin.Vouched == mail.VouchedByUs {
		if t.Keys, err = s.keysOf(ctx, mail.Scope{}, d.Origin.ReversePath); err != nil {
			return err
		}
	}
	raw = handedOn(inbox.Address, raw)
	t.Message, t.Size = at.Reader(ctx, raw), raw.Size
	return nil
}

// sealOf is the seal on what an inbox hands on: with the key of its domain, over what was found when it came (RFC 8617 5.1).
// Nil without a key, and for a message whose seals were broken when it came, which nothing of ours mends.
func (s *Server) sealOf(ctx context.Context, inbox *mail.Inbox, raw storage.RawMessage, now time.Time) (*mail.Seal, error) {
	keys, err := s.keysOf(ctx, inbox.Scope(), inbox.Address)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	seal := &mail.Seal{Key: keys[0], AuthservID: s.hostname, Results: "none", Chain: mail.AuthNone, At: now}
	for _, f := range parse.Headers(raw.Trace) {
		if !strings.EqualFold(f.Name, "Authentication-Results") {
			continue
		}
		_, results, _ := strings.Cut(f.Value, ";")
		seal.Results = strings.Join(strings.Fields(results), " ")
		for result := range strings.SplitSeq(results, ";") {
			if chain, ok := strings.CutPrefix(strings.TrimSpace(result), "arc="); ok {
				seal.Chain = mail.AuthResult(chain)
			}
		}
	}
	if seal.Chain != mail.AuthNone && seal.Chain != mail.AuthPass {
		return nil, nil
	}
	return seal, nil
}

// settleForward notes what became of what an inbox handed on. The message itself keeps its labels: it was received, and not
// sent.
func (s *Server) settleForward(tx storage.Tx, d *mail.Delivery, o outcome, now time.Time) error {
	if o.state == mail.DeliveryBounced {
		if err := s.suppressBounced(tx, d, o, now); err != nil {
			return err
		}
	}
	if d.Message == 0 {
		return tx.DropCarried(d.ID)
	}
	if d.Purpose != mail.PurposeRedirect {
		return nil
	}
	ds, err := tx.ListDeliveries(d.Message)
	if err != nil {
		return err
	}
	switch {
	case slices.ContainsFunc(ds, func(d mail.Delivery) bool { return d.State == mail.DeliveryBounced || d.State == mail.DeliveryRejected }):
		return s.keep(tx, d.Message, now)
	case slices.ContainsFunc(ds, func(d mail.Delivery) bool { return d.State.Waits() }):
		return nil
	}
	return s.letGo(tx, d.Message, now)
}

// keep puts a message into the inbox that was to be there only until it is delivered. Where its owner has moved it, it
// stays.
func (s *Server) keep(tx storage.Tx, message int64, now time.Time) error {
	m, err := tx.FindMessageByID(message)
	if err != nil || !slices.Contains(m.Labels, mail.LabelTrash) {
		return err
	}
	e := s.newEdit(tx, now)
	if err := e.relabel(&m, nil, []string{mail.LabelTrash}); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	return tx.InsertEvent(mail.Event{Type: mail.EventReceived, Message: m.ID, MessageID: m.MessageID, CreatedAt: now})
}

// letGo removes a message that others have now, unless its owner has taken it out of Trash.
func (s *Server) letGo(tx storage.Tx, message int64, now time.Time) error {
	m, err := tx.FindMessageByID(message)
	if err != nil || !slices.Contains(m.Labels, mail.LabelTrash) {
		return err
	}
	e := s.newEdit(tx, now)
	if err := e.remove(&m); err != nil {
		return err
	}
	return e.flush()
}

// returnsTo finds the inbox that handed on what bounces to an address of ours, with whom the bounce goes to.
// storage.ErrNotFound if it is no such address, not signed by us, or too old.
func (s *Server) returnsTo(sys storage.SystemTx, address string, now time.Time) (inbox mail.Inbox, err error) {
	local, domain, _ := mail.SplitAddress(address)
	sender, by, err := srs.Rewriter{Secret: s.srsSecret}.Reverse(local, now)
	if err != nil {
		return inbox, fmt.Errorf("%w: %w", storage.ErrNotFound, err)
	}
	if inbox, err = sys.FindInboxByID(by); err != nil {
		return inbox, err
	}
	if _, own, _ := mail.SplitAddress(inbox.Address); !strings.EqualFold(own, domain) {
		return inbox, storage.ErrNotFound
	}
	inbox.Address, inbox.ReturnsTo, inbox.Forwarding = mail.CanonicalAddress(address), sender, nil
	return inbox, nil
}

// handBack is how a bounce goes to the sender of what an inbox handed on.
func (s *Server) handBack(sys storage.SystemTx, to *addressee, a *arrival) (err error) {
	d := mail.Delivery{Purpose: mail.PurposeReturn, MessageID: a.messageID, Recipient: to.ReturnsTo, State: mail.DeliveryQueued, NextAttemptAt: a.at, TraceID: a.traceID, CreatedAt: a.at,
		Handling: a.handling, Reporting: mail.Reporting{Notify: "NEVER"}}
	_, d.Destination, _ = mail.SplitAddress(inboxAddress(d.Recipient))
	if d.Courier, err = s.courierFor(sys, d.Recipient, d.Destination); err != nil {
		return err
	}
	tx := sys.For(to.Scope())
	blob, err := a.content.link(tx, a.at)
	if err != nil {
		return err
	}
	return tx.InsertNotice(d, blob, parse.WithoutFields(a.trace, "Return-Path"))
}
