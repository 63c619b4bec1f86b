package server

import (
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// filing is a message on its way into one inbox. All of it is worked out before the transaction; file then only runs
// SQL.
type filing struct {
	message  *storage.NewMessage
	content  *content
	threadID string // for the thread that the message may start
	spareID  string // message id to use if the message's own is taken in the inbox
	now      time.Time
	forced   int64                     // key of the thread it belongs to whatever it names; 0: by what it names
	mailbox  string                    // label of the mailbox where it goes
	awaited  bool                      // a thread waited for it
	unheard  func(traceID string) bool // whether a message like it may come again; nil: it does not
	familiar bool                      // it comes from outside, and the inbox may have written it
	passages []string                  // ids under which it was here before
	arrived  bool                      // it is in the inbox already, and was not filed
	returned bool                      // the inbox had sent it
}

// newFiling prepares a message for an inbox: m brings labels, timestamp and internal date; in how it came in,
// nil if it did not.
func (s *Server) newFiling(m mail.Message, p *mail.Parsed, c *content, trace []byte, in *mail.Intake, mailbox string) (*filing, error) {
	now := s.clock.Now()
	threadID, err := s.newID()
	if err != nil {
		return nil, err
	}
	spare, err := s.newMessageID()
	if err != nil {
		return nil, err
	}
	m.MessageID, m.CreatedAt = p.Envelope.MessageID, now
	if m.MessageID == "" {
		m.MessageID = spare
	}
	n, err := storage.Prepare(m, p, trace, in)
	return &filing{message: n, content: c, threadID: threadID, spareID: spare, now: now, mailbox: mailbox}, err
}

func (s *Server) newMessageID() (string, error) {
	id, err := s.newID()
	return "<" + id + "@" + s.hostname + ">", err
}

// file stores the message in the handle's inbox: its bytes once per pod, its thread, its UID, its labels. One that has
// arrived before it only notes as such.
func (f *filing) file(tx storage.Tx) (err error) {
	n := f.message
	if err := f.recognize(tx); err != nil || f.arrived { // bytes that are linked belong to a message
		return err
	}
	if n.Blob, err = f.content.link(tx, f.now); err != nil {
		return err
	}
	if f.unheard != nil && f.content.known {
		trace, err := tx.FindArrived(n.MessageID, n.Blob)
		if f.arrived = err == nil && f.unheard(trace); f.arrived {
			return nil
		} else if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
	}
	if n.Mailbox, n.UID, n.ModSeq, err = tx.NextUIDByLabel(f.mailbox); err != nil {
		return err
	}
	thread, waiting, err := f.findThread(tx)
	if err != nil {
		return err
	}
	if thread == 0 {
		return f.startThread(tx)
	}
	return f.joinThread(tx, thread, waiting)
}

// findThread finds the thread where the message belongs: that of the nearest message it names, else one that waits
// for a message it names too, else one that waits for it. waiting is a further thread that must merge into that one.
func (f *filing) findThread(tx storage.Tx) (thread, waiting int64, err error) {
	if f.forced != 0 {
		return f.forced, 0, nil
	}
	if ids := f.message.Envelope.Ancestors(); len(ids) > 0 {
		if thread, err = tx.FindThreadOfMessages(ids); errors.Is(err, storage.ErrNotFound) {
			thread, err = tx.FindThreadOfReferences(ids)
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return 0, 0, err
		}
	}
	if id := f.message.Envelope.MessageID; id != "" {
		waiting, err = tx.FindThreadAwaiting(id)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return 0, 0, err
		}
		f.awaited = waiting != 0
	}
	switch {
	case thread == 0:
		return waiting, 0, nil
	case thread == waiting:
		return thread, 0, nil
	}
	return thread, waiting, nil
}

func (f *filing) startThread(tx storage.Tx) error {
	n := f.message
	t := &mail.Thread{ThreadID: f.threadID, CreatedAt: f.now, UpdatedAt: f.now}
	t.Add(&n.Message)
	if err := tx.InsertThread(t); err != nil {
		return err
	}
	n.Thread, n.ThreadID, n.Starts = t.ID, t.ThreadID, true
	err := tx.InsertMessage(n)
	if errors.Is(err, storage.ErrTaken) { // it belongs to the thread of the message that has its id
		return f.joinNamesake(tx, t.ID)
	}
	if err != nil {
		return err
	}
	return f.reference(tx)
}

// joinNamesake takes back the thread that the message was to start.
func (f *filing) joinNamesake(tx storage.Tx, started int64) error {
	thread, err := tx.FindThreadOfMessages([]string{f.message.MessageID})
	if err != nil {
		return err
	}
	f.message.Starts = false
	if err := tx.TakeBackThread(started); err != nil {
		return err
	}
	return f.joinThread(tx, thread, 0)
}

// insert stores the message. One whose message id the inbox has already is a copy, or a liar: it is kept, under a name
// of its own.
func (f *filing) insert(tx storage.Tx) error {
	err := tx.InsertMessage(f.message)
	if errors.Is(err, storage.ErrTaken) && f.message.MessageID != f.spareID {
		f.message.MessageID = f.spareID
		err = tx.InsertMessage(f.message)
	}
	return err
}

func (f *filing) joinThread(tx storage.Tx, thread, waiting int64) error {
	n := f.message
	t, err := tx.FindThreadByID(thread)
	if err != nil {
		return err
	}
	n.Thread, n.ThreadID = t.ID, t.ThreadID
	if waiting != 0 {
		if err := tx.MergeThread(waiting, thread, f.now); err != nil {
			return err
		}
	}
	if err := f.insert(tx); err != nil {
		return err
	}
	if waiting != 0 {
		messages, err := tx.ListMessagesOfThread(thread)
		if err != nil {
			return err
		}
		t.Rebuild(messages)
	} else {
		t.Add(&n.Message)
	}
	t.UpdatedAt = f.now
	if err := tx.UpdateThread(&t); err != nil {
		return err
	}
	return f.reference(tx)
}

// reference notes which messages this one names that have not arrived, so that they will join its thread, and that it
// has arrived itself if a thread waited for it.
func (f *filing) reference(tx storage.Tx) error {
	if ids := f.message.Envelope.Ancestors(); len(ids) > 0 {
		if err := tx.InsertReferences(f.message.Thread, ids); err != nil {
			return err
		}
	}
	if !f.awaited {
		return nil
	}
	return tx.DeleteReference(f.message.Envelope.MessageID)
}
