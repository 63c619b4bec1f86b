package server

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// This file is the messages of a mailbox as IMAP sees them: by UID, flagged, copied, moved and expunged.

var everyUID = mail.UIDRange{First: 1, Last: math.MaxUint32}

// editBatch is how many messages one transaction changes, so that a long command does not hold up others.
const editBatch = 200

// SelectMailbox opens a mailbox: its state and UIDs in one snapshot.
func (s *Server) SelectMailbox(ctx context.Context, g mail.Grant, name string) (sel mail.Selected, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return sel, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if sel.Mailbox, err = mailboxNamed(tx, name); err != nil {
			return err
		}
		if err := tx.CountMailbox(&sel.Mailbox); err != nil {
			return err
		}
		sel.Unseen = sel.Mailbox.Unseen
		if sel.UIDs, err = tx.ListUIDs(sel.Mailbox.ID); err != nil {
			return err
		}
		sel.Labels, err = tx.ListLabels()
		return err
	})
	return sel, coded(err, "Mailbox")
}

// MailboxChanges tells what happened in a mailbox after modseq since. not_found if the mailbox is gone.
func (s *Server) MailboxChanges(ctx context.Context, g mail.Grant, mailbox int64, since int64) (c mail.MailboxChanges, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		box, err := tx.FindMailbox(mailbox)
		if err != nil {
			return err
		}
		c.ModSeq, c.UIDNext = box.ModSeq, box.UIDNext
		if box.ModSeq == since {
			return nil
		}
		if c.Changed, err = tx.ListStates(mailbox, since); err != nil {
			return err
		}
		c.Expunged, err = tx.ListExpunges(mailbox, since)
		return err
	})
	return c, coded(err, "Mailbox")
}

// FetchWant says what FetchMessages must bring beside UID, labels, modseq, size and internal date.
type FetchWant struct{ Envelope, Structure, Raw bool }

// FetchedMessage is one message as FETCH sees it. It is valid only during the callback.
type FetchedMessage struct {
	mail.MessageState
	InternalDate time.Time
	Size         int64
	Envelope     *mail.Envelope // if wanted
	Structure    *mail.Part     // if wanted
	Raw          io.ReaderAt    // if wanted: the message's bytes, read chunk by chunk
	MessageID    string
}

// A batch of a fetch is read in one short transaction and handed on after it, so that a slow client holds no snapshot.
const (
	fetchBatch      = 128
	fetchBatchBytes = 2 << 20
)

// FetchMessages calls fn for each message of the mailbox within ranges, by rising UID. An error of fn ends it.
func (s *Server) FetchMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, want FetchWant, fn func(*FetchedMessage) error) error {
	if err := g.Require(mail.MessageRead); err != nil {
		return err
	}
	h := s.store.For(g.Scope)
	ranges = slices.Clone(ranges)
	var batch []*storage.Fetched
	for len(ranges) > 0 {
		batch = batch[:0]
		err := h.Read(ctx, func(tx storage.Tx) (err error) {
			if err := tx.CheckOwnInbox(); err != nil {
				return err
			}
			ranges, batch, err = readBatch(tx, mailbox, ranges, storage.FetchWant(want), batch)
			return err
		})
		if err != nil {
			return coded(err, "Mailbox")
		}
		for _, f := range batch {
			out := FetchedMessage{MessageState: f.MessageState, InternalDate: f.InternalDate, Size: f.Size, Envelope: f.Envelope, Structure: f.Structure, MessageID: f.MessageID}
			if want.Raw {
				out.Raw = h.Reader(ctx, f.Raw)
			}
			if err := fn(&out); err != nil {
				return err
			}
		}
	}
	return nil
}

// readBatch reads messages until the batch is full, and returns what is left of the ranges.
func readBatch(tx storage.Tx, mailbox int64, ranges []mail.UIDRange, want storage.FetchWant, batch []*storage.Fetched) ([]mail.UIDRange, []*storage.Fetched, error) {
	size := 0
	for len(ranges) > 0 {
		full := false
		err := tx.FetchMessages(mailbox, ranges[0], want, func(f *storage.Fetched) bool {
			batch = append(batch, f)
			size += len(f.Raw.First)
			full = len(batch) >= fetchBatch || size >= fetchBatchBytes
			return !full
		})
		if err != nil {
			return nil, nil, err
		}
		if full {
			last := batch[len(batch)-1].UID
			if last >= ranges[0].Last {
				return ranges[1:], batch, nil
			}
			ranges[0].First = last + 1
			return ranges, batch, nil
		}
		ranges = ranges[1:]
	}
	return nil, batch, nil
}

// StoreLabels edits labels of the messages within ranges and returns the new states of all that still exist. With
// Replace, labels that a client cannot set stay. A change of labels here never moves a message: folders are none.
func (s *Server) StoreLabels(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, change mail.LabelChange) (states []mail.MessageState, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return nil, err
	}
	err = s.editMailbox(ctx, g, mailbox, ranges, func(e *edit, box mail.Mailbox, m *mail.Message) error {
		add, remove := change.Add, change.Remove
		if change.Replace {
			remove = append(slices.Clone(remove), replaced(m.Labels, change.Add, box)...)
		}
		labels, added, removed := mail.ApplyLabels(m.Labels, add, remove)
		if len(added)+len(removed) > 0 {
			if err := e.apply(m, labels, added, removed, m.Mailbox); err != nil {
				return err
			}
		}
		states = append(states, mail.MessageState{UID: m.UID, ModSeq: m.ModSeq, Labels: m.Labels})
		return nil
	})
	return states, err
}

