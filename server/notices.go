package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/dsn"
	"podmail/storage"
)

// maxNotedHeader bounds the header that a notification gives back.
const maxNotedHeader = 64 << 10

// notice is a delivery status notification (RFC 3464) on its way to whom sent what it is about: into the inbox, or by mail
// to somebody elsewhere.
type notice struct {
	content *content
	filing  *filing       // in the inbox; nil: it is mailed
	mailed  mail.Delivery // how
}

// fate is what became of a delivery, as a notification tells it.
type fate struct {
	delivery mail.Delivery
	action   dsn.Action
	status   string
	said     string // why, in the words of host or in ours
	replied  bool   // host said it, verbatim
	host     string
	until    time.Time // when it is given up; zero: it is over
}

// opener opens the message that a delivery carries.
type opener func(context.Context, *mail.Delivery) (io.Reader, error)

// newNotices prepares the notifications that senders want of deliveries of one message, one for each action. They are
// filed in the transaction that notes the outcomes, and then discarded.
func (s *Server) newNotices(ctx context.Context, fates []fate, open opener) (notices []*notice, err error) {
	for _, action := range []dsn.Action{dsn.Failed, dsn.Delayed, dsn.Delivered, dsn.Relayed, dsn.Expanded} {
		var wanted []fate
		for _, f := range fates {
			if f.action != action {
				continue
			}
			if ok, err := s.wantsNotice(ctx, &f); err != nil {
				return notices, err
			} else if ok {
				wanted = append(wanted, f)
			}
		}
		if len(wanted) == 0 {
			continue
		}
		n, err := s.newNotice(ctx, wanted, open)
		if errors.Is(err, storage.ErrNotFound) {
			continue // the message and its delivery are gone: there is nobody to tell
		} else if err != nil {
			return notices, fmt.Errorf("prepare a notification: %w", err)
		}
		notices = append(notices, n)
	}
	return notices, nil
}

// confirm prepares the notifications that the sender of a message from elsewhere asked for of its landing, which c holds
// (RFC 3461 5.2.2, 6.1).
func (s *Server) confirm(ctx context.Context, l *landing, c *content, r received) (err error) {
	var fates []fate
	for _, n := range l.to.names {
		d := mail.Delivery{Pod: l.to.Pod, Inbox: l.to.ID, Purpose: mail.PurposeForward, MessageID: l.filing.message.MessageID, Recipient: n.address, Handling: r.handling, Reporting: n.Reporting,
			Origin: mail.Origin{ReversePath: r.reversePath, Vouched: r.vouched}, TraceID: mail.TraceID(ctx), CreatedAt: r.at}
		fates = append(fates, fate{delivery: d, action: l.forwards.action()})
	}
	l.notices, err = s.newNotices(ctx, fates, func(ctx context.Context, _ *mail.Delivery) (io.Reader, error) { return s.open(ctx, c), nil })
	return err
}

// told is to whom a notification about a delivery goes: who sent the message. Empty: to nobody. Nobody is told of what was
// itself a notification, and nobody elsewhere who may not have sent anything.
func told(d *mail.Delivery) string {
	switch {
	case d.Purpose == mail.PurposeSent:
		return d.Sender
	case d.Purpose.HandsOn() && d.Origin.Vouched != "":
		return d.Origin.ReversePath
	}
	return ""
}

// wantsNotice tells whether a message's sender wants to be told by mail. Who sends by SMTP says so, or means the usual
// (RFC 3461 4.1); who sends by the API reads events, and is told of failures if his domain has it so.
func (s *Server) wantsNotice(ctx context.Context, f *fate) (bool, error) {
	d := &f.delivery
	switch {
	case told(d) == "":
		return false, nil
	case d.Notify != "":
		word := map[dsn.Action]string{dsn.Failed: "FAILURE", dsn.Delayed: "DELAY"}[f.action]
		if word == "" {
			word = "SUCCESS"
		}
		return slices.Contains(strings.Split(d.Notify, ","), word), nil
	case f.action != dsn.Failed || d.Purpose != mail.PurposeSent:
		return f.action == dsn.Failed, nil
	}
	_, name, _ := mail.SplitAddress(inboxAddress(d.Sender))
	var domain mail.Domain
	err := s.store.For(d.Scope()).Read(ctx, func(tx storage.Tx) (err error) {
		domain, _, err = servingDomain(tx, name)
		return err
	})
	return domain.FeedbackEnabled, err
}

// openCarried opens the message that a delivery in the queue carries.
func (s *Server) openCarried(ctx context.Context, d *mail.Delivery) (io.Reader, error) {
	at := s.store.For(d.Scope())
	var raw storage.RawMessage
	err := at.Read(ctx, func(tx storage.Tx) (err error) {
		raw, err = tx.FindCarried(d.ID)
		return err
	})
	return io.NewSectionReader(at.Reader(ctx, raw), 0, raw.Size), err
}

