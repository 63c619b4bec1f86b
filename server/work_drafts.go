package server

import (
	"context"
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// dueDrafts is how many scheduled drafts are looked up at a time.
const dueDrafts = 50

// SendDueDrafts sends the drafts whose time has come. It is a step of Run. A draft is gone in the transaction in which
// its message is there, so one that is still found was not sent, whatever happened in between.
func (s *Server) SendDueDrafts(ctx context.Context) (more bool, err error) {
	var jobs []storage.Job
	now := s.clock.Now()
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		jobs, err = tx.ListDueDrafts(now, dueDrafts)
		return err
	})
	settled := 0
	for _, job := range jobs {
		g := mail.Grant{Scope: job.Scope}
		done, failed := s.sendDueDraft(ctx, g, job.ID)
		if done {
			settled++
		}
		err = errors.Join(err, failed)
	}
	return settled > 0 && len(jobs) == dueDrafts, err
}

// sendDueDraft sends one draft, or notes that it cannot be sent as it is. What may pass by itself is left for the next
// time, and returned.
func (s *Server) sendDueDraft(ctx context.Context, g mail.Grant, id int64) (done bool, err error) {
	var d mail.Draft
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		d, err = tx.FindDraftByID(id)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil // sent or deleted meanwhile
	} else if err != nil {
		return false, err
	}
	_, err = s.sendDraft(ctx, g, d, DraftSend{})
	switch mail.CodeOf(err) {
	case mail.CodeConflict:
		return false, nil // somebody is at it
	case mail.CodeRateLimited:
		return true, s.postponeDraft(ctx, g, id, err)
	case mail.CodeInvalid, mail.CodeForbidden, mail.CodeNotFound, mail.CodeTooLarge, mail.CodeQuota:
		s.log.Warn("a scheduled draft cannot be sent", "inbox", d.Message.InboxID, "draft", d.DraftID, "error", err)
		return true, s.failDraft(ctx, g, id)
	}
	return err == nil, err
}

// postponeDraft has a draft wait until its inbox may send again.
func (s *Server) postponeDraft(ctx context.Context, g mail.Grant, id int64, limited error) error {
	wait := time.Minute
	if e, ok := errors.AsType[*mail.Error](limited); ok {
		wait = max(wait, e.RetryAfter)
	}
	until := s.clock.Now().Add(wait)
	s.log.Info("a scheduled draft waits", "draft", id, "until", until, "reason", limited)
	return s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error { return tx.PostponeDraft(id, until) })
}

// failDraft notes that a scheduled draft could not be sent. It waits for its author then.
func (s *Server) failDraft(ctx context.Context, g mail.Grant, id int64) error {
	now := s.clock.Now()
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		d, err := tx.FindDraftByID(id)
		if errors.Is(err, storage.ErrNotFound) {
			return nil // sent or deleted meanwhile
		}
		if err != nil || d.SendStatus != mail.SendScheduled || d.SendAt.After(now) {
			return err
		}
		e := s.newEdit(tx, now)
		if err := e.relabel(&d.Message, nil, []string{mail.LabelScheduled}); err != nil {
			return err
		}
		if err := e.flush(); err != nil {
			return err
		}
		d.SendStatus, d.UpdatedAt = mail.SendFailed, now
		return tx.UpdateDraft(&d)
	})
	if err == nil {
		s.hub.Wake(g.Scope)
	}
	return err
}
