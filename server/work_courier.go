package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/mail/parse"
	"podmail/storage"
)

const (
	courierBatch       = 128 // deliveries looked up at a time
	courierConcurrency = 16  // of them carried at a time, so that their commits group
)

// DeliverDue carries mail between inboxes of this installation: the same trip as mail from outside, without a socket.
// It is a step of Run.
func (s *Server) DeliverDue(ctx context.Context) (more bool, err error) {
	var due []storage.Job
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		due, err = tx.ListDue(s.clock.Now(), courierBatch)
		return err
	})
	if err != nil {
		return false, err
	}
	var g errgroup.Group
	g.SetLimit(courierConcurrency)
	for _, job := range due {
		g.Go(func() error {
			err := s.carry(ctx, job)
			if err == nil || ctx.Err() != nil {
				return nil
			}
			return errors.Join(fmt.Errorf("delivery %d: %w", job.ID, err), s.postpone(ctx, job, err))
		})
	}
	return len(due) == courierBatch, g.Wait()
}

// postpone puts a delivery that failed on our side back, so that it cannot hold up others.
func (s *Server) postpone(ctx context.Context, job storage.Job, cause error) error {
	now := s.clock.Now()
	return s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) error {
		d, err := tx.FindDelivery(job.ID)
		if err != nil {
			return err
		}
		d.Attempts++
		d.NextAttemptAt, d.UpdatedAt, d.LastReply = now.Add(time.Duration(min(d.Attempts, 60))*time.Minute), now, cause.Error()
		return tx.UpdateDelivery(d)
	})
}

// carry delivers one queued message to an inbox of this installation, and notes the outcome in the same transaction.
func (s *Server) carry(ctx context.Context, job storage.Job) error {
	var d mail.Delivery
	var raw storage.RawMessage
	var inbox mail.Inbox
	err := s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		from := sys.For(job.Scope)
		if d, err = from.FindDelivery(job.ID); err != nil {
			return err
		}
		if raw, err = from.FindCarried(d.ID); err != nil {
			return err
		}
		if d.Purpose.HandsOn() {
			own, err := from.FindOwnInbox()
			if err != nil {
				return err
			}
			raw = handedOn(own.Address, raw)
		}
		if inbox, err = sys.FindInbox(inboxAddress(d.Recipient)); errors.Is(err, storage.ErrNotFound) {
			return nil // Recipient finds who gets it instead
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // its inbox was deleted meanwhile
	} else if err != nil {
		return err
	}
	ctx = mail.WithTrace(ctx, d.TraceID)
	if inbox.ID == 0 {
		inbox, err = s.Recipient(ctx, d.Sender, d.Recipient)
	}
	if code := mail.CodeOf(err); code == mail.CodeNotFound || code == mail.CodeForbidden { // or its domain is gone
		return s.bounce(ctx, d, outcome{state: mail.DeliveryBounced, reply: "550 5.1.1 no such mailbox here", status: "5.1.1"})
	} else if err != nil {
		return err
	}
	return s.hand(ctx, d, inbox, raw)
}

// contentOf is what a delivery brings: the very bytes of what was sent where they are in the pod already and may stay as they
// are, as those of nearly all mail.
func (s *Server) contentOf(ctx context.Context, d *mail.Delivery, pod int64, raw storage.RawMessage) (*content, error) {
	open := func() io.Reader {
		return io.NewSectionReader(s.store.For(d.Scope()).Reader(ctx, raw), 0, raw.Size)
	}
	if pod == d.Pod && len(raw.Trace) == 0 {
		if claims, err := parse.ClaimsResults(open(), s.hostname); err != nil {
			return nil, err
		} else if !claims {
			return storedContent(pod, raw), nil
		}
	}
	return s.stage(ctx, []int64{pod}, parse.WithoutResults(open(), s.hostname))
}

