package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// A draft's fields are kept as MIME, in a message of the Drafts mailbox: what the API and what a mail program change is
// the same thing. An edit through the API writes a new message in place of the old one, as a mail program does.

// draftNoun is what answers call it.
const draftNoun = "Draft"

// ListDrafts lists the drafts in the grant's scope by their last change.
func (s *Server) ListDrafts(ctx context.Context, g mail.Grant, f mail.MessageFilter, p mail.Page) (drafts []mail.Draft, next string, err error) {
	if err := g.Require(mail.DraftRead); err != nil {
		return nil, "", err
	}
	f = s.visible(g, f)
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		drafts, next, err = tx.ListDrafts(f, p)
		return err
	})
	for i := range drafts {
		s.showSending(&drafts[i])
	}
	return drafts, next, coded(err, "Drafts")
}

// showSending tells of a draft that is being sent right now.
func (s *Server) showSending(d *mail.Draft) {
	if sending, _ := s.busyDrafts.Load(d.ID); sending == true {
		d.SendStatus = mail.SendSending
	}
}

// GetDraft finds a draft by its id or client_id and reads its bodies.
func (s *Server) GetDraft(ctx context.Context, g mail.Grant, draftID string) (d mail.Draft, c mail.Content, err error) {
	if err := g.Require(mail.DraftRead); err != nil {
		return d, c, err
	}
	if d, err = s.findDraft(ctx, g, draftID); err != nil {
		return d, c, err
	}
	return s.showDraft(ctx, d)
}

func (s *Server) showDraft(ctx context.Context, d mail.Draft) (mail.Draft, mail.Content, error) {
	_, c, err := s.readSource(ctx, mail.Grant{Scope: d.Message.Scope()}, &d.Message)
	if mail.CodeOf(err) == mail.CodeNotFound {
		err = mail.NotFound(draftNoun)
	}
	s.showSending(&d)
	return d, c, err
}

func (s *Server) findDraft(ctx context.Context, g mail.Grant, draftID string) (d mail.Draft, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if d, err = tx.FindDraft(draftID); errors.Is(err, storage.ErrNotFound) {
			d, err = tx.FindDraftByClientID(draftID)
		}
		return err
	})
	return d, coded(err, draftNoun)
}

// DraftAttachmentLink makes a link to a decoded attachment of a draft.
func (s *Server) DraftAttachmentLink(ctx context.Context, g mail.Grant, draftID, attachmentID string) (mail.Attachment, Link, error) {
	if err := g.Require(mail.DraftRead); err != nil {
		return mail.Attachment{}, Link{}, err
	}
	d, err := s.findDraft(ctx, g, draftID)
	if err != nil {
		return mail.Attachment{}, Link{}, err
	}
	if a, ok := attachment(&d.Message, attachmentID); ok {
		return a, s.link(&d.Message, attachmentID), nil
	}
	return mail.Attachment{}, Link{}, mail.NotFound("Attachment")
}

// DeleteDraft removes a draft for good. conflict while it is being sent.
func (s *Server) DeleteDraft(ctx context.Context, g mail.Grant, draftID string) error {
	if err := g.Require(mail.DraftDelete); err != nil {
		return err
	}
	d, err := s.findDraft(ctx, g, draftID)
	if err != nil {
		return err
	}
	release, err := s.reserveDraft(d.ID, false)
	if err != nil {
		return err
	}
	defer release()
	now := s.clock.Now()
	err = s.store.For(d.Message.Scope()).Write(ctx, func(tx storage.Tx) error {
		e := s.newEdit(tx, now)
		if err := takeDraft(tx, e, &d); err != nil {
			return err
		}
		return e.flush()
	})
	if err == nil {
		s.hub.Wake(d.Message.Scope())
	}
	return coded(err, draftNoun)
}

// reserveDraft lets one caller at a time change or send a draft; conflict for the others. It need not survive a crash:
// what was not committed then did not happen.
func (s *Server) reserveDraft(id int64, toSend bool) (release func(), err error) {
	if _, taken := s.busyDrafts.LoadOrStore(id, toSend); taken {
		return nil, errDraftBusy()
	}
	return func() { s.busyDrafts.Delete(id) }, nil
}

func errDraftBusy() error {
	return mail.Errorf(mail.CodeConflict, "The draft is being changed or sent by another request.").WithFix("Get the draft again: if it is gone, it was sent.")
}

// takeDraft removes a draft that is still as it was read; conflict if it is not.
func takeDraft(tx storage.Tx, e *edit, d *mail.Draft) error {
	have, err := tx.FindDraftByID(d.ID)
	if errors.Is(err, storage.ErrNotFound) || err == nil && have.Message.ID != d.Message.ID {
		return errDraftBusy()
	} else if err != nil {
		return err
	}
	return e.remove(&have.Message)
}

// insertDraft makes a draft of a message that a mail program put into Drafts. If it names a message of the inbox, it
// answers that one.
func insertDraft(tx storage.Tx, id string, m *mail.Message, now time.Time) error {
	d := mail.Draft{DraftID: id, Kind: mail.DraftPlain, CreatedAt: now, Message: *m}
	for _, parent := range slices.Backward(m.Envelope.InReplyTo) {
		original, err := tx.FindMessage(parent)
		if err == nil {
			d.Kind, d.Original = mail.DraftReply, original.MessageID
		} else if !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	return tx.InsertDraft(&d)
}
