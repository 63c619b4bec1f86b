package storage

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const messageColumns = `m.id, m.pod_id, m.inbox_id, i.address, m.thread_id, t.public_id, m.message_id, m.labels, m.timestamp, m.created_at, m.updated_at,
	m.envelope, m.preview, m.attachments, m.size, m.mailbox_id, m.uid, m.modseq, m.internal_date, m.trace_id`
const messageJoins = ` JOIN inboxes i ON i.id = m.inbox_id AND {scope i} JOIN threads t ON t.id = m.thread_id AND {scope t} `

var (
	findMessage      = tables.Compile(`SELECT ` + messageColumns + ` FROM messages m` + messageJoins + `WHERE m.message_id = ? AND {scope m}`)
	findArrived      = tables.Compile(`SELECT m.trace_id FROM messages m WHERE m.inbox_id = {inbox} AND m.message_id = ?1 AND m.blob_id = ?2 AND {scope m}`)
	findMessageByID  = tables.Compile(`SELECT ` + messageColumns + ` FROM messages m` + messageJoins + `WHERE m.id = ? AND {scope m}`)
	listThreadPage   = compileListing(`SELECT `+messageColumns+` FROM messages m`+messageJoins+`WHERE m.thread_id = ?4 AND m.inbox_id = {inbox} AND {scope m} AND {after} {order} LIMIT ?3`, "m.timestamp", "m.id")
	listInThread     = tables.Compile(`SELECT ` + messageColumns + ` FROM messages m` + messageJoins + `WHERE m.thread_id = ? AND m.inbox_id = {inbox} AND {scope m} ORDER BY m.timestamp, m.id`)
	messagesByTime   = compileMessages(`messages m`, "m.timestamp", "m.id", "", "")
	messagesFiltered = compileMessages(`messages m`, "m.timestamp", "m.id", "", "?7")
	messagesLabelled = compileMessages(`message_labels l CROSS JOIN messages m ON m.id = l.message_id AND {scope m}`, "l.timestamp", "l.message_id", "?8", "?7")
	insertMessage    = tables.Compile(`INSERT INTO messages (pod_id, inbox_id, thread_id, mailbox_id, uid, modseq, message_id, labels, hidden, timestamp, internal_date, size, preview,
		attachments, folded, envelope, structure, bodies, blob_id, trace, trace_id, created_at, updated_at, intake)
		VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?20, ?21)`)
	copyMessage = tables.Compile(`INSERT INTO messages (pod_id, inbox_id, thread_id, mailbox_id, uid, modseq, message_id, labels, hidden, timestamp, internal_date, size, preview,
		attachments, folded, envelope, structure, bodies, blob_id, trace, trace_id, created_at, updated_at, intake)
		SELECT {pod}, {inbox}, m.thread_id, ?2, ?3, ?4, ?5, ?6, ?7, m.timestamp, m.internal_date, m.size, m.preview,
		m.attachments, m.folded, m.envelope, m.structure, m.bodies, m.blob_id, m.trace, m.trace_id, ?8, ?8, m.intake
		FROM messages m WHERE m.id = ?1 AND {scope m}`)
	// A column that is written has its indexes rewritten too, so what stays is not named.
	relabelMessage = tables.Compile(`UPDATE messages SET labels = ?2, hidden = ?3, modseq = ?4, updated_at = ?5 WHERE id = ?1 AND {scope messages}`)
	moveMessage    = tables.Compile(`UPDATE messages SET labels = ?2, hidden = ?3, modseq = ?4, updated_at = ?5, mailbox_id = ?6, uid = ?7 WHERE id = ?1 AND {scope messages}`)
	moveToThread   = tables.Compile(`UPDATE messages SET thread_id = ?2 WHERE thread_id = ?1 AND inbox_id = {inbox} AND {scope messages}`)
	deleteMessage  = tables.Compile(`DELETE FROM messages WHERE id = ? AND {scope messages}`)
	findBlobOf     = tables.Compile(`SELECT m.blob_id FROM messages m WHERE m.id = ? AND {scope m}`)

	insertLabel     = tables.Compile(`INSERT INTO message_labels (pod_id, inbox_id, timestamp, message_id, label) VALUES ({pod}, {inbox}, ?1, ?2, ?3)`)
	insertTwoLabels = tables.Compile(`INSERT INTO message_labels (pod_id, inbox_id, timestamp, message_id, label) VALUES ({pod}, {inbox}, ?1, ?2, ?3), ({pod}, {inbox}, ?1, ?2, ?4)`)
	deleteLabel     = tables.Compile(`DELETE FROM message_labels WHERE inbox_id = {inbox} AND label = ?3 AND timestamp = ?1 AND message_id = ?2 AND {scope message_labels}`)
)

