package server

import (
	"context"
	"errors"
	"slices"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/storage"
)

// openDraft reads a draft back into what it was written from. The grant is of its inbox.
func (s *Server) openDraft(ctx context.Context, g mail.Grant, d *mail.Draft) (*outgoing, error) {
	out, err := s.newOutgoing(ctx, g, SendRequest{})
	if err != nil {
		return nil, err
	}
	src, c, err := s.readSource(ctx, g, &d.Message)
	if err != nil {
		return nil, err
	}
	e := &d.Message.Envelope
	out.draft.To, out.draft.Cc, out.bcc, out.draft.ReplyTo = e.To, e.Cc, e.Bcc, e.ReplyTo
	out.draft.Subject, out.draft.Text, out.draft.HTML = e.Subject, c.Text, c.HTML
	if len(e.InReplyTo) > 0 {
		out.draft.InReplyTo = e.InReplyTo[0]
	}
	out.draft.References = e.References
	out.draft.Attachments = s.carried(ctx, g, &d.Message, src)
	out.labels = slices.Clone(d.Message.Labels)
	if d.Original == "" {
		return out, nil
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		original, err := tx.FindMessage(d.Original)
		if err == nil {
			out.original = &original
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) { // deleted since: an answer can be sent all the same
		return out, nil
	}
	return out, coded(err, "Message")
}

// SendDraft turns a draft into a message that is sent, in one transaction: the draft is gone when and only when the
// message is there. conflict if it is being sent already.
func (s *Server) SendDraft(ctx context.Context, g mail.Grant, draftID string, send DraftSend) (mail.Message, error) {
	if err := g.Require(mail.DraftSend); err != nil {
		return mail.Message{}, err
	}
	return s.once(ctx, g, send.Once, func() (mail.Message, error) {
		d, err := s.findDraft(ctx, g, draftID)
		if err != nil {
			return mail.Message{}, err
		}
		return s.sendDraft(ctx, g, d, send)
	})
}

// DraftSend says how a draft is sent: with which labels added and removed.
type DraftSend struct {
	AddLabels, RemoveLabels []string
	Once                    Once
}

func (s *Server) sendDraft(ctx context.Context, g mail.Grant, d mail.Draft, send DraftSend) (mail.Message, error) {
	release, err := s.reserveDraft(d.ID, true)
	if err != nil {
		return mail.Message{}, err
	}
	defer release()
	if d.Submitted != nil {
		return s.sendSubmitted(ctx, g, &d, send)
	}
	out, err := s.openDraft(ctx, g, &d)
	if err != nil {
		return mail.Message{}, err
	}
	if err := out.checkAddresses(); err != nil {
		return mail.Message{}, err
	}
	out.sends, out.once = &d, send.Once
	out.labels = slices.DeleteFunc(out.labels, func(l string) bool { return mail.SystemLabel(l) || l == mail.LabelUnread || l == mail.LabelDeleted })
	if err := out.changeLabels(send.AddLabels, send.RemoveLabels); err != nil {
		return mail.Message{}, err
	}
	out.labels = append(out.labels, mail.LabelSent)
	switch {
	case d.Kind == mail.DraftForward && out.original == nil:
		return mail.Message{}, mail.Errorf(mail.CodeInvalid, "The message that the draft forwards is gone.").WithReason(mail.ReasonUnprocessable)
	case d.Kind == mail.DraftForward:
		err = s.forward(ctx, g, out, out.original)
	case out.original != nil:
		out.mark = mail.LabelReplied
	}
	if err != nil {
		return mail.Message{}, err
	}
	return s.sendOut(ctx, out)
}

// checkAddresses refuses what a mail program wrote into a draft as an address and no mail can be sent to.
func (o *outgoing) checkAddresses() error {
	for field, list := range map[string][]mail.Address{"to": o.draft.To, "cc": o.draft.Cc, "bcc": o.bcc} {
		if i := slices.IndexFunc(list, unanswerable); i >= 0 {
			return mail.Invalid(field, "%s is no address", list[i].String())
		}
	}
	return compose.Check(&o.draft)
}
