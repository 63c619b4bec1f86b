package server

import (
	"context"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// bounceLife is how long the entry of a hard bounce stands: mailboxes are made again, and domains get new owners.
const bounceLife = 90 * 24 * time.Hour

// suppressBounced keeps the pod from writing again to an address that does not exist. Of our own addresses we know
// ourselves, at any moment, whether they do.
func (s *Server) suppressBounced(tx storage.Tx, d *mail.Delivery, o outcome, now time.Time) error {
	if d.Courier == mail.CourierLocal || !o.bounce().Hard() {
		return nil
	}
	return s.suppress(tx, d.Recipient, "hard bounce: "+o.reply, now.Add(bounceLife), now)
}

// suppress puts an address on the send block list of the handle's pod, until a moment or, if that is zero, for good. It
// changes no entry that stands longer.
func (s *Server) suppress(tx storage.Tx, address, reason string, until, now time.Time) error {
	entry, err := checkEntry(address)
	if err != nil {
		return nil // no list can hold such an address, and nothing was ever delivered to it
	}
	s.lists.Store(true) // before the entry can be there
	return tx.InsertSuppression(mail.ListEntry{Direction: mail.DirectionSend, Type: mail.ListBlock, Entry: entry, Reason: clipped(reason, maxReason), ReadOnly: true,
		CreatedAt: now, ExpiresAt: until})
}

// forgetEntries takes entries off their lists.
func (s *Server) forgetEntries(ctx context.Context, entries []storage.Job) error {
	for _, job := range entries {
		if err := s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) error { return tx.DeleteListEntry(job.ID) }); err != nil {
			return err
		}
	}
	return nil
}

// clipped is at most n characters of a text.
func clipped(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n])
	}
	return text
}