func (s *Server) hand(ctx context.Context, d mail.Delivery, inbox mail.Inbox, raw storage.RawMessage) error {
	c, err := s.contentOf(ctx, &d, inbox.Pod, raw)
	if err != nil {
		return err
	}
	defer s.discard(c)
	r := received{reversePath: d.Sender, recipients: []string{d.Recipient}, handling: d.Handling, at: s.clock.Now(), unchecked: "It was sent by an inbox of this installation: nothing was looked up."}
	if err := s.originOf(ctx, &d, &r); err != nil {
		return err
	}
	r.trace = s.trace(ctx, Incoming{ReversePath: r.reversePath, Recipients: []string{d.Recipient}, Session: Session{Protocol: "local"}}, r)
	p, err := s.parsed(ctx, c, r.trace)
	if err != nil {
		return err
	}
	err = s.arriveBy(ctx, &d, inbox, p, c, r)
	if errors.Is(err, errSettled) {
		return nil
	}
	if mail.CodeOf(err) == mail.CodeNotFound { // the inbox was deleted meanwhile: the next round bounces
		poke(s.queue)
		return nil
	}
	if refused, ok := errors.AsType[*mail.Error](err); ok && refused.Code == mail.CodeInvalid { // a report that none is
		return s.bounce(ctx, d, outcome{state: mail.DeliveryBounced, reply: "550 5.6.0 " + refused.Message, status: "5.6.0"})
	}
	if err == nil {
		s.counters.settled(&d, outcome{state: mail.DeliveryDelivered})
		s.hub.Wake(d.Scope())
	}
	return err
}

// originOf adds to what is known of a message that a delivery brings: what was found when it came to the inbox that hands
// it on, and by whom its sender is known.
func (s *Server) originOf(ctx context.Context, d *mail.Delivery, r *received) error {
	switch {
	case d.Purpose == mail.PurposeSent:
		r.vouched = mail.VouchedByUs
		return nil
	case !d.Purpose.HandsOn():
		r.ours, r.unchecked = true, "It tells of mail that an inbox of this installation was sent: nothing was looked up."
		return nil
	}
	r.reversePath, r.vouched, r.unchecked = d.Origin.ReversePath, d.Origin.Vouched, "It was handed on by an inbox of this installation: nothing was looked up."
	if d.Message == 0 {
		return nil
	}
	return s.store.For(d.Scope()).Read(ctx, func(tx storage.Tx) error {
		in, err := tx.FindIntake(d.Message)
		if err == nil && in != nil && in.Authentication != nil {
			r.authentication = in.Authentication
			r.authentication.BlockLists = nil // which did not keep it out
		}
		return err
	})
}

// arriveBy files a message that a delivery brings to an inbox of ours, and notes that in the same transaction.
func (s *Server) arriveBy(ctx context.Context, d *mail.Delivery, inbox mail.Inbox, p *mail.Parsed, c *content, r received) error {
	a, err := s.newArrival(ctx, []addressee{{inbox, []name{{d.Recipient, d.Reporting}}}}, p, c, r)
	if err != nil {
		return err
	}
	notices, err := s.newNotices(ctx, []fate{{delivery: *d, action: a.action()}}, s.openCarried)
	defer s.discardNotices(notices)
	if err != nil {
		return err
	}
	return s.fileArrival(ctx, a, func(sys storage.SystemTx) error {
		tx := sys.For(d.Scope())
		if err := s.settle(tx, *d, outcome{state: mail.DeliveryDelivered}, r.at); err != nil {
			return err
		}
		return fileNotices(tx, notices)
	})
}

func (s *Server) bounce(ctx context.Context, d mail.Delivery, o outcome) error {
	scope := mail.Scope{Pod: d.Pod, Inbox: d.Inbox}
	now := s.clock.Now()
	notices, err := s.newNotices(ctx, []fate{{delivery: d, action: dsn.Failed, status: o.status, said: o.reply}}, s.openCarried)
	defer s.discardNotices(notices)
	if err != nil {
		return err
	}
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		tx := sys.For(scope)
		if err := s.settle(tx, d, o, now); err != nil {
			return err
		}
		if o.state == mail.DeliveryRejected {
			if err := sys.CountControl(mail.DeliveryIsDropped); err != nil {
				return err
			}
		}
		return fileNotices(tx, notices)
	})
	if errors.Is(err, errSettled) {
		return nil
	}
	if err == nil {
		s.counters.settled(&d, o)
		s.hub.Wake(scope)
		s.log.Info("bounced", "trace", d.TraceID, "message_id", d.MessageID, "recipient", d.Recipient, "reason", o.reply)
	}
	return err
}
