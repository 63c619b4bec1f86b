package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"podmail/mail"
	"podmail/mail/compose"
	"podmail/storage"
)

// NewDraft asks for a draft. Headers of the request are not part of it.
type NewDraft struct {
	SendRequest
	InReplyTo, ForwardOf string // message ids; at most one of them
	ReplyAll             bool
	SendAt               time.Time // zero: when it is told to
	ClientID             string
}

// DraftUpdate changes a draft. What is nil stays as it is; what is empty is cleared.
type DraftUpdate struct {
	To, Cc, Bcc, ReplyTo    *[]string
	Subject, Text, HTML     *string
	AddAttachments          []NewAttachment
	RemoveAttachments       []string // ids
	AddLabels, RemoveLabels []string
	SendAt                  *time.Time // zero: not scheduled any more
}

// CreateDraft makes a draft in the grant's inbox, or returns the one that has the client id already. An answer's
// recipients, subject and references are those of Reply, a forwarded message's subject that of Forward.
func (s *Server) CreateDraft(ctx context.Context, g mail.Grant, n NewDraft) (mail.Draft, mail.Content, error) {
	var none mail.Content
	if err := g.Require(mail.DraftCreate); err != nil {
		return mail.Draft{}, none, err
	}
	if n.ClientID != "" {
		have, err := s.findDraftByClientID(ctx, g, n.ClientID)
		if err == nil {
			return s.showDraft(ctx, have)
		} else if mail.CodeOf(err) != mail.CodeNotFound {
			return have, none, err
		}
	}
	out, d, err := s.newDraft(ctx, g, n)
	if err != nil {
		return d, none, err
	}
	if err := s.schedule(g, out, &d, &n.SendAt); err != nil {
		return d, none, err
	}
	err = s.storeDraft(ctx, out, &d, func(storage.Tx, *edit) error { return nil })
	if errors.Is(err, storage.ErrTaken) { // by a request at the same time
		if d, err = s.findDraftByClientID(ctx, g, n.ClientID); err != nil {
			return d, none, err
		}
	} else if err != nil {
		return d, none, coded(err, "Inbox")
	}
	return s.showDraft(ctx, d)
}

func (s *Server) findDraftByClientID(ctx context.Context, g mail.Grant, id string) (d mail.Draft, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		d, err = tx.FindDraftByClientID(id)
		return err
	})
	return d, coded(err, draftNoun)
}

// newDraft works out a draft from a request.
func (s *Server) newDraft(ctx context.Context, g mail.Grant, n NewDraft) (out *outgoing, d mail.Draft, err error) {
	switch {
	case n.InReplyTo != "" && n.ForwardOf != "":
		return nil, d, mail.Invalid("forward_of", "excludes in_reply_to")
	case n.ReplyAll && n.InReplyTo == "":
		return nil, d, mail.Invalid("reply_all", "needs in_reply_to")
	}
	if out, err = s.newOutgoing(ctx, g, n.SendRequest); err != nil {
		return nil, d, err
	}
	id, err := s.newID()
	if err != nil {
		return nil, d, err
	}
	d = mail.Draft{DraftID: id, ClientID: n.ClientID, Kind: mail.DraftPlain}
	out.labels = append([]string{mail.LabelDraft}, out.labels[1:]...) // in the place of sent
	if n.InReplyTo+n.ForwardOf == "" {
		return out, d, nil
	}
	original, err := s.readMessage(ctx, g, n.InReplyTo+n.ForwardOf)
	if err != nil {
		return nil, d, err
	}
	d.Original = original.MessageID
	if n.ForwardOf != "" {
		d.Kind, out.original = mail.DraftForward, &original
		if n.Subject == "" {
			out.draft.Subject = compose.ForwardSubject(original.Envelope.Subject)
		}
		return out, d, nil
	}
	d.Kind = mail.DraftReply
	if n.ReplyAll {
		d.Kind = mail.DraftReplyAll
	}
	return out, d, out.answer(&original, n.SendRequest, n.ReplyAll)
}

// schedule sets when a draft is sent, by a grant that may send it; at may be nil, for no change, or zero, for never.
func (s *Server) schedule(g mail.Grant, out *outgoing, d *mail.Draft, at *time.Time) error {
	if at == nil {
		return nil
	}
	d.SendAt, d.SendStatus = *at, ""
	out.labels = slices.DeleteFunc(out.labels, func(l string) bool { return l == mail.LabelScheduled })
	if at.IsZero() {
		return nil
	}
	if err := g.Require(mail.DraftSend); err != nil {
		return err
	}
	if !at.After(s.clock.Now()) {
		return mail.Invalid("send_at", "lies in the past")
	}
	d.SendStatus, out.labels = mail.SendScheduled, append(out.labels, mail.LabelScheduled)
	return nil
}

