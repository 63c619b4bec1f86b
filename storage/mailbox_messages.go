package storage

import (
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// This file is the messages as a mailbox shows them: by UID and modseq.

const editColumns = `m.id, m.pod_id, m.inbox_id, m.thread_id, m.message_id, m.labels, m.timestamp, m.mailbox_id, m.uid, m.modseq`

var (
	listUIDs   = tables.Compile(`SELECT m.uid FROM messages m WHERE m.mailbox_id = ? AND {scope m} ORDER BY m.uid`)
	listStates = tables.Compile(`SELECT m.uid, m.modseq, m.labels FROM messages m INDEXED BY messages_by_modseq WHERE m.mailbox_id = ?1 AND m.modseq > ?2 AND {scope m} ORDER BY m.uid`)
	listToEdit = tables.Compile(`SELECT ` + editColumns + ` FROM messages m
		WHERE m.mailbox_id = ?1 AND m.uid BETWEEN ?2 AND ?3 AND {scope m} ORDER BY m.uid LIMIT ?4`)
	findToEdit      = tables.Compile(`SELECT ` + editColumns + ` FROM messages m WHERE m.id = ? AND {scope m}`)
	mailboxLabels   = tables.Compile(`SELECT DISTINCT l.label FROM message_labels l WHERE l.inbox_id = {inbox} AND {scope l}`)
	fetchStatements = compileFetches()
)

var errEnough = errors.New("enough")

// FetchWant says what a fetch must bring beside UID, labels, modseq, size and internal date.
type FetchWant struct{ Envelope, Structure, Raw bool }

// Fetched is one message of a fetch.
type Fetched struct {
	mail.MessageState
	ID           int64
	MessageID    string
	InternalDate time.Time
	Size         int64
	Envelope     *mail.Envelope
	Structure    *mail.Part
	Raw          RawMessage
}

func compileFetches() map[FetchWant]*sqlite.Statement {
	out := map[FetchWant]*sqlite.Statement{}
	for bits := range 8 {
		w := FetchWant{Envelope: bits&1 != 0, Structure: bits&2 != 0, Raw: bits&4 != 0}
		columns, from := `m.id, m.uid, m.modseq, m.labels, m.internal_date, m.size, m.message_id`, ` FROM messages m `
		for _, c := range []struct {
			want bool
			sql  string
		}{{w.Envelope, `m.envelope`}, {w.Structure, `m.structure`}, {w.Raw, `m.blob_id`}, {w.Raw, `m.trace`}, {w.Raw, `b.bytes`}} {
			if !c.want {
				c.sql = `NULL`
			}
			columns += ", " + c.sql
		}
		if w.Raw {
			from += `JOIN blobs b ON b.id = m.blob_id AND {scope b} `
		}
		out[w] = tables.Compile(`SELECT ` + columns + from + `WHERE m.mailbox_id = ?1 AND m.uid BETWEEN ?2 AND ?3 AND {scope m} ORDER BY m.uid`)
	}
	return out
}

func scanFetched(r *sqlite.Row) (f *Fetched, err error) {
	f = &Fetched{}
	var labels, envelope, structure string
	if err := r.Scan(&f.ID, &f.UID, &f.ModSeq, &labels, &f.InternalDate, &f.Size, &f.MessageID, &envelope, &structure, &f.Raw.Blob, &f.Raw.Trace, &f.Raw.First); err != nil {
		return nil, err
	}
	f.Raw.Size = f.Size
	if err := decode(labels, &f.Labels); err != nil {
		return nil, err
	}
	if envelope != "" {
		f.Envelope = &mail.Envelope{}
		if err := decode(envelope, f.Envelope); err != nil {
			return nil, err
		}
	}
	if structure != "" {
		f.Structure = &mail.Part{}
		if err := decode(structure, f.Structure); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// FetchMessages calls fn for the messages of a mailbox within a range, by rising UID, until fn returns false.
func (tx Tx) FetchMessages(mailbox int64, uids mail.UIDRange, want FetchWant, fn func(*Fetched) bool) error {
	err := tx.tx.Each(fetchStatements[want], []any{mailbox, uids.First, uids.Last}, func(r *sqlite.Row) error {
		f, err := scanFetched(r)
		if err == nil && !fn(f) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// ListUIDs lists the UIDs of a mailbox, ascending.
func (tx Tx) ListUIDs(mailbox int64) ([]uint32, error) { return all(tx, listUIDs, scanUID, mailbox) }

// ListStates lists what changed in a mailbox after a modseq, by UID.
func (tx Tx) ListStates(mailbox, since int64) ([]mail.MessageState, error) {
	return all(tx, listStates, func(r *sqlite.Row) (s mail.MessageState, err error) {
		var labels string
		if err := r.Scan(&s.UID, &s.ModSeq, &labels); err != nil {
			return s, err
		}
		return s, decode(labels, &s.Labels)
	}, mailbox, since)
}

// ListToEdit lists at most limit messages of a mailbox within a range, by UID. Of each it brings what identifies and
// places it: nothing of its content, no public ids of inbox and thread, no times but Timestamp.
func (tx Tx) ListToEdit(mailbox int64, uids mail.UIDRange, limit int) ([]mail.Message, error) {
	return all(tx, listToEdit, scanToEdit, mailbox, uids.First, uids.Last, limit)
}

// FindToEdit finds a message by its key, and brings what ListToEdit does.
func (tx Tx) FindToEdit(id int64) (mail.Message, error) { return get(tx, findToEdit, scanToEdit, id) }

func scanToEdit(r *sqlite.Row) (m mail.Message, err error) {
	var labels string
	if err := r.Scan(&m.ID, &m.Pod, &m.Inbox, &m.Thread, &m.MessageID, &labels, &m.Timestamp, &m.Mailbox, &m.UID, &m.ModSeq); err != nil {
		return m, err
	}
	return m, decode(labels, &m.Labels)
}

// ListLabels lists every label that occurs in the handle's inbox.
func (tx Tx) ListLabels() ([]string, error) {
	return all(tx, mailboxLabels, func(r *sqlite.Row) (l string, err error) {
		err = r.Scan(&l)
		return l, err
	})
}
