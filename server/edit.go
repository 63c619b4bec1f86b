package server

import (
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// edit changes messages of one inbox within a transaction: their labels, mailboxes and existence. It keeps the threads
// they belong to in step, written once at the end however many messages change. The API's label updates and IMAP's
// STORE, MOVE and EXPUNGE are all edits.
type edit struct {
	tx      storage.Tx
	now     time.Time
	threads map[int64]*mail.Thread // their counts
	shrunk  map[int64]bool         // threads whose messages are others than before: they are derived anew
	boxes   []mail.Mailbox
	newID   func() (string, error)
}

func (s *Server) newEdit(tx storage.Tx, now time.Time) *edit {
	return &edit{tx: tx, now: now, threads: map[int64]*mail.Thread{}, shrunk: map[int64]bool{}, newID: s.newID}
}

func (e *edit) mailboxes() ([]mail.Mailbox, error) {
	if e.boxes != nil {
		return e.boxes, nil
	}
	var err error
	e.boxes, err = e.tx.ListMailboxes()
	return e.boxes, err
}

func (e *edit) thread(id int64) (*mail.Thread, error) {
	if t := e.threads[id]; t != nil {
		return t, nil
	}
	t, err := e.tx.FindThreadCounts(id)
	e.threads[id] = &t
	return &t, err
}

// relabel adds and removes labels of a message and, if a label that is a folder is among them, moves it there. Each
// change is an event. A message whose labels stay the same is not touched.
func (e *edit) relabel(m *mail.Message, add, remove []string) error {
	labels, added, removed := mail.ApplyLabels(m.Labels, add, remove)
	if len(added) == 0 && len(removed) == 0 {
		return nil
	}
	target := m.Mailbox
	if e.mayMove(added) || e.mayMove(removed) {
		boxes, err := e.mailboxes()
		if err != nil {
			return err
		}
		target = mail.Place(labels, m.Mailbox, boxes).ID
	}
	return e.apply(m, labels, added, removed, target)
}

// mayMove tells whether a change of these labels can change a message's mailbox. That of the commonest ones cannot,
// which spares flagging the look at the mailboxes.
func (e *edit) mayMove(labels []string) bool {
	return slices.ContainsFunc(labels, func(l string) bool {
		switch l {
		case mail.LabelUnread, mail.LabelStarred, mail.LabelReplied, mail.LabelForwarded, mail.LabelDeleted, mail.LabelDelivered:
			return false
		}
		return true
	})
}

// move puts a message into a mailbox, with the labels that this means.
func (e *edit) move(m *mail.Message, from, to mail.Mailbox) error {
	boxes, err := e.mailboxes()
	if err != nil {
		return err
	}
	add, remove := mail.MoveLabels(m.Labels, from, to, boxes)
	labels, added, removed := mail.ApplyLabels(m.Labels, add, append(remove, mail.LabelDeleted))
	return e.apply(m, labels, added, removed, to.ID)
}

// apply writes a message's new labels and mailbox, its thread's share of them, and the events.
func (e *edit) apply(m *mail.Message, labels, added, removed []string, mailbox int64) (err error) {
	t, err := e.thread(m.Thread)
	if err != nil {
		return err
	}
	t.Relabel(m.Labels, labels)
	m.Labels, m.UpdatedAt = labels, e.now
	if mailbox == m.Mailbox {
		if m.ModSeq, err = e.tx.NextModSeq(mailbox); err != nil {
			return err
		}
		err = e.tx.RelabelMessage(m, added, removed)
	} else {
		if err := e.leave(m); err != nil {
			return err
		}
		m.Mailbox = mailbox
		if m.UID, m.ModSeq, err = e.tx.NextUID(mailbox); err != nil {
			return err
		}
		err = e.tx.MoveMessage(m, added, removed)
	}
	if err != nil {
		return err
	}
	if err := e.redraft(m, added, removed); err != nil {
		return err
	}
	if err := e.teach(m, added, removed); err != nil {
		return err
	}
	return e.events(m, added, removed)
}

// redraft makes a message that came into Drafts a draft, and one that left it none.
func (e *edit) redraft(m *mail.Message, added, removed []string) error {
	switch {
	case slices.Contains(added, mail.LabelDraft):
		e.shrunk[m.Thread] = true
		id, err := e.newID()
		if err != nil {
			return err
		}
		return insertDraft(e.tx, id, m, e.now)
	case slices.Contains(removed, mail.LabelDraft):
		e.shrunk[m.Thread] = true
		return e.tx.DeleteDraftOf(m.ID)
	}
	return nil
}

func (e *edit) events(m *mail.Message, added, removed []string) error {
	for _, change := range []struct {
		typ    mail.EventType
		labels []string
	}{{mail.EventLabelAdded, added}, {mail.EventLabelRemoved, removed}} {
		for _, l := range change.labels {
			if err := e.tx.InsertEvent(mail.Event{Type: change.typ, Message: m.ID, MessageID: m.MessageID, Label: l, CreatedAt: e.now}); err != nil {
				return err
			}
		}
	}
	return nil
}

// leave notes that a message's UID is gone from its mailbox.
func (e *edit) leave(m *mail.Message) error {
	modseq, err := e.tx.NextModSeq(m.Mailbox)
	if err != nil {
		return err
	}
	return e.tx.InsertExpunge(m.Mailbox, modseq, m.UID)
}

// remove deletes a message for good.
func (e *edit) remove(m *mail.Message) error {
	if _, err := e.thread(m.Thread); err != nil {
		return err
	}
	if err := e.leave(m); err != nil {
		return err
	}
	e.shrunk[m.Thread] = true
	return e.tx.DeleteMessage(m, e.now)
}

// flush writes the threads. A thread without messages is gone.
func (e *edit) flush() error {
	for id, t := range e.threads {
		if !e.shrunk[id] {
			if err := e.tx.RelabelThread(t, e.now); err != nil {
				return err
			}
			continue
		}
		messages, err := e.tx.ListMessagesOfThread(id)
		if err != nil {
			return err
		}
		if len(messages) == 0 {
			if err := e.tx.DeleteThread(id, e.now); err != nil {
				return err
			}
			continue
		}
		whole, err := e.tx.FindThreadByID(id)
		if err != nil {
			return err
		}
		whole.Rebuild(messages)
		whole.UpdatedAt = e.now
		if err := e.tx.UpdateThread(&whole); err != nil {
			return err
		}
	}
	return nil
}
