package storage

import (
	"encoding/json"
	"fmt"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const inboxColumns = `i.id, i.pod_id, p.public_id, i.address, i.display_name, i.client_id, i.metadata, i.uid_validity, i.created_at, i.updated_at, i.forwarding`
const inboxFrom = ` FROM inboxes i JOIN pods p ON p.id = i.pod_id AND {scope p} WHERE {scope i} AND i.address IS NOT NULL `

var (
	findInbox           = tables.Compile(`SELECT ` + inboxColumns + inboxFrom + ` AND i.address = ?`)
	findInboxByID       = tables.Compile(`SELECT ` + inboxColumns + inboxFrom + ` AND i.id = ?`)
	findInboxByClientID = tables.Compile(`SELECT ` + inboxColumns + inboxFrom + ` AND i.client_id = ? ORDER BY i.id LIMIT 1`)
	findOwnInbox        = tables.Compile(`SELECT ` + inboxColumns + inboxFrom + ` AND i.id = {inbox}`)
	ownInboxStands      = tables.Compile(`SELECT 1 FROM inboxes i WHERE i.id = {inbox} AND i.address IS NOT NULL AND {scope i}`)
	listInboxes         = compileListing(`SELECT `+inboxColumns+inboxFrom+` AND {after} {order} LIMIT ?3`, "i.created_at", "i.id")
	insertInbox         = tables.Compile(`INSERT INTO inboxes (pod_id, address, display_name, client_id, metadata, uid_validity, domain_id, created_at, updated_at) VALUES ({pod}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)`)
	updateInbox         = tables.Compile(`UPDATE inboxes SET display_name = ?1, metadata = ?2, updated_at = ?3 WHERE id = {inbox} AND {scope inboxes}`)
	hideInbox           = tables.Compile(`UPDATE inboxes SET address = NULL, client_id = NULL, domain_id = NULL, forwarding = NULL, updated_at = ? WHERE id = {inbox} AND {scope inboxes}`)
	deleteInbox         = tables.Compile(`DELETE FROM inboxes WHERE id = {inbox} AND address IS NULL AND {scope inboxes}`)
)

func scanInbox(r *sqlite.Row) (i mail.Inbox, err error) {
	var metadata, forwarding string
	if err := r.Scan(&i.ID, &i.Pod, &i.PodID, &i.Address, &i.DisplayName, &i.ClientID, &metadata, &i.UIDValidity, &i.CreatedAt, &i.UpdatedAt, &forwarding); err != nil {
		return i, err
	}
	if err := decode(metadata, &i.Metadata); err != nil {
		return i, fmt.Errorf("metadata of inbox %d: %w", i.ID, err)
	}
	if forwarding == "" { // as of nearly all
		return i, nil
	}
	return i, decode(forwarding, &i.Forwarding)
}

// FindInbox finds an inbox by its address, in lower case.
func (tx Tx) FindInbox(address string) (mail.Inbox, error) {
	return get(tx, findInbox, scanInbox, address)
}

// FindInboxByID finds an inbox by its key.
func (tx Tx) FindInboxByID(id int64) (mail.Inbox, error) {
	return get(tx, findInboxByID, scanInbox, id)
}

// FindInboxByClientID finds an inbox by the customer's own id, which is unique in a pod; under the organization the
// oldest wins.
func (tx Tx) FindInboxByClientID(id string) (mail.Inbox, error) {
	return get(tx, findInboxByClientID, scanInbox, id)
}

// FindOwnInbox finds the inbox of the handle's scope. ErrNotFound once it is deleted.
func (tx Tx) FindOwnInbox() (mail.Inbox, error) { return get(tx, findOwnInbox, scanInbox) }

// CheckOwnInbox returns ErrNotFound if the inbox of the handle's scope is deleted.
func (tx Tx) CheckOwnInbox() error {
	var one int
	return tx.one(ownInboxStands, nil, &one)
}

// ListInboxes lists inboxes by creation.
func (tx Tx) ListInboxes(p mail.Page) ([]mail.Inbox, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	inboxes, err := all(tx, listInboxes.pick(p.Ascending), scanInbox, key, id, p.Limit+1)
	inboxes, next := page(inboxes, p.Limit, func(i *mail.Inbox) mail.Cursor {
		return mail.Cursor{Key: i.CreatedAt.UnixMicro(), ID: i.ID}
	})
	return inboxes, next, err
}

// InsertInbox stores i in the handle's pod and returns it with its key. ErrTaken if the address or client id is.
func (tx Tx) InsertInbox(i mail.Inbox) (mail.Inbox, error) {
	id, err := tx.tx.Insert(insertInbox, i.Address, sqlite.Null(i.DisplayName), sqlite.Null(i.ClientID), encode(i.Metadata), i.UIDValidity, sqlite.Null(i.Domain), i.CreatedAt)
	i.ID, i.Pod, i.UpdatedAt = id, tx.Scope().Pod, i.CreatedAt
	if err != nil {
		return i, translate(err)
	}
	return i, tx.changeCount(i.CreatedAt, mail.UsageInboxCount, 1)
}

// UpdateInbox writes display name and metadata of the handle's inbox.
func (tx Tx) UpdateInbox(i mail.Inbox) error {
	_, err := tx.tx.Exec(updateInbox, sqlite.Null(i.DisplayName), encode(i.Metadata), i.UpdatedAt)
	return err
}

// HideInbox makes the handle's inbox invisible and its address free; what is under it is removed later.
func (tx Tx) HideInbox(now time.Time) error {
	if err := tx.loseInbox(now); err != nil {
		return err
	}
	_, err := tx.tx.Exec(hideInbox, now)
	return err
}

// DeleteInbox removes the handle's hidden inbox, once nothing is under it any more.
func (tx Tx) DeleteInbox() error {
	_, err := tx.tx.Exec(deleteInbox)
	return translate(err)
}

// encode writes a value as JSON, or NULL if there is nothing in it.
func encode(v any) any {
	b, err := json.Marshal(v)
	if s := string(b); err == nil && s != "null" && s != "{}" && s != "[]" {
		return s
	}
	return nil
}

// decode reads what encode wrote.
func decode(s string, v any) error {
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), v)
}
