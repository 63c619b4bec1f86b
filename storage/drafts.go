package storage

import (
	"fmt"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const draftColumns = `d.id, d.public_id, d.client_id, d.kind, d.original, d.send_at, d.send_status, d.created_at, d.updated_at, d.envelope, ` + messageColumns
const draftFrom = ` FROM drafts d JOIN messages m ON m.pod_id = d.pod_id AND m.id = d.message_id AND {scope m}` + messageJoins + `AND i.address IS NOT NULL WHERE {scope d} `

var (
	findDraft           = tables.Compile(`SELECT ` + draftColumns + draftFrom + `AND d.public_id = ?`)
	findDraftByClientID = tables.Compile(`SELECT ` + draftColumns + draftFrom + `AND d.client_id = ? ORDER BY d.id LIMIT 1`)
	findDraftByID       = tables.Compile(`SELECT ` + draftColumns + draftFrom + `AND d.id = ?`)
	listDrafts          = compileListing(`SELECT `+draftColumns+draftFrom+`AND {after} AND d.updated_at > ?4 AND d.updated_at < ?5 AND `+filterSQL("m", "?6")+` {order} LIMIT ?3`, "d.updated_at", "d.id")
	insertDraft         = tables.Compile(`INSERT INTO drafts (pod_id, inbox_id, message_id, public_id, client_id, kind, original, send_at, send_status, created_at, updated_at, envelope)
		VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)`)
	updateDraft   = tables.Compile(`UPDATE drafts SET message_id = ?2, send_at = ?3, send_status = ?4, retry_at = NULL, updated_at = ?5, envelope = ?6 WHERE id = ?1 AND {scope drafts}`)
	postponeDraft = tables.Compile(`UPDATE drafts SET retry_at = ?2 WHERE id = ?1 AND {scope drafts}`)
	deleteDraftOf = tables.Compile(`DELETE FROM drafts WHERE message_id = ? AND {scope drafts}`)
)

func scanDraft(r *sqlite.Row) (d mail.Draft, err error) {
	var kind, status string
	m := &d.Message
	var submitted, labels, envelope, attachments string
	if err := r.Scan(&d.ID, &d.DraftID, &d.ClientID, &kind, &d.Original, &d.SendAt, &status, &d.CreatedAt, &d.UpdatedAt, &submitted,
		&m.ID, &m.Pod, &m.Inbox, &m.InboxID, &m.Thread, &m.ThreadID, &m.MessageID, &labels, &m.Timestamp, &m.CreatedAt, &m.UpdatedAt,
		&envelope, &m.Preview, &attachments, &m.Size, &m.Mailbox, &m.UID, &m.ModSeq, &m.InternalDate, &m.TraceID); err != nil {
		return d, err
	}
	d.Kind, d.SendStatus = mail.DraftKind(kind), mail.SendStatus(status)
	if err := decode(submitted, &d.Submitted); err != nil {
		return d, fmt.Errorf("envelope of draft %d: %w", d.ID, err)
	}
	return d, decodeMessage(m, labels, envelope, attachments)
}

// FindDraft finds a draft by its public id.
func (tx Tx) FindDraft(id string) (mail.Draft, error) { return get(tx, findDraft, scanDraft, id) }

// FindDraftByClientID finds a draft by the customer's own id, which is unique in an inbox; in a wider scope the oldest
// wins.
func (tx Tx) FindDraftByClientID(id string) (mail.Draft, error) {
	return get(tx, findDraftByClientID, scanDraft, id)
}

// FindDraftByID finds a draft by its key.
func (tx Tx) FindDraftByID(id int64) (mail.Draft, error) {
	return get(tx, findDraftByID, scanDraft, id)
}

// ListDrafts lists drafts by their last change, to which the filter's time bounds apply too.
func (tx Tx) ListDrafts(f mail.MessageFilter, p mail.Page) ([]mail.Draft, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	after, before := bounds(f)
	needles := filterArgs(f, "")
	if needles == "" {
		needles = "[]"
	}
	drafts, err := all(tx, listDrafts.pick(p.Ascending), scanDraft, key, id, p.Limit+1, after, before, needles)
	drafts, next := page(drafts, p.Limit, func(d *mail.Draft) mail.Cursor {
		return mail.Cursor{Key: d.UpdatedAt.UnixMicro(), ID: d.ID}
	})
	return drafts, next, err
}

// InsertDraft makes a message of the handle's inbox a draft. ErrTaken if its client id is.
func (tx Tx) InsertDraft(d *mail.Draft) (err error) {
	d.ID, err = tx.tx.Insert(insertDraft, d.Message.ID, d.DraftID, sqlite.Null(d.ClientID), string(d.Kind), sqlite.Null(d.Original), d.SendAt, sqlite.Null(string(d.SendStatus)), d.CreatedAt,
		encode(d.Submitted))
	d.UpdatedAt = d.CreatedAt
	return translate(err)
}

// UpdateDraft writes which message a draft is, with its envelope, and its schedule, from which it is not postponed any more.
func (tx Tx) UpdateDraft(d *mail.Draft) error {
	_, err := tx.tx.Exec(updateDraft, d.ID, d.Message.ID, d.SendAt, sqlite.Null(string(d.SendStatus)), d.UpdatedAt, encode(d.Submitted))
	return translate(err)
}

// PostponeDraft has a draft whose time has come wait on. It stays scheduled for when it was.
func (tx Tx) PostponeDraft(id int64, until time.Time) error {
	_, err := tx.tx.Exec(postponeDraft, id, until)
	return err
}

// DeleteDraftOf makes a message a draft no longer.
func (tx Tx) DeleteDraftOf(message int64) error {
	_, err := tx.tx.Exec(deleteDraftOf, message)
	return err
}
