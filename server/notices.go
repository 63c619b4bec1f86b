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

// notice is a delivery status notification (RFC 3464) on its way into the inbox that sent what it is about.
type notice struct {
	filing  *filing
	content *content
}

// fate is what became of a delivery, as a notification tells it.
type fate struct {
	delivery mail.Delivery
	action   dsn.Action
	status   string
	said     string // by host, verbatim
	host     string
	until    time.Time // when it is given up; zero: it is over
}

// newNotices prepares the notifications that senders want of deliveries of one message, one for each action. They are
// filed in the transaction that notes the outcomes, and then discarded.
func (s *Server) newNotices(ctx context.Context, fates []fate) (notices []*notice, err error) {
	for _, action := range []dsn.Action{dsn.Failed, dsn.Delayed, dsn.Delivered, dsn.Relayed} {
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
		n, err := s.newNotice(ctx, wanted)
		if errors.Is(err, storage.ErrNotFound) {
			continue // the message and its delivery are gone: there is nobody to tell
		} else if err != nil {
			return notices, fmt.Errorf("prepare a notification: %w", err)
		}
		notices = append(notices, n)
	}
	return notices, nil
}

// wantsNotice tells whether a delivery's sender wants to be told by mail. Who sends by a mail program says so, or means the
// usual (RFC 3461 4.1); who sends by the API reads events, and is told of failures if his domain has it so. Nobody is told
// of what was itself a notification.
func (s *Server) wantsNotice(ctx context.Context, f *fate) (bool, error) {
	d := &f.delivery
	switch {
	case d.Sender == "":
		return false, nil
	case d.Notify != "":
		word := map[dsn.Action]string{dsn.Failed: "FAILURE", dsn.Delayed: "DELAY"}[f.action]
		if word == "" {
			word = "SUCCESS"
		}
		return slices.Contains(strings.Split(d.Notify, ","), word), nil
	case f.action != dsn.Failed:
		return false, nil
	}
	_, name, _ := mail.SplitAddress(inboxAddress(d.Sender))
	var domain mail.Domain
	err := s.store.For(d.Scope()).Read(ctx, func(tx storage.Tx) (err error) {
		domain, _, err = servingDomain(tx, name)
		return err
	})
	return domain.FeedbackEnabled, err
}

// newNotice composes one notification and prepares its filing.
func (s *Server) newNotice(ctx context.Context, fates []fate) (*notice, error) {
	d := &fates[0].delivery
	at := s.store.For(d.Scope())
	var raw storage.RawMessage
	err := at.Read(ctx, func(tx storage.Tx) (err error) {
		raw, err = tx.FindCarried(d.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	n := &dsn.Notice{From: "MAILER-DAEMON@" + s.hostname, To: d.Sender, Notification: "<" + id + "@" + s.hostname + ">", Date: now, BoundarySeed: id,
		Report: dsn.Report{EnvelopeID: d.EnvelopeID, ReportingMTA: s.hostname, ArrivalDate: d.CreatedAt, MessageID: d.MessageID}}
	for _, f := range fates {
		n.Recipients = append(n.Recipients, f.recipient(now))
	}
	message := io.NewSectionReader(at.Reader(ctx, raw), 0, raw.Size)
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
	_, original, _ := strings.Cut(f.delivery.OriginalRecipient, ";")
	to := dsn.Recipient{Final: f.delivery.Recipient, Original: original, Action: f.action, Status: f.status, Diagnostic: f.said, RemoteMTA: f.host, LastAttempt: now, RetryUntil: f.until}
	if to.Status == "" {
		to.Status = map[dsn.Action]string{dsn.Failed: "5.0.0", dsn.Delayed: "4.0.0"}[f.action]
	}
	if to.Status == "" {
		to.Status = "2.0.0"
	}
	return to
}

// prepareNotice writes a notification down and works out its filing.
func (s *Server) prepareNotice(ctx context.Context, n *dsn.Notice, d *mail.Delivery, now time.Time) (*notice, error) {
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(dsn.Write(pw, n)) }()
	defer pr.Close()
	c, err := s.stage(ctx, []int64{d.Pod}, pr)
	if err != nil {
		return nil, err
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
	return &notice{f, c}, nil
}

// fileNotices files notifications in the inbox that the handle is bound to.
func fileNotices(tx storage.Tx, notices []*notice) error {
	for _, n := range notices {
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
	}
}