// newNotice composes one notification and prepares its filing.
func (s *Server) newNotice(ctx context.Context, fates []fate, open opener) (*notice, error) {
	d := &fates[0].delivery
	message, err := open(ctx, d)
	if err != nil {
		return nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	n := &dsn.Notice{From: "MAILER-DAEMON@" + s.hostname, To: told(d), Notification: "<" + id + "@" + s.hostname + ">", Date: now, BoundarySeed: id,
		Report: dsn.Report{EnvelopeID: d.EnvelopeID, ReportingMTA: s.hostname, ArrivalDate: d.CreatedAt, MessageID: d.MessageID}}
	for _, f := range fates {
		n.Recipients = append(n.Recipients, f.recipient(now))
	}
	n.Returned, n.Full, n.EightBit = message, d.Return == "FULL", true
	if !n.Full {
		header, err := io.ReadAll(io.LimitReader(message, maxNotedHeader))
		if err != nil {
			return nil, err
		}
		n.Returned, n.EightBit = bytes.NewReader(header), bytes.ContainsFunc(header, func(r rune) bool { return r >= 0x80 })
	}
	return s.prepareNotice(ctx, n, d, now)
}

// recipient is the fate in the words of a notification.
func (f *fate) recipient(now time.Time) dsn.Recipient {
	kind, original, _ := strings.Cut(f.delivery.OriginalRecipient, ";")
	if kind == "rfc822" {
		kind = ""
	}
	to := dsn.Recipient{Final: f.delivery.Recipient, Original: original, OriginalType: kind, Own: !f.replied, Action: f.action, Status: f.status, Diagnostic: f.said, RemoteMTA: f.host, LastAttempt: now, RetryUntil: f.until}
	if to.Status == "" {
		to.Status = map[dsn.Action]string{dsn.Failed: "5.0.0", dsn.Delayed: "4.0.0"}[f.action]
	}
	if to.Status == "" {
		to.Status = "2.0.0"
	}
	return to
}

// prepareNotice writes a notification down and works out its filing, or its way.
func (s *Server) prepareNotice(ctx context.Context, n *dsn.Notice, d *mail.Delivery, now time.Time) (*notice, error) {
	w := s.newStaging(ctx, []int64{d.Pod})
	c, err := w.end(dsn.Write(w, n))
	if err != nil {
		return nil, err
	}
	if d.Purpose != mail.PurposeSent {
		mailed, err := s.mailedNotice(ctx, n, d, now)
		if err != nil {
			s.discard(c)
			return nil, err
		}
		return &notice{content: c, mailed: mailed}, nil
	}
	trace := []byte(compose.ReturnPath("") + compose.Received(compose.Hop{By: s.hostname, Protocol: "local", ID: d.TraceID, For: d.Sender, Time: now}))
	p, err := s.parsed(ctx, c, trace)
	if err != nil {
		s.discard(c)
		return nil, err
	}
	m := mail.Message{Labels: []string{mail.LabelAutomatic, mail.LabelReceived, mail.LabelUnread}, Timestamp: now, InternalDate: now, TraceID: d.TraceID}
	f, err := s.newFiling(m, p, c, trace, nil, mail.LabelReceived)
	if err != nil {
		s.discard(c)
		return nil, err
	}
	return &notice{content: c, filing: f}, nil
}

// mailedNotice is how a notification is mailed: from nobody, so that none is sent on it (RFC 3461 6.1), and with no less
// TLS than the message (RFC 8689 5).
func (s *Server) mailedNotice(ctx context.Context, n *dsn.Notice, d *mail.Delivery, now time.Time) (out mail.Delivery, err error) {
	out = mail.Delivery{Purpose: mail.PurposeNotice, MessageID: n.Notification, Recipient: n.To, State: mail.DeliveryQueued, NextAttemptAt: now, TraceID: d.TraceID, CreatedAt: now,
		Handling: mail.Handling{RequireTLS: d.RequireTLS}, Reporting: mail.Reporting{Notify: "NEVER"}}
	_, out.Destination, _ = mail.SplitAddress(inboxAddress(n.To))
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		out.Courier, err = s.courierFor(sys, n.To, out.Destination)
		return err
	})
	return out, err
}

// fileNotices files notifications in the inbox that the handle is bound to, or queues them there.
func fileNotices(tx storage.Tx, notices []*notice) error {
	for _, n := range notices {
		if n.filing == nil {
			blob, err := n.content.link(tx, n.mailed.CreatedAt)
			if err != nil {
				return err
			}
			if err := tx.InsertNotice(n.mailed, blob, nil); err != nil {
				return err
			}
			continue
		}
		if err := n.filing.file(tx); err != nil {
			return err
		}
		m := &n.filing.message.Message
		if err := tx.InsertEvent(mail.Event{Type: mail.EventReceived, Message: m.ID, MessageID: m.MessageID, CreatedAt: n.filing.now}); err != nil {
			return err
		}
	}
	return nil
}

// discardNotices gives up what notifications hold.
func (s *Server) discardNotices(notices []*notice) {
	for _, n := range notices {
		s.discard(n.content)
	}
	if len(notices) > 0 {
		poke(s.index)
		poke(s.queue)
		poke(s.outbound)
	}
}