// compileMessages compiles a list of messages: ?1 ?2 the cursor, ?3 limit, ?4 ?5 the time bounds, ?6 what hidden kinds
// are included; then the needles and the label, if it is entered by one.
func compileMessages(from, key, id, label, needles string) listing {
	where := ` WHERE {scope m} AND {after} AND m.timestamp > ?4 AND m.timestamp < ?5 AND (m.hidden & ~?6) = 0 `
	if needles != "" {
		where += " AND " + filterSQL("m", needles)
	}
	if label != "" {
		where += " AND {scope l} AND l.label = " + label
	}
	return compileListing(`SELECT `+messageColumns+` FROM `+from+messageJoins+where+` {order} LIMIT ?3`, key, id)
}

func scanMessage(r *sqlite.Row) (m mail.Message, err error) {
	var labels, envelope, attachments string
	if err := r.Scan(&m.ID, &m.Pod, &m.Inbox, &m.InboxID, &m.Thread, &m.ThreadID, &m.MessageID, &labels, &m.Timestamp, &m.CreatedAt, &m.UpdatedAt,
		&envelope, &m.Preview, &attachments, &m.Size, &m.Mailbox, &m.UID, &m.ModSeq, &m.InternalDate, &m.TraceID); err != nil {
		return m, err
	}
	return m, decodeMessage(&m, labels, envelope, attachments)
}

// decodeMessage reads the columns that are JSON.
func decodeMessage(m *mail.Message, labels, envelope, attachments string) error {
	if err := decode(labels, &m.Labels); err != nil {
		return fmt.Errorf("labels of message %d: %w", m.ID, err)
	}
	if err := decode(attachments, &m.Attachments); err != nil {
		return fmt.Errorf("attachments of message %d: %w", m.ID, err)
	}
	return decode(envelope, &m.Envelope)
}

// NewMessage is a message ready to be stored: all that can be worked out before the transaction has been.
type NewMessage struct {
	mail.Message
	Blob   int64  // set inside the transaction
	Trace  []byte // header fields of ours that precede the blob's bytes
	Starts bool   // its thread, which was stored for it

	envelope, structure, bodies, folded string
	attachments, intake                 any
}

// bodies are the parts that a reader shows.
type bodies struct {
	Text *mail.Part `json:"text,omitempty"`
	HTML *mail.Part `json:"html,omitempty"`
}

// Prepare works out, outside the transaction, what a message's row holds. m gives identity, labels and times; p the
// rest; in how it came in, nil if it did not.
func Prepare(m mail.Message, p *mail.Parsed, trace []byte, in *mail.Intake) (*NewMessage, error) {
	m.Envelope, m.Preview, m.Attachments, m.Size = p.Envelope, p.Preview, p.Attachments, p.Size
	n := &NewMessage{Message: m, Trace: trace, attachments: encode(p.Attachments)}
	for _, f := range []struct {
		dest *string
		v    any
	}{{&n.envelope, &p.Envelope}, {&n.structure, p.Structure}, {&n.bodies, bodies{Text: p.Text, HTML: p.HTML}}} {
		b, err := json.Marshal(f.v)
		if err != nil {
			return nil, fmt.Errorf("encode message: %w", err)
		}
		*f.dest = string(b)
	}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode intake: %w", err)
		}
		n.intake = string(b)
	}
	n.folded = foldedJSON(mail.Strings(p.Envelope.From), recipientStrings(&p.Envelope), p.Envelope.Subject)
	return n, nil
}

func recipientStrings(e *mail.Envelope) []string {
	return append(append(mail.Strings(e.To), mail.Strings(e.Cc)...), mail.Strings(e.Bcc)...)
}

