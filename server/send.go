package server

import (
	"bytes"
	"context"
	"errors"
	"io"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/parse"
	"podmail/storage"
)

// SendRequest is what send, reply and forward take. Addresses are as callers wrote them: `a@b` or `Name <a@b>`.
type SendRequest struct {
	To, Cc, Bcc, ReplyTo []string
	Subject              string
	Text, HTML           *string
	Attachments          []NewAttachment
	Headers              map[string]string
	Labels               []string
	TrackOpens           bool // by a picture in HTML
	Once                 Once
}

// NewAttachment is a file to send: what it holds, decoded, or where to get that.
type NewAttachment struct {
	Filename, ContentType, Disposition, ContentID string
	Content                                       []byte
	Fetch                                         func(context.Context) (*Fetched, error) // nil: Content is there
}

// maxSendRecipients is how many recipients a message sent through the API may have, to, cc and bcc together.
const maxSendRecipients = 50

// outgoing is a message on its way out of an inbox.
type outgoing struct {
	inbox       mail.Inbox
	draft       compose.Draft
	bcc         []mail.Address
	reversePath string
	recipients  []string // envelope, distinct
	labels      []string
	original    *mail.Message // that it answers or forwards
	mark        string        // label that the original gets
	sends       *mail.Draft   // that becomes this message
	once        Once
	sender      mail.Scope // of the API key that sends
	fetches     []fetch    // files that are not here yet
	handling    mail.Handling
	reporting   map[string]mail.Reporting // by recipient
	tracked     bool
}

// Send composes a message, stores it as sent and queues it to every recipient, in one transaction.
func (s *Server) Send(ctx context.Context, g mail.Grant, r SendRequest) (mail.Message, error) {
	if err := g.Require(mail.MessageSend); err != nil {
		return mail.Message{}, err
	}
	return s.once(ctx, g, r.Once, func() (mail.Message, error) {
		out, err := s.newOutgoing(ctx, g, r)
		if err != nil {
			return mail.Message{}, err
		}
		return s.sendOut(ctx, out)
	})
}

// newOutgoing checks a request and turns it into a draft from the grant's inbox.
func (s *Server) newOutgoing(ctx context.Context, g mail.Grant, r SendRequest) (*outgoing, error) {
	out := &outgoing{labels: []string{mail.LabelSent}, once: r.Once, sender: g.KeyScope, tracked: r.TrackOpens}
	err := s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		out.inbox, err = tx.FindOwnInbox()
		return err
	})
	if err != nil {
		return nil, coded(err, "Inbox")
	}
	local, domain, _ := mail.SplitAddress(out.inbox.Address)
	out.reversePath = out.inbox.Address
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	out.draft = compose.Draft{From: mail.Address{Name: out.inbox.DisplayName, Mailbox: local, Host: domain},
		Subject: r.Subject, Headers: r.Headers, MessageID: "<" + id + "@" + domain + ">", Date: s.clock.Now(), BoundarySeed: id}
	if r.Text != nil {
		out.draft.Text = *r.Text
	}
	if r.HTML != nil {
		out.draft.HTML = *r.HTML
	}
	for _, l := range r.Labels {
		label, err := callersLabel("labels", l)
		if err != nil {
			return nil, err
		}
		out.labels = append(out.labels, label)
	}
	out.attach(r.Attachments)
	if err := compose.Check(&out.draft); err != nil {
		return nil, err
	}
	return out, out.address(r)
}

// attach adds files that came with a request. Those that are elsewhere are fetched once nothing else is in the way.
func (o *outgoing) attach(files []NewAttachment) {
	for _, a := range files {
		if a.Fetch != nil {
			o.fetches = append(o.fetches, fetch{at: len(o.draft.Attachments), from: a.Fetch})
		}
		o.draft.Attachments = append(o.draft.Attachments, compose.Attachment{Filename: a.Filename, ContentType: a.ContentType,
			Disposition: a.Disposition, ContentID: a.ContentID, Open: func() (io.Reader, error) { return bytes.NewReader(a.Content), nil }})
	}
}

// address parses the request's addresses.
func (o *outgoing) address(r SendRequest) error {
	for _, f := range []struct {
		field string
		from  []string
		into  *[]mail.Address
	}{{"to", r.To, &o.draft.To}, {"cc", r.Cc, &o.draft.Cc}, {"bcc", r.Bcc, &o.bcc}, {"reply_to", r.ReplyTo, &o.draft.ReplyTo}} {
		for _, text := range f.from {
			a, err := parse.Address(text)
			if err != nil {
				return mail.Invalid(f.field, "%v", err)
			}
			*f.into = append(*f.into, a)
		}
	}
	if len(o.draft.ReplyTo) > maxSendRecipients {
		return mail.Invalid("reply_to", "has at most %d addresses", maxSendRecipients)
	}
	return nil
}

