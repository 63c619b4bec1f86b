package server

import (
	"context"
	"io"
	"slices"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/mail/parse"
	"podmail/storage"
)

// Reply answers a message; with all it also goes to the original's other recipients, and r may then name none.
func (s *Server) Reply(ctx context.Context, g mail.Grant, messageID string, r SendRequest, all bool) (mail.Message, error) {
	if err := g.Require(mail.MessageSend); err != nil {
		return mail.Message{}, err
	}
	return s.once(ctx, g, r.Once, func() (mail.Message, error) {
		original, out, err := s.newAnswer(ctx, g, messageID, r)
		if err != nil {
			return mail.Message{}, err
		}
		if err := out.answer(original, r, all); err != nil {
			return mail.Message{}, err
		}
		return s.sendOut(ctx, out)
	})
}

// answer makes the message an answer to original: its subject, what it refers to, and whom it goes to unless r says so.
func (o *outgoing) answer(original *mail.Message, r SendRequest, all bool) error {
	if all && len(r.To)+len(r.Cc)+len(r.Bcc) > 0 {
		return mail.Invalid("reply_all", "goes to the original's recipients: to, cc and bcc may not be given with it")
	}
	o.original, o.mark = original, mail.LabelReplied
	o.refer(original)
	if r.Subject == "" {
		o.draft.Subject = compose.ReplySubject(original.Envelope.Subject)
	}
	if len(r.To) == 0 {
		o.draft.To = replyTo(original)
	}
	if all {
		o.draft.To, o.draft.Cc = others(o.draft.To, original, o.inbox.Address)
	}
	return nil
}

// refer names the original, so that every mail program files the answer with it (RFC 5322 3.6.4).
func (o *outgoing) refer(original *mail.Message) {
	id := original.Envelope.MessageID
	if id == "" {
		id = original.MessageID
	}
	o.draft.InReplyTo = id
	o.draft.References = compose.ReplyReferences(&original.Envelope, id)
}

// replyTo is who an answer goes to: Reply-To or From (RFC 5322 3.6.2), or its recipients when we sent it.
func replyTo(m *mail.Message) []mail.Address {
	e := &m.Envelope
	list := e.From
	if slices.Contains(m.Labels, mail.LabelSent) {
		list = e.To
	} else if len(e.ReplyTo) > 0 {
		list = e.ReplyTo
	}
	return slices.DeleteFunc(slices.Clone(list), unanswerable)
}

// unanswerable tells whether no mail can be sent to what stands in a header as an address.
func unanswerable(a mail.Address) bool {
	_, err := parse.Address(a.Addr())
	return err != nil || a.Host == parse.MissingDomain
}

// others adds the original's other recipients to a reply, less ourselves and those who are there already.
func others(to []mail.Address, m *mail.Message, self string) (allTo, cc []mail.Address) {
	seen := map[string]bool{self: true}
	take := func(from []mail.Address) (taken []mail.Address) {
		for _, a := range from {
			if addr := inboxAddress(a.Addr()); !unanswerable(a) && !seen[addr] {
				seen[addr] = true
				taken = append(taken, a)
			}
		}
		return taken
	}
	for _, a := range to {
		seen[inboxAddress(a.Addr())] = true
	}
	return append(to, take(m.Envelope.To)...), take(m.Envelope.Cc)
}

// newAnswer finds the original and begins a message that belongs to its thread.
func (s *Server) newAnswer(ctx context.Context, g mail.Grant, messageID string, r SendRequest) (*mail.Message, *outgoing, error) {
	out, err := s.newOutgoing(ctx, g, r)
	if err != nil {
		return nil, nil, err
	}
	original, err := s.readMessage(ctx, g, messageID)
	return &original, out, err
}

// Forward sends a message on: its text quoted below r's, its attachments carried along.
func (s *Server) Forward(ctx context.Context, g mail.Grant, messageID string, r SendRequest) (mail.Message, error) {
	if err := g.Require(mail.MessageSend); err != nil {
		return mail.Message{}, err
	}
	return s.once(ctx, g, r.Once, func() (mail.Message, error) {
		original, out, err := s.newAnswer(ctx, g, messageID, r)
		if err != nil {
			return mail.Message{}, err
		}
		if r.Subject == "" {
			out.draft.Subject = compose.ForwardSubject(original.Envelope.Subject)
		}
		if err := s.forward(ctx, g, out, original); err != nil {
			return mail.Message{}, err
		}
		return s.sendOut(ctx, out)
	})
}

// forward puts the original's text below the message's, and its attachments beside it.
func (s *Server) forward(ctx context.Context, g mail.Grant, out *outgoing, original *mail.Message) error {
	out.original, out.mark = original, mail.LabelForwarded
	src, c, err := s.readSource(ctx, g, original)
	if err != nil {
		return err
	}
	quotedText, quotedHTML := compose.ForwardBody(&original.Envelope, c.Text, c.HTML)
	out.draft.Text = join(out.draft.Text, quotedText)
	if out.draft.HTML != "" || c.HasHTML {
		out.draft.HTML += quotedHTML
	}
	out.draft.Attachments = append(out.draft.Attachments, s.carried(ctx, g, original, src)...)
	return nil
}

// readSource reads a message's bodies, and says where they are.
func (s *Server) readSource(ctx context.Context, g mail.Grant, m *mail.Message) (src source, c mail.Content, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		src, err = findSource(tx, m.ID)
		return err
	})
	if err != nil {
		return src, c, coded(err, "Message")
	}
	c, err = s.readContent(ctx, g.Scope, src)
	return src, c, err
}

// carried are a message's attachments as those of another message. They are read from the store when that is written.
func (s *Server) carried(ctx context.Context, g mail.Grant, m *mail.Message, src source) (files []compose.Attachment) {
	for _, a := range m.Attachments {
		files = append(files, compose.Attachment{Filename: a.Filename, ContentType: a.ContentType, Disposition: a.Disposition, ContentID: a.ContentID, ID: a.AttachmentID,
			Open: func() (io.Reader, error) {
				raw := s.store.For(g.Scope).Reader(ctx, src.raw)
				return parse.Decode(io.NewSectionReader(raw, a.Body, a.End-a.Body), a.Encoding), nil
			}})
	}
	return files
}

func join(above, below string) string {
	if above == "" {
		return below
	}
	return above + "\n\n" + below
}