// replaced are the labels that go when a client sets exactly keep.
func replaced(labels, keep []string, box mail.Mailbox) (gone []string) {
	for _, l := range labels {
		if mail.Settable(l) && l != box.Label && !slices.Contains(keep, l) {
			gone = append(gone, l)
		}
	}
	return gone
}

// editMailbox calls fn for each message of a mailbox within ranges, in transactions of a bounded number of messages.
func (s *Server) editMailbox(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, fn func(*edit, mail.Mailbox, *mail.Message) error) error {
	last := uint32(0) // what the editing itself adds is left alone
	for _, r := range ranges {
		for done := false; !done; {
			err := s.edit(ctx, g, func(tx storage.Tx, e *edit) error {
				box, err := tx.FindMailbox(mailbox)
				if err != nil {
					return err
				}
				if last == 0 {
					last = box.UIDNext - 1
				}
				if r.Last = min(r.Last, last); r.First > r.Last {
					done = true
					return nil
				}
				messages, err := tx.ListToEdit(mailbox, r, editBatch)
				if err != nil {
					return err
				}
				for i := range messages {
					uid := messages[i].UID
					if err := fn(e, box, &messages[i]); err != nil {
						return err
					}
					if r.First = uid + 1; r.First == 0 {
						done = true
					}
				}
				done = done || len(messages) < editBatch || r.First > r.Last
				return e.flush()
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// CopyMessages copies messages to the mailbox named dest (not_found if there is none). A copy is a message of its own
// in the same thread, with the same bytes.
func (s *Server) CopyMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, dest string) (mail.Copied, error) {
	return s.transfer(ctx, g, mailbox, ranges, dest, func(e *edit, m *mail.Message, from, to mail.Mailbox) error {
		return e.copy(m, from, to, s.newMessageID)
	})
}

// MoveMessages moves messages to the mailbox named dest, with the labels that this means. Those that are there stay.
func (s *Server) MoveMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, dest string) (mail.Copied, error) {
	return s.transfer(ctx, g, mailbox, ranges, dest, func(e *edit, m *mail.Message, from, to mail.Mailbox) error {
		if from.ID == to.ID {
			return nil
		}
		return e.move(m, from, to)
	})
}

// transfer calls fn for each message, which then has its UID in the mailbox named dest.
func (s *Server) transfer(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange, dest string, fn func(e *edit, m *mail.Message, from, to mail.Mailbox) error) (c mail.Copied, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return c, err
	}
	to, err := s.findMailbox(ctx, g, dest)
	if err != nil {
		return c, err
	}
	c.UIDValidity = to.UIDValidity
	err = s.editMailbox(ctx, g, mailbox, ranges, func(e *edit, from mail.Mailbox, m *mail.Message) error {
		source := m.UID
		if err := fn(e, m, from, to); err != nil {
			return err
		}
		c.Source, c.Dest = append(c.Source, source), append(c.Dest, m.UID)
		return nil
	})
	return c, err
}

// copy turns m into its copy in another mailbox.
func (e *edit) copy(m *mail.Message, from, to mail.Mailbox, newID func() (string, error)) error {
	boxes, err := e.mailboxes()
	if err != nil {
		return err
	}
	add, remove := mail.MoveLabels(m.Labels, from, to, boxes)
	id := m.ID
	m.Labels, _, _ = mail.ApplyLabels(m.Labels, add, append(remove, mail.LabelDeleted))
	if m.MessageID, err = newID(); err != nil {
		return err
	}
	m.Mailbox, m.CreatedAt, m.UpdatedAt = to.ID, e.now, e.now
	if m.UID, m.ModSeq, err = e.tx.NextUID(to.ID); err != nil {
		return err
	}
	if err := e.tx.CopyMessage(id, m); err != nil {
		return err
	}
	if slices.Contains(m.Labels, mail.LabelDraft) {
		if err := e.redraft(m, m.Labels, nil); err != nil {
			return err
		}
	}
	if _, err := e.thread(m.Thread); err != nil {
		return err
	}
	e.shrunk[m.Thread] = true // derived anew: it has grown by one
	return nil
}

// ExpungeMessages removes for good the messages that are labelled deleted; with ranges not nil only those within.
// It returns their UIDs, ascending.
func (s *Server) ExpungeMessages(ctx context.Context, g mail.Grant, mailbox int64, ranges []mail.UIDRange) (uids []uint32, err error) {
	if err := g.Require(mail.MessageDelete); err != nil {
		return nil, err
	}
	if ranges == nil {
		ranges = []mail.UIDRange{everyUID}
	}
	err = s.editMailbox(ctx, g, mailbox, ranges, func(e *edit, _ mail.Mailbox, m *mail.Message) error {
		if !slices.Contains(m.Labels, mail.LabelDeleted) {
			return nil
		}
		uids = append(uids, m.UID)
		return e.remove(m)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, mail.NotFound("Mailbox")
	}
	return uids, err
}
