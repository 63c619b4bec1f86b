package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const threadColumns = `t.id, t.pod_id, t.inbox_id, i.address, t.public_id, t.labels, t.hidden, t.timestamp, t.received_at, t.sent_at, t.senders, t.recipients,
	t.subject, t.preview, t.attachments, t.last_message_id, t.message_count, t.size, t.created_at, t.updated_at`
const threadJoins = ` JOIN inboxes i ON i.id = t.inbox_id AND {scope i} AND i.address IS NOT NULL `

var (
	findThread       = tables.Compile(`SELECT ` + threadColumns + ` FROM threads t` + threadJoins + `WHERE t.public_id = ? AND {scope t}`)
	findThreadByID   = tables.Compile(`SELECT ` + threadColumns + ` FROM threads t` + threadJoins + `WHERE t.id = ? AND {scope t}`)
	findThreadCounts = tables.Compile(`SELECT t.id, t.labels, t.hidden FROM threads t WHERE t.id = ? AND {scope t}`)
	threadsByTime    = compileThreads("")
	threadsFiltered  = compileThreads(` AND ` + filterSQL("t", "?7"))
	// Entered by a label that few threads have; see ListThreads.
	threadsLabelled = compileListing(`SELECT `+threadColumns+` FROM thread_labels l CROSS JOIN threads t ON t.id = l.thread_id AND {scope t}`+threadJoins+
		`WHERE l.label = ?8 AND {scope l} AND {after} AND t.timestamp > ?4 AND t.timestamp < ?5 AND (t.visibility & ?6) <> 0 AND `+
		filterSQL("t", "?7")+` {order} LIMIT ?3`, "t.timestamp", "t.id")
	countLabelled = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM thread_labels l WHERE l.label = ? AND {scope l} LIMIT 2001)`)

	insertThread = tables.Compile(`INSERT INTO threads (pod_id, inbox_id, public_id, labels, hidden, visibility, timestamp, received_at, sent_at, senders, recipients,
		subject, folded, preview, attachments, last_message_id, message_count, size, created_at, updated_at)
		VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`)
	updateThread = tables.Compile(`UPDATE threads SET labels = ?2, hidden = ?3, visibility = ?4, timestamp = ?5, received_at = ?6, sent_at = ?7, senders = ?8, recipients = ?9,
		subject = ?10, folded = ?11, preview = ?12, attachments = ?13, last_message_id = ?14, message_count = ?15, size = ?16, updated_at = ?17 WHERE id = ?1 AND {scope threads}`)
	relabelThread = tables.Compile(`UPDATE threads SET labels = ?2, hidden = ?3, visibility = ?4, updated_at = ?5 WHERE id = ?1 AND {scope threads}`)
	deleteThread  = tables.Compile(`DELETE FROM threads WHERE id = ? AND {scope threads}`)

	loseThread = tables.Compile(`INSERT INTO usage_changes (pod_id, inbox_id, at, ` + usageColumns + `) SELECT {pod}, {inbox}, ?2, 0, 0, -1, 0, 0, 0
		FROM threads t WHERE t.id = ?1 AND t.hidden <> '{}' AND {scope t}`)
	insertThreadLabel     = tables.Compile(`INSERT INTO thread_labels (pod_id, inbox_id, thread_id, label) VALUES ({pod}, {inbox}, ?1, ?2)`)
	insertTwoThreadLabels = tables.Compile(`INSERT INTO thread_labels (pod_id, inbox_id, thread_id, label) VALUES ({pod}, {inbox}, ?1, ?2), ({pod}, {inbox}, ?1, ?3)`)
	deleteThreadLabel     = tables.Compile(`DELETE FROM thread_labels WHERE inbox_id = {inbox} AND thread_id = ?1 AND label = ?2 AND {scope thread_labels}`)
	deleteThreadLabels    = tables.Compile(`DELETE FROM thread_labels WHERE inbox_id = {inbox} AND thread_id = ? AND {scope thread_labels}`)
)

// compileThreads compiles a list of threads by time: ?1 ?2 the cursor, ?3 limit, ?4 ?5 the time bounds, ?6 the shown
// visibility bits.
func compileThreads(more string) listing {
	return compileListing(`SELECT `+threadColumns+` FROM threads t`+threadJoins+
		`WHERE {scope t} AND {after} AND t.timestamp > ?4 AND t.timestamp < ?5 AND (t.visibility & ?6) <> 0`+more+` {order} LIMIT ?3`, "t.timestamp", "t.id")
}

func scanThread(r *sqlite.Row) (t mail.Thread, err error) {
	var labels, hidden, senders, recipients, attachments string
	if err := r.Scan(&t.ID, &t.Pod, &t.Inbox, &t.InboxID, &t.ThreadID, &labels, &hidden, &t.Timestamp, &t.ReceivedTimestamp, &t.SentTimestamp, &senders, &recipients,
		&t.Subject, &t.Preview, &attachments, &t.LastMessageID, &t.MessageCount, &t.Size, &t.CreatedAt, &t.UpdatedAt); err != nil {
		return t, err
	}
	for _, f := range []struct {
		s string
		v any
	}{{labels, &t.LabelCounts}, {hidden, &t.HiddenCounts}, {senders, &t.Senders}, {recipients, &t.Recipients}, {attachments, &t.Attachments}} {
		if err := decode(f.s, f.v); err != nil {
			return t, fmt.Errorf("thread %d: %w", t.ID, err)
		}
	}
	t.Stored()
	return t, nil
}

// FindThread finds a thread by its public id.
func (tx Tx) FindThread(id string) (mail.Thread, error) { return get(tx, findThread, scanThread, id) }

// FindThreadByID finds a thread by its key.
func (tx Tx) FindThreadByID(id int64) (mail.Thread, error) {
	return get(tx, findThreadByID, scanThread, id)
}

// FindThreadCounts finds, of a thread, no more than its counts: what RelabelThread writes.
func (tx Tx) FindThreadCounts(id int64) (mail.Thread, error) {
	return get(tx, findThreadCounts, func(r *sqlite.Row) (t mail.Thread, err error) {
		var labels, hidden string
		if err := r.Scan(&t.ID, &labels, &hidden); err != nil {
			return t, err
		}
		if err := decode(labels, &t.LabelCounts); err != nil {
			return t, err
		}
		if err := decode(hidden, &t.HiddenCounts); err != nil {
			return t, err
		}
		t.Stored()
		return t, nil
	}, id)
}

// fewLabelled is how many threads a label may have to be entered by its index and sorted; a label that more have is
// met soon enough on the way down the list by time.
const fewLabelled = 2000

// ListThreads lists threads by time.
func (tx Tx) ListThreads(f mail.MessageFilter, p mail.Page) ([]mail.Thread, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	after, before := bounds(f)
	args := []any{key, id, p.Limit + 1, after, before, int64(mail.ShownWith(f.Include))}
	list, needles := threadsByTime, filterArgs(f, ":")
	if needles != "" {
		list, args = threadsFiltered, append(args, needles)
	}
	if label, ok := rarest(f.Labels); ok {
		var n int
		if err := tx.one(countLabelled, []any{label}, &n); err != nil {
			return nil, "", err
		}
		if n <= fewLabelled {
			list, args = threadsLabelled, append(args, label)
		}
	}
	threads, err := all(tx, list.pick(p.Ascending), scanThread, args...)
	threads, next := page(threads, p.Limit, func(t *mail.Thread) mail.Cursor {
		return mail.Cursor{Key: t.Timestamp.UnixMicro(), ID: t.ID}
	})
	return threads, next, err
}

// threadJSON is the columns of a thread that are JSON.
func threadJSON(t *mail.Thread) (labels, hidden, senders, recipients, folded string) {
	enc := func(v any) string {
		b, _ := json.Marshal(v) // maps and slices of strings and ints always marshal
		return strings.Replace(string(b), "null", "[]", 1)
	}
	labels, hidden, senders, recipients = objectJSON(t.LabelCounts), objectJSON(t.HiddenCounts), enc(t.Senders), enc(t.Recipients)
	return labels, hidden, senders, recipients, foldedJSON(t.Senders, t.Recipients, t.Subject)
}

func objectJSON[K comparable](m map[K]int64) string {
	if len(m) == 0 {
		return "{}"
	}
	b, _ := json.Marshal(m) // counts always marshal
	return string(b)
}

// InsertThread stores t in the handle's inbox, for the message that starts it, and sets its key. It counts with that
// message.
func (tx Tx) InsertThread(t *mail.Thread) error {
	labels, hidden, senders, recipients, folded := threadJSON(t)
	id, err := tx.tx.Insert(insertThread, t.ThreadID, labels, hidden, int64(t.Visibility()), t.Timestamp, t.ReceivedTimestamp, t.SentTimestamp, senders, recipients,
		t.Subject, folded, t.Preview, encode(t.Attachments), t.LastMessageID, t.MessageCount, t.Size, t.CreatedAt, t.UpdatedAt)
	if err != nil {
		return translate(err)
	}
	t.ID, t.Pod, t.Inbox = id, tx.Scope().Pod, tx.Scope().Inbox
	return tx.writeThreadLabels(t)
}

// UpdateThread writes all that a thread derives from its messages.
func (tx Tx) UpdateThread(t *mail.Thread) error {
	labels, hidden, senders, recipients, folded := threadJSON(t)
	if _, err := tx.tx.Exec(updateThread, t.ID, labels, hidden, int64(t.Visibility()), t.Timestamp, t.ReceivedTimestamp, t.SentTimestamp, senders, recipients,
		t.Subject, folded, t.Preview, encode(t.Attachments), t.LastMessageID, t.MessageCount, t.Size, t.UpdatedAt); err != nil {
		return err
	}
	return tx.updateThreadLabels(t, t.UpdatedAt)
}

// RelabelThread writes a thread's label counts only.
func (tx Tx) RelabelThread(t *mail.Thread, now time.Time) error {
	if _, err := tx.tx.Exec(relabelThread, t.ID, objectJSON(t.LabelCounts), objectJSON(t.HiddenCounts), int64(t.Visibility()), now); err != nil {
		return err
	}
	return tx.updateThreadLabels(t, now)
}

// updateThreadLabels brings thread_labels, and the number of threads, in step with the thread.
func (tx Tx) updateThreadLabels(t *mail.Thread, now time.Time) error {
	if by := t.Appeared(); by != 0 {
		if err := tx.changeCount(now, mail.UsageThreadCount, by); err != nil {
			return err
		}
	}
	return tx.writeThreadLabels(t)
}

// writeThreadLabels brings thread_labels in step with the thread, which knows what it was read with.
func (tx Tx) writeThreadLabels(t *mail.Thread) error {
	added, removed := t.LabelDiff()
	for _, l := range removed {
		if _, err := tx.tx.Exec(deleteThreadLabel, t.ID, l); err != nil {
			return err
		}
	}
	for ; len(added) > 1; added = added[2:] {
		if _, err := tx.tx.Exec(insertTwoThreadLabels, t.ID, added[0], added[1]); err != nil {
			return err
		}
	}
	for _, l := range added {
		if _, err := tx.tx.Exec(insertThreadLabel, t.ID, l); err != nil {
			return err
		}
	}
	t.Stored()
	return nil
}

// DeleteThread removes a thread that has no messages left.
func (tx Tx) DeleteThread(thread int64, now time.Time) error {
	if _, err := tx.tx.Exec(loseThread, thread, now); err != nil {
		return err
	}
	return tx.TakeBackThread(thread)
}

// TakeBackThread removes a thread whose first message was not stored, and which never counted.
func (tx Tx) TakeBackThread(thread int64) error {
	if _, err := tx.tx.Exec(deleteThreadLabels, thread); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(deleteReferences, thread); err != nil {
		return err
	}
	_, err := tx.tx.Exec(deleteThread, thread)
	return translate(err)
}

// MergeThread moves the messages and references of one thread into another and removes it.
func (tx Tx) MergeThread(from, into int64, now time.Time) error {
	if _, err := tx.tx.Exec(moveToThread, from, into); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(moveReferences, from, into); err != nil {
		return err
	}
	return tx.DeleteThread(from, now)
}
