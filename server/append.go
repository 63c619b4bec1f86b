package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// Append is a message that an IMAP client files.
type Append struct {
	Mailbox string
	Flags   []string  // as the client wrote them
	Date    time.Time // zero: now
	Body    io.Reader // any error of it but io.EOF refuses the message
}

// AppendMessage files a message in a mailbox and returns its UIDVALIDITY and UID. not_found if there is no such
// mailbox.
func (s *Server) AppendMessage(ctx context.Context, g mail.Grant, a Append) (uidValidity, uid uint32, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return 0, 0, err
	}
	box, err := s.findMailbox(ctx, g, a.Mailbox)
	if err != nil {
		return 0, 0, err
	}
	ctx = s.traced(ctx)
	c, err := s.stage(ctx, []int64{g.Scope.Pod}, a.Body)
	if err != nil {
		return 0, 0, err
	}
	defer s.discard(c)
	p, err := s.parsed(ctx, c, nil)
	if err != nil {
		return 0, 0, err
	}
	now := s.clock.Now()
	if a.Date.IsZero() {
		a.Date = now
	}
	m := mail.Message{Labels: appendLabels(a.Flags, box), Timestamp: a.Date, InternalDate: a.Date, TraceID: mail.TraceID(ctx)}
	f, err := s.newFiling(m, p, c, nil, nil, box.Label)
	if err != nil {
		return 0, 0, err
	}
	draftID, err := s.newID()
	if err != nil {
		return 0, 0, err
	}
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if err := f.file(tx); err != nil || !slices.Contains(m.Labels, mail.LabelDraft) {
			return err
		}
		return insertDraft(tx, draftID, &f.message.Message, now)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return 0, 0, mail.NotFound("Mailbox") // deleted meanwhile
	} else if err != nil {
		return 0, 0, coded(err, "Mailbox")
	}
	s.hub.Wake(g.Scope)
	poke(s.index)
	return box.UIDValidity, f.message.UID, nil
}

// appendLabels are the labels of a message filed with these flags: unread unless \Seen is among them, and the
// mailbox's own.
func appendLabels(flags []string, box mail.Mailbox) []string {
	add, remove := mail.FlagChange(flags, nil)
	labels, _, _ := mail.ApplyLabels([]string{mail.LabelUnread, box.Label}, add, remove)
	return labels
}
