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
	if all && len(r.To)+len(r.Cc)+len(r.Bcc) > 0 {
		return mail.Message{}, mail.Invalid("reply_all", "goes to the original's recipients: to, cc and bcc may not be given with it")
	}
	original, out, err := s.newAnswer(ctx, g, messageID, r)
	if err != nil {
		return mail.Message{}, err
	}
	e := &original.Envelope
	out.mark = mail.LabelReplied
	out.draft.Subject = compose.ReplySubject(e.Subject)
	id := e.MessageID
	if id == "" {
		id = original.MessageID
	}
	out.draft.InReplyTo = id
	out.draft.References = compose.ReplyReferences(e, id)
	if len(r.To) == 0 {
		out.draft.To = replyTo(original)
	}
	if all {
		out.draft.To, out.draft.Cc = others(out.draft.To, original, out.inbox.Address)
	}
	return s.sendOut(ctx, out)
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
	if err != nil {
		return nil, nil, err
	}
	out.original = &original
	return &original, out, nil
}

// Forward sends a message on: its text quoted below r's, its attachments carried along.
func (s *Server) Forward(ctx context.Context, g mail.Grant, messageID string, r SendRequest) (mail.Message, error) {
	original, out, err := s.newAnswer(ctx, g, messageID, r)
	if err != nil {
		return mail.Message{}, err
	}
	out.mark = mail.LabelForwarded
	if r.Subject == "" {
		out.draft.Subject = compose.ForwardSubject(original.Envelope.Subject)
	}
	var src source
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		src, err = findSource(tx, original.ID)
		return err
	})
	if err != nil {
		return mail.Message{}, coded(err, "Message")
	}
	c, err := s.readContent(ctx, g.Scope, src)
	if err != nil {
		return mail.Message{}, err
	}
	quotedText, quotedHTML := compose.ForwardBody(&original.Envelope, c.Text, c.HTML)
	out.draft.Text = join(out.draft.Text, quotedText)
	if out.draft.HTML != "" || c.HasHTML {
		out.draft.HTML += quotedHTML
	}
	for _, a := range original.Attachments {
		out.draft.Attachments = append(out.draft.Attachments, compose.Attachment{Filename: a.Filename, ContentType: a.ContentType,
			Disposition: a.Disposition, ContentID: a.ContentID, Open: func() (io.Reader, error) {
				raw := s.store.For(g.Scope).Reader(ctx, src.raw)
				return parse.Decode(io.NewSectionReader(raw, a.Body, a.End-a.Body), a.Encoding), nil
			}})
	}
	return s.sendOut(ctx, out)
}

func join(above, below string) string {
	if above == "" {
		return below
	}
	return above + "\n\n" + below
}