func labelsJSON(labels []string) string {
	if len(labels) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(labels) // strings always marshal
	return string(b)
}

// InsertMessage stores n in the handle's inbox, with its labels. Thread, Mailbox, UID, ModSeq and Blob are set, and whether
// it starts the thread. ErrTaken if the inbox has its message id.
func (tx Tx) InsertMessage(n *NewMessage) error {
	labels := labelsJSON(n.Labels)
	id, err := tx.tx.Insert(insertMessage, n.Thread, n.Mailbox, n.UID, n.ModSeq, n.MessageID, labels, uint8(mail.HiddenOf(n.Labels)),
		n.Timestamp, n.InternalDate, n.Size, n.Preview, n.attachments, n.folded, n.envelope, n.structure, n.bodies, n.Blob, n.Trace, n.TraceID, n.CreatedAt, n.intake)
	if err != nil {
		return translate(err)
	}
	n.ID, n.Pod, n.Inbox, n.UpdatedAt = id, tx.Scope().Pod, tx.Scope().Inbox, n.CreatedAt
	usage := messageUsage(&n.Message, 1)
	if n.Starts { // a draft starts nothing that counts yet
		*usage.Usage(mail.UsageThreadCount) = *usage.Usage(mail.UsageMessageCount)
	}
	if err := tx.changeUsage(n.CreatedAt, usage); err != nil {
		return err
	}
	return tx.insertLabels(n.Labels, n.Timestamp, id)
}

// CopyMessage stores a copy of a message under another message id in a mailbox of the same inbox.
func (tx Tx) CopyMessage(from int64, to *mail.Message) error {
	labels := labelsJSON(to.Labels)
	id, err := tx.tx.Insert(copyMessage, from, to.Mailbox, to.UID, to.ModSeq, to.MessageID, labels, uint8(mail.HiddenOf(to.Labels)), to.CreatedAt)
	if err != nil {
		return translate(err)
	}
	to.ID = id
	if err := tx.changeUsage(to.CreatedAt, messageUsage(to, 1)); err != nil {
		return err
	}
	return tx.insertLabels(to.Labels, to.Timestamp, id)
}

// RelabelMessage writes a message's labels and modseq. added and removed are the labels in which m differs from its row.
func (tx Tx) RelabelMessage(m *mail.Message, added, removed []string) error {
	_, err := tx.tx.Exec(relabelMessage, m.ID, labelsJSON(m.Labels), uint8(mail.HiddenOf(m.Labels)), m.ModSeq, m.UpdatedAt)
	return tx.relabelled(m, added, removed, err)
}

// MoveMessage writes what RelabelMessage does, and a message's mailbox and UID.
func (tx Tx) MoveMessage(m *mail.Message, added, removed []string) error {
	_, err := tx.tx.Exec(moveMessage, m.ID, labelsJSON(m.Labels), uint8(mail.HiddenOf(m.Labels)), m.ModSeq, m.UpdatedAt, m.Mailbox, m.UID)
	return tx.relabelled(m, added, removed, err)
}

func (tx Tx) relabelled(m *mail.Message, added, removed []string, err error) error {
	if err != nil {
		return translate(err)
	}
	if slices.Contains(added, mail.LabelDraft) {
		err = tx.changeCount(m.UpdatedAt, mail.UsageMessageCount, -1)
	} else if slices.Contains(removed, mail.LabelDraft) {
		err = tx.changeCount(m.UpdatedAt, mail.UsageMessageCount, 1)
	}
	if err != nil {
		return err
	}
	if err := tx.deleteLabels(removed, m.Timestamp, m.ID); err != nil {
		return err
	}
	return tx.insertLabels(added, m.Timestamp, m.ID)
}

// insertLabels adds to message_labels, two at a time: a message that comes in has two.
func (tx Tx) insertLabels(labels []string, timestamp time.Time, message int64) (err error) {
	for len(labels) > 0 && err == nil {
		if len(labels) == 1 {
			_, err = tx.tx.Exec(insertLabel, timestamp, message, labels[0])
			break
		}
		_, err = tx.tx.Exec(insertTwoLabels, timestamp, message, labels[0], labels[1])
		labels = labels[2:]
	}
	return translate(err)
}