// storeDraft writes a draft's message and row. A draft that has a key has its message replaced; before says first
// whether it may.
func (s *Server) storeDraft(ctx context.Context, out *outgoing, d *mail.Draft, before func(storage.Tx, *edit) error) error {
	ctx = s.traced(ctx)
	out.draft.Unsent, out.draft.Bcc = true, out.bcc
	release, err := out.fetch(ctx)
	if err != nil {
		return err
	}
	defer release()
	c, err := s.compose(ctx, out)
	if err != nil {
		return err
	}
	defer s.discard(c)
	p, err := s.parsed(ctx, c, nil)
	if err != nil {
		return err
	}
	keepAttachmentIDs(p, out)
	now := s.clock.Now()
	labels, _, _ := mail.ApplyLabels(nil, out.labels, nil)
	f, err := s.newFiling(mail.Message{Labels: labels, Timestamp: now, InternalDate: now, TraceID: mail.TraceID(ctx)}, p, c, nil, nil, mail.LabelDraft)
	if err != nil {
		return err
	}
	err = s.store.For(out.inbox.Scope()).Write(ctx, func(tx storage.Tx) error {
		e := s.newEdit(tx, now)
		if err := before(tx, e); err != nil {
			return err
		}
		if err := out.joinOriginal(tx, f); err != nil {
			return err
		}
		if err := f.file(tx); err != nil {
			return err
		}
		return replaceDraft(tx, e, d, &f.message.Message)
	})
	if err == nil {
		s.hub.Wake(out.inbox.Scope())
		poke(s.index)
		poke(s.drafts)
		d.Message.InboxID = out.inbox.Address
	}
	return err
}

// joinOriginal ties a draft to the thread of the message that it answers or forwards, if that is still there.
func (o *outgoing) joinOriginal(tx storage.Tx, f *filing) error {
	if o.original == nil {
		return nil
	}
	original, err := tx.FindMessageByID(o.original.ID)
	if err == nil {
		f.forced = original.Thread
	} else if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	return err
}

// replaceDraft makes m the message of a draft.
func replaceDraft(tx storage.Tx, e *edit, d *mail.Draft, m *mail.Message) error {
	old := d.Message
	d.Message, d.Submitted, d.UpdatedAt = *m, nil, e.now
	if d.ID == 0 {
		d.CreatedAt = e.now
		return tx.InsertDraft(d)
	}
	if err := tx.UpdateDraft(d); err != nil {
		return err
	}
	if err := e.remove(&old); err != nil {
		return err
	}
	return e.flush()
}

// keepAttachmentIDs gives the attachments of a message that was just written the ids that callers know them by.
func keepAttachmentIDs(p *mail.Parsed, out *outgoing) {
	files := out.draft.Files()
	if len(files) != len(p.Attachments) {
		return // a text file without a name may be read as text
	}
	for i, f := range files {
		if f.ID != "" {
			p.Attachments[i].AttachmentID = f.ID
		}
	}
}

// UpdateDraft changes a draft. conflict while it is being sent.
func (s *Server) UpdateDraft(ctx context.Context, g mail.Grant, draftID string, u DraftUpdate) (mail.Draft, mail.Content, error) {
	if err := g.Require(mail.DraftUpdate); err != nil {
		return mail.Draft{}, mail.Content{}, err
	}
	d, err := s.findDraft(ctx, g, draftID)
	if err != nil {
		return d, mail.Content{}, err
	}
	release, err := s.reserveDraft(d.ID, false)
	if err != nil {
		return d, mail.Content{}, err
	}
	defer release()
	out, err := s.openDraft(ctx, g, &d)
	if err != nil {
		return d, mail.Content{}, err
	}
	if err := s.changeDraft(g, out, &d, u); err != nil {
		return d, mail.Content{}, err
	}
	err = s.storeDraft(ctx, out, &d, func(tx storage.Tx, _ *edit) error {
		have, err := tx.FindDraftByID(d.ID)
		if err == nil && have.Message.ID != d.Message.ID {
			err = errDraftBusy()
		}
		d.Message = have.Message // with the labels that it has by now
		return err
	})
	if err != nil {
		return d, mail.Content{}, coded(err, draftNoun)
	}
	return s.showDraft(ctx, d)
}

// changeDraft applies an update to a draft that was opened.
func (s *Server) changeDraft(g mail.Grant, out *outgoing, d *mail.Draft, u DraftUpdate) error {
	r := SendRequest{}
	for _, f := range []struct {
		from *[]string
		into *[]string
		have *[]mail.Address
	}{{u.To, &r.To, &out.draft.To}, {u.Cc, &r.Cc, &out.draft.Cc}, {u.Bcc, &r.Bcc, &out.bcc}, {u.ReplyTo, &r.ReplyTo, &out.draft.ReplyTo}} {
		if f.from != nil {
			*f.into, *f.have = *f.from, nil
		}
	}
	if err := out.address(r); err != nil {
		return err
	}
	for _, f := range []struct{ from, into *string }{{u.Subject, &out.draft.Subject}, {u.Text, &out.draft.Text}, {u.HTML, &out.draft.HTML}} {
		if f.from != nil {
			*f.into = *f.from
		}
	}
	for _, id := range u.RemoveAttachments {
		if !slices.ContainsFunc(out.draft.Attachments, func(a compose.Attachment) bool { return a.ID == id }) {
			return mail.Invalid("remove_attachments", "the draft has no attachment %q", id)
		}
		out.draft.Attachments = slices.DeleteFunc(out.draft.Attachments, func(a compose.Attachment) bool { return a.ID == id })
	}
	out.attach(u.AddAttachments)
	if err := compose.Check(&out.draft); err != nil {
		return err
	}
	if err := out.changeLabels(u.AddLabels, u.RemoveLabels); err != nil {
		return err
	}
	return s.schedule(g, out, d, u.SendAt)
}

// changeLabels adds and removes labels that callers may set.
func (o *outgoing) changeLabels(add, remove []string) error {
	if len(add)+len(remove) == 0 {
		return nil
	}
	add, remove, err := checkLabels(add, remove)
	if err == nil {
		o.labels, _, _ = mail.ApplyLabels(o.labels, add, remove)
	}
	return err
}
