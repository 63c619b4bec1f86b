package server

import (
	"context"
	"io"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// A submission that is to be held (RFC 4865) is a scheduled draft until its time comes, with its envelope beside it: the
// API shows it, moves it and cancels it like any other, and if nobody changes it, it leaves byte for byte as it came. An
// edit makes it an ordinary draft, whose recipients are those of its fields.

// MaxHold is how long a submission may be held.
const MaxHold = 366 * 24 * time.Hour

// hold stores a submission as a scheduled draft.
func (s *Server) hold(ctx context.Context, out *outgoing, c *content, at time.Time) (mail.Message, error) {
	now := s.clock.Now()
	if at.After(now.Add(MaxHold)) {
		return mail.Message{}, mail.Errorf(mail.CodeInvalid, "The message would be held for too long.").WithFix("Hold it for at most %d days.", MaxHold/(24*time.Hour))
	}
	p, err := s.parsed(ctx, c, nil)
	if err != nil {
		return mail.Message{}, err
	}
	p.Envelope.Bcc = out.bcc
	id, err := s.newID()
	if err != nil {
		return mail.Message{}, err
	}
	labels := []string{mail.LabelDraft, mail.LabelScheduled}
	f, err := s.newFiling(mail.Message{Labels: labels, Timestamp: now, InternalDate: now, TraceID: mail.TraceID(ctx)}, p, c, nil, nil, mail.LabelDraft)
	if err != nil {
		return mail.Message{}, err
	}
	err = s.store.For(out.inbox.Scope()).Write(ctx, func(tx storage.Tx) error {
		if err := f.file(tx); err != nil {
			return err
		}
		return tx.InsertDraft(&mail.Draft{DraftID: id, Kind: mail.DraftPlain, SendAt: at, SendStatus: mail.SendScheduled, CreatedAt: now, Message: f.message.Message,
			Submitted: &mail.Submitted{ReversePath: out.reversePath, Recipients: out.recipients, Reporting: out.reporting, Handling: out.handling}})
	})
	if err != nil {
		return mail.Message{}, coded(err, "Inbox")
	}
	s.hub.Wake(out.inbox.Scope())
	poke(s.index)
	poke(s.drafts)
	m := f.message.Message
	m.InboxID = out.inbox.Address
	s.log.Info("held", "trace", m.TraceID, "inbox", m.InboxID, "message_id", m.MessageID, "until", at)
	return m, nil
}

// sendSubmitted sends a draft as the mail program handed it in.
func (s *Server) sendSubmitted(ctx context.Context, g mail.Grant, d *mail.Draft, send DraftSend) (mail.Message, error) {
	out := &outgoing{labels: []string{mail.LabelSent}, reversePath: d.Submitted.ReversePath, recipients: d.Submitted.Recipients, reporting: d.Submitted.Reporting,
		handling: d.Submitted.Handling, bcc: d.Message.Envelope.Bcc, sends: d, once: send.Once, sender: g.KeyScope}
	if err := out.changeLabels(send.AddLabels, send.RemoveLabels); err != nil {
		return mail.Message{}, err
	}
	from := s.store.For(d.Message.Scope())
	var raw storage.RawMessage
	err := from.Read(ctx, func(tx storage.Tx) (err error) {
		if out.inbox, err = tx.FindOwnInbox(); err != nil {
			return err
		}
		raw, err = tx.FindRaw(d.Message.ID)
		return err
	})
	if err != nil {
		return mail.Message{}, coded(err, draftNoun)
	}
	if err := s.mayReach(ctx, out); err != nil {
		return mail.Message{}, coded(err, "Inbox")
	}
	ctx = s.traced(ctx)
	c, err := s.stage(ctx, []int64{out.inbox.Pod}, io.NewSectionReader(from.Reader(ctx, raw), 0, raw.Size))
	if err != nil {
		return mail.Message{}, err
	}
	defer s.discard(c)
	return s.storeSent(ctx, out, c)
}