func (tx Tx) deleteLabels(labels []string, timestamp time.Time, message int64) error {
	for _, l := range labels {
		if _, err := tx.tx.Exec(deleteLabel, timestamp, message, l); err != nil {
			return translate(err)
		}
	}
	return nil
}

// messageUsage is what a message adds to the usage if it comes (1) or goes (-1). A draft is no message yet, but has
// bytes.
func messageUsage(m *mail.Message, n int64) (t mail.Totals) {
	*t.Usage(mail.UsageStorageBytes) = n * m.Size
	if !slices.Contains(m.Labels, mail.LabelDraft) {
		*t.Usage(mail.UsageMessageCount) = n
	}
	return t
}

// DeleteMessage removes a message with its labels, place in the search index, and its bytes if
// nothing else in the pod needs them.
func (tx Tx) DeleteMessage(m *mail.Message, now time.Time) error {
	if err := tx.changeUsage(now, messageUsage(m, -1)); err != nil {
		return err
	}
	return tx.removeMessage(m)
}

func (tx Tx) removeMessage(m *mail.Message) error {
	var blob int64
	if err := tx.one(findBlobOf, []any{m.ID}, &blob); err != nil {
		return err
	}
	if err := tx.deleteLabels(m.Labels, m.Timestamp, m.ID); err != nil {
		return err
	}
	if slices.Contains(m.Labels, mail.LabelDraft) {
		if err := tx.DeleteDraftOf(m.ID); err != nil {
			return err
		}
	}
	if err := tx.releaseDeliveries(m, blob); err != nil {
		return err
	}
	for _, s := range []*sqlite.Statement{deleteIndexed, deleteParts, deleteLesson, deleteMessage} {
		if _, err := tx.tx.Exec(s, m.ID); err != nil {
			return translate(err)
		}
	}
	return tx.DeleteBlob(blob)
}

// FindMessage finds a message by its public id, which is unique in an inbox.
func (tx Tx) FindMessage(messageID string) (mail.Message, error) {
	return get(tx, findMessage, scanMessage, messageID)
}

// FindArrived finds the trace id of a message that the handle's inbox received with these bytes under this message id.
func (tx Tx) FindArrived(messageID string, blob int64) (traceID string, err error) {
	err = tx.one(findArrived, []any{messageID, blob}, &traceID)
	return traceID, err
}

// FindMessageByID finds a message by its key.
func (tx Tx) FindMessageByID(id int64) (mail.Message, error) {
	return get(tx, findMessageByID, scanMessage, id)
}

// ListMessages lists messages by time.
func (tx Tx) ListMessages(f mail.MessageFilter, p mail.Page) ([]mail.Message, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	after, before := bounds(f)
	args := []any{key, id, p.Limit + 1, after, before, uint8(f.Include)}
	list, needles := messagesByTime, filterArgs(f, "")
	if needles != "" {
		list, args = messagesFiltered, append(args, needles)
	}
	if label, ok := rarest(f.Labels); ok {
		list, args = messagesLabelled, append(args, label)
	}
	messages, err := all(tx, list.pick(p.Ascending), scanMessage, args...)
	messages, next := page(messages, p.Limit, messageCursor)
	return messages, next, err
}

// TokenBehind is the page token of lists by time that leads on behind a message.
func TokenBehind(m *mail.Message) string { return messageCursor(m).Token() }

func messageCursor(m *mail.Message) mail.Cursor {
	return mail.Cursor{Key: m.Timestamp.UnixMicro(), ID: m.ID}
}

// ListThreadMessages lists one page of a thread's messages.
func (tx Tx) ListThreadMessages(thread int64, p mail.Page) ([]mail.Message, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	messages, err := all(tx, listThreadPage.pick(p.Ascending), scanMessage, key, id, p.Limit+1, thread)
	messages, next := page(messages, p.Limit, messageCursor)
	return messages, next, err
}

// ListMessagesOfThread lists all messages of a thread, oldest first.
func (tx Tx) ListMessagesOfThread(thread int64) ([]mail.Message, error) {
	return all(tx, listInThread, scanMessage, thread)
}
