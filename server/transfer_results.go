package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/storage"
)

const (
	noteAgain       = 100 * time.Millisecond // after which results that could not be noted are noted again, doubled each time …
	noteAgainAtMost = time.Minute            // … up to this
)

// statusExpired is that of what was tried for too long (RFC 3463 3.5).
const statusExpired = "4.4.7"

// noteSurely notes the results of a transfer. If that fails, as when the disk is full, and a host has taken the message,
// the transfer stays on its way until it is noted: everything else would send the message again and again.
func (s *Server) noteSurely(ctx context.Context, l *load, ds []mail.Delivery, results []mail.TransferResult) error {
	for wait := noteAgain; ; wait = min(2*wait, noteAgainAtMost) {
		err := s.noteResults(context.WithoutCancel(ctx), l, ds, results)
		if err == nil || !anyTaken(results) {
			return err
		}
		s.log.Error("what a host has taken could not be noted; that is tried again, and the message not sent meanwhile", "trace", ds[0].TraceID, "destination", l.destination, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// noteResults settles or postpones the deliveries of a transfer, in one transaction.
func (s *Server) noteResults(ctx context.Context, l *load, ds []mail.Delivery, results []mail.TransferResult) error {
	scope, now := ds[0].Scope(), s.clock.Now()
	byRecipient := map[string]mail.TransferResult{}
	for _, r := range results {
		byRecipient[r.Recipient] = r
	}
	verdicts := make([]verdict, len(ds))
	var fates []fate
	for i := range ds {
		r, ok := byRecipient[ds[i].Recipient]
		if !ok {
			return fmt.Errorf("the courier says nothing of %s", ds[i].Recipient)
		}
		verdicts[i] = s.judgeResult(&ds[i], r, now)
		if f, ok := verdicts[i].fate(&ds[i], r, now); ok {
			fates = append(fates, f)
		}
	}
	notices, err := s.newNotices(ctx, fates, s.openCarried)
	defer s.discardNotices(notices)
	if err != nil {
		return err
	}
	err = s.store.For(scope).Write(ctx, func(tx storage.Tx) error {
		settled := 0
		for i := range ds {
			r := byRecipient[ds[i].Recipient]
			attempt := mail.DeliveryAttempt{Host: r.Host, TLS: r.TLS, Failure: r.Failure, Reply: r.Text, At: now}
			if err := tx.InsertDeliveryAttempt(ds[i].ID, attempt); err != nil {
				return err
			}
			if err := s.noteResult(tx, &ds[i], verdicts[i], now); errors.Is(err, errSettled) {
				settled++
			} else if err != nil {
				return err
			}
		}
		if settled == len(ds) { // by somebody else, who told the sender
			return nil
		}
		return fileNotices(tx, notices)
	})
	if err != nil {
		return err
	}
	for i, d := range ds {
		s.report(&d, byRecipient[d.Recipient], l, now)
		s.counters.attempt(l.destination, byRecipient[d.Recipient])
		if verdicts[i].next.IsZero() {
			s.counters.settled(&d, verdicts[i].outcome)
		}
	}
	s.hub.Wake(scope)
	return nil
}

// verdict is what follows from the result of a transfer for one delivery.
type verdict struct {
	outcome
	next time.Time // when it is tried again; zero: the outcome is final
	late bool      // for so long that the sender is told, which he was not yet
}

// judgeResult works out a verdict. What fails for now is tried until its time is over.
func (s *Server) judgeResult(d *mail.Delivery, r mail.TransferResult, now time.Time) verdict {
	switch {
	case r.Failure == "":
		return verdict{outcome: outcome{state: mail.DeliveryDelivered, reply: r.Text}}
	case r.Permanent:
		return verdict{outcome: outcome{state: mail.DeliveryBounced, reply: r.Text, status: statusOf(r), impersonal: r.Failure == mail.TransferReply && !r.Personal}}
	}
	next := now.Add(mail.RetryAfter(r.Failure, d.Attempts+1, s.jitter()))
	if next.Sub(d.CreatedAt) > mail.QueueLife {
		return verdict{outcome: outcome{state: mail.DeliveryBounced, reply: r.Text, status: statusExpired}}
	}
	return verdict{outcome{reply: r.Text, status: statusOf(r)}, next, !d.Notified && now.Sub(d.CreatedAt) >= mail.NoticeAfter}
}

// fate is what the sender can be told by mail; false if there is nothing to tell. A host that sends notifications itself
// tells of its success.
func (v verdict) fate(d *mail.Delivery, r mail.TransferResult, now time.Time) (fate, bool) {
	f := fate{delivery: *d, status: v.status, said: v.reply, replied: r.Code != 0, host: r.Host}
	switch {
	case v.state == mail.DeliveryBounced:
		f.action = dsn.Failed
	case v.state == mail.DeliveryDelivered && !r.RemoteDSN:
		f.action = dsn.Relayed
	case v.late:
		f.action, f.until = dsn.Delayed, d.CreatedAt.Add(mail.QueueLife)
	}
	return f, f.action != ""
}

// noteResult notes what became of one delivery.
func (s *Server) noteResult(tx storage.Tx, d *mail.Delivery, v verdict, now time.Time) error {
	if v.next.IsZero() {
		return s.settle(tx, *d, v.outcome, now)
	}
	return s.postponed(tx, d.ID, v, now)
}

// statusOf is the enhanced status of a failure, made up from the reply's first digit if the host gave none.
func statusOf(r mail.TransferResult) string {
	switch {
	case r.Enhanced != "":
		return r.Enhanced
	case r.Permanent:
		return "5.0.0"
	}
	return "4.0.0"
}

// report tells the log, and the turns, how the destination does.
func (s *Server) report(d *mail.Delivery, r mail.TransferResult, l *load, now time.Time) {
	what := "delivered"
	switch {
	case r.Failure == "":
		if !l.own {
			s.turns.well(l.destination)
		}
	case r.Permanent:
		what = "bounced"
	default:
		what = "postponed"
		if !l.own && (r.Failure == mail.TransferConnection || r.Failure == mail.TransferDNS || asksForLess(r)) {
			s.turns.trouble(l.destination, now)
		}
	}
	s.log.Info(what, "trace", d.TraceID, "message_id", d.MessageID, "recipient", d.Recipient, "host", r.Host, "tls", r.TLS, "failure", r.Failure, "code", r.Code, "reply", r.Text)
}

// asksForLess tells whether a host turns us away for now, and not one message: it closes (421), or is about who we are
// and how much we send (4.7).
func asksForLess(r mail.TransferResult) bool {
	return r.Failure == mail.TransferReply && (r.Code == 421 || len(r.Enhanced) > 3 && r.Enhanced[:4] == "4.7.")
}

// jitter is a number from 0 to 1.
func (s *Server) jitter() float64 {
	var b [2]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return 0.5
	}
	return float64(binary.BigEndian.Uint16(b[:])) / math.MaxUint16
}