// envelope works out the distinct envelope recipients.
func (o *outgoing) envelope() error {
	seen := map[string]bool{}
	n := 0
	for _, list := range [][]mail.Address{o.draft.To, o.draft.Cc, o.bcc} {
		for _, a := range list {
			n++
			if addr := a.Addr(); !seen[asciiAddress(addr)] {
				seen[asciiAddress(addr)] = true
				o.recipients = append(o.recipients, addr)
			}
		}
	}
	if n == 0 {
		return mail.Errorf(mail.CodeInvalid, "The message has no recipients.").WithReason(mail.ReasonUnprocessable).WithFix("Give at least one of to, cc and bcc.")
	}
	if n > maxSendRecipients {
		return mail.Errorf(mail.CodeInvalid, "The message has %d recipients; %d are allowed.", n, maxSendRecipients).WithReason(mail.ReasonUnprocessable).
			WithFix("Send it in several messages.")
	}
	return nil
}

// sendOut composes, stages and stores the message.
func (s *Server) sendOut(ctx context.Context, out *outgoing) (mail.Message, error) {
	if err := out.envelope(); err != nil {
		return mail.Message{}, err
	}
	if err := s.mayReach(ctx, out); err != nil {
		return mail.Message{}, coded(err, "Inbox")
	}
	if out.tracked {
		if err := s.track(ctx, out); err != nil {
			return mail.Message{}, err
		}
	}
	ctx = s.traced(ctx)
	release, err := out.fetch(ctx)
	if err != nil {
		return mail.Message{}, err
	}
	defer release()
	c, err := s.compose(ctx, out)
	if err != nil {
		return mail.Message{}, err
	}
	defer s.discard(c)
	return s.storeSent(ctx, out, c)
}

// compose writes the message down.
func (s *Server) compose(ctx context.Context, out *outgoing) (*content, error) {
	w := s.newStaging(ctx, []int64{out.inbox.Pod})
	return w.end(compose.Write(w, &out.draft))
}

// storeSent files the message in Sent with a queue row for each recipient and the event, in one transaction.
func (s *Server) storeSent(ctx context.Context, out *outgoing, c *content) (mail.Message, error) {
	now := s.clock.Now()
	p, err := s.parsed(ctx, c, nil)
	if err != nil {
		return mail.Message{}, err
	}
	p.Envelope.Bcc = out.bcc // the sender may see them; the bytes do not have them
	labels, _, _ := mail.ApplyLabels(nil, out.labels, nil)
	f, err := s.newFiling(mail.Message{Labels: labels, Timestamp: now, InternalDate: now, TraceID: mail.TraceID(ctx)}, p, c, nil, nil, mail.LabelSent)
	if err != nil {
		return mail.Message{}, err
	}
	var limited error
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		tx := sys.For(out.inbox.Scope())
		e := s.newEdit(tx, now)
		if out.sends != nil {
			if err := takeDraft(tx, e, out.sends); err != nil {
				return err
			}
		}
		if err := out.markOriginal(tx, f, e); err != nil {
			return err
		}
		if err := e.flush(); err != nil {
			return err
		}
		if err := f.file(tx); err != nil {
			return err
		}
		if err := out.once.note(sys, out.sender, &f.message.Message, now); err != nil {
			return err
		}
		if limited = s.countSent(sys, &out.inbox, len(out.recipients), now); limited != nil {
			return limited
		}
		if err := s.enqueue(sys, tx, out, &f.message.Message, now); err != nil {
			return err
		}
		return tx.InsertEvent(mail.Event{Type: mail.EventSent, Message: f.message.ID, MessageID: f.message.MessageID,
			Details: map[string]any{"recipients": out.recipients}, CreatedAt: now})
	})
	if _, beyond := errors.AsType[*mail.Error](limited); beyond {
		s.counters.refuse(byLimit)
	}
	if err != nil {
		return mail.Message{}, coded(err, "Inbox")
	}
	m := f.message.Message
	m.InboxID = out.inbox.Address
	s.hub.Wake(out.inbox.Scope())
	poke(s.queue)
	poke(s.outbound)
	poke(s.index)
	s.log.Info("sent", "trace", m.TraceID, "inbox", m.InboxID, "message_id", m.MessageID, "recipients", len(out.recipients), "size", m.Size)
	return m, nil
}

// markOriginal ties the message to the thread of the one it answers or forwards, and labels that one.
func (o *outgoing) markOriginal(tx storage.Tx, f *filing, e *edit) error {
	if o.original == nil {
		return nil
	}
	original, err := tx.FindMessageByID(o.original.ID)
	if err != nil {
		return err
	}
	f.forced = original.Thread
	return e.relabel(&original, []string{o.mark}, nil)
}
