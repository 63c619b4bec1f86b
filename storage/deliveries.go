package storage

import (
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const deliveryColumns = `d.id, d.pod_id, d.inbox_id, d.message_id, coalesce(m.message_id, d.gone_message_id), d.sender, d.recipient, d.destination, d.courier, d.state, d.attempts, d.next_attempt_at, d.last_reply, d.notified, d.trace_id, d.created_at, d.updated_at,
	d.envelope_id, d.return, d.require_tls, d.notify, d.original_recipient, d.purpose, d.origin, d.held_by`
const deliveryFrom = ` FROM deliveries d LEFT JOIN messages m ON m.id = d.message_id AND {scope m} WHERE {scope d} `

var (
	findDelivery = tables.Compile(`SELECT ` + deliveryColumns + deliveryFrom + ` AND d.id = ?`)
	findCarried  = tables.Compile(`SELECT b.id, coalesce(m.trace, d.trace), coalesce(m.size, b.size + ifnull(length(d.trace), 0)), b.bytes FROM deliveries d LEFT JOIN messages m ON m.id = d.message_id AND {scope m}
		JOIN blobs b ON b.id = coalesce(m.blob_id, d.blob_id) AND {scope b} WHERE d.id = ? AND {scope d}`)
	listWaiting      = compileListing(`SELECT `+deliveryColumns+deliveryFrom+` AND d.state IN ('queued', 'held') AND {after} {order} LIMIT ?3`, "d.id", "d.id")
	listDeliveries   = tables.Compile(`SELECT ` + deliveryColumns + deliveryFrom + ` AND d.message_id = ? ORDER BY d.id`)
	findByEnvelopeID = tables.Compile(`SELECT d.message_id FROM deliveries d WHERE d.inbox_id = {inbox} AND d.envelope_id = ? AND d.message_id IS NOT NULL AND d.purpose = 'sent' AND {scope d} ORDER BY d.id DESC LIMIT 1`)
	insertDelivery   = tables.Compile(`INSERT INTO deliveries (pod_id, inbox_id, message_id, sender, recipient, destination, courier, state, next_attempt_at, trace_id, created_at, updated_at,
		envelope_id, return, require_tls, notify, original_recipient, purpose, origin, blob_id, trace, gone_message_id)
		VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)`)
	updateDelivery = tables.Compile(`UPDATE deliveries SET state = ?2, attempts = ?3, next_attempt_at = ?4, last_reply = ?5, notified = ?6, urgent = 0, updated_at = ?7, held_by = ?8 WHERE id = ?1 AND {scope deliveries}`)
	settleDelivery = tables.Compile(`UPDATE deliveries SET state = ?2, attempts = attempts + 1, next_attempt_at = NULL, last_reply = ?3, urgent = 0, updated_at = ?4, held_by = NULL
		WHERE id = ?1 AND state IN ('queued', 'held') AND {scope deliveries} RETURNING message_id`)
	deleteDelivery = tables.Compile(`DELETE FROM deliveries WHERE id = ? AND {scope deliveries}`)
	partDeliveries = tables.Compile(`UPDATE deliveries SET message_id = NULL, gone_message_id = ?3, blob_id = iif(state IN ('queued', 'held'), ?2, NULL),
		trace = iif(state IN ('queued', 'held'), (SELECT m.trace FROM messages m WHERE m.id = ?1 AND {scope m}), NULL) WHERE message_id = ?1 AND {scope deliveries}`)
	dropCarried     = tables.Compile(`UPDATE deliveries SET blob_id = NULL, trace = NULL WHERE id = ?1 AND {scope deliveries}`)
	findBlobCarried = tables.Compile(`SELECT d.blob_id FROM deliveries d WHERE d.id = ? AND d.blob_id IS NOT NULL AND {scope d}`)
	listOfInbox     = tables.Compile(`SELECT d.id FROM deliveries d WHERE d.inbox_id = {inbox} AND d.state IN ('queued', 'held') AND {scope d} LIMIT ?`)
	listGoneOfInbox = tables.Compile(`SELECT d.id FROM deliveries d WHERE d.inbox_id = {inbox} AND d.gone_message_id IS NOT NULL AND {scope d} LIMIT ?`)
)

func scanDelivery(r *sqlite.Row) (d mail.Delivery, err error) {
	var courier, state, purpose, origin, heldBy string
	err = r.Scan(&d.ID, &d.Pod, &d.Inbox, &d.Message, &d.MessageID, &d.Sender, &d.Recipient, &d.Destination,
		&courier, &state, &d.Attempts, &d.NextAttemptAt, &d.LastReply, &d.Notified, &d.TraceID, &d.CreatedAt, &d.UpdatedAt,
		&d.EnvelopeID, &d.Return, &d.RequireTLS, &d.Notify, &d.OriginalRecipient, &purpose, &origin, &heldBy)
	if err != nil {
		return d, err
	}
	d.Courier, d.State, d.Purpose, d.HeldBy = mail.Courier(courier), mail.DeliveryState(state), mail.Purpose(purpose), mail.ScopeType(heldBy)
	return d, decode(origin, &d.Origin)
}

// FindDelivery finds a delivery by its key.
func (tx Tx) FindDelivery(id int64) (mail.Delivery, error) {
	return get(tx, findDelivery, scanDelivery, id)
}

// FindCarried finds where the bytes are that a delivery carries, and brings those that are not in chunks along.
func (tx Tx) FindCarried(id int64) (raw RawMessage, err error) {
	err = tx.one(findCarried, []any{id}, &raw.Blob, &raw.Trace, &raw.Size, &raw.First)
	return raw, err
}

// ListWaiting lists the deliveries that wait, for their time or for the operator.
func (tx Tx) ListWaiting(p mail.Page) ([]mail.Delivery, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	ds, err := all(tx, listWaiting.pick(p.Ascending), scanDelivery, key, id, p.Limit+1)
	ds, next := page(ds, p.Limit, func(d *mail.Delivery) mail.Cursor { return mail.Cursor{Key: d.ID, ID: d.ID} })
	return ds, next, err
}

// ListDeliveries lists the deliveries of one message.
func (tx Tx) ListDeliveries(message int64) ([]mail.Delivery, error) {
	return all(tx, listDeliveries, scanDelivery, message)
}

// FindSentAs finds the last message that the handle's inbox sent under an ENVID.
func (tx Tx) FindSentAs(envelopeID string) (message int64, err error) {
	err = tx.one(findByEnvelopeID, []any{envelopeID}, &message)
	return message, err
}

// InsertDelivery queues d, which carries a message of the handle's inbox.
func (tx Tx) InsertDelivery(d mail.Delivery) error { return tx.insertDelivery(d, nil, nil, nil) }

// InsertNotice queues d, which carries what is no message of the handle's inbox: a blob, with fields of ours before it.
func (tx Tx) InsertNotice(d mail.Delivery, blob int64, trace []byte) error {
	return tx.insertDelivery(d, blob, trace, d.MessageID)
}

func (tx Tx) insertDelivery(d mail.Delivery, blob, trace, messageID any) error {
	_, err := tx.tx.Exec(insertDelivery, sqlite.Null(d.Message), d.Sender, d.Recipient, d.Destination, string(d.Courier), string(d.State), d.NextAttemptAt, d.TraceID, d.CreatedAt,
		sqlite.Null(d.EnvelopeID), sqlite.Null(d.Return), d.RequireTLS, sqlite.Null(d.Notify), sqlite.Null(d.OriginalRecipient),
		string(d.Purpose), encode(d.Origin), blob, trace, messageID)
	return translate(err)
}

// UpdateDelivery writes where a delivery stands.
func (tx Tx) UpdateDelivery(d mail.Delivery) error {
	_, err := tx.tx.Exec(updateDelivery, d.ID, string(d.State), d.Attempts, d.NextAttemptAt, sqlite.Null(d.LastReply), d.Notified, d.UpdatedAt, sqlite.Null(string(d.HeldBy)))
	return err
}

// SettleDelivery writes the outcome of a delivery that waits, and returns the message it is of; 0: that was deleted.
// ErrNotFound if it does not wait, or is not there.
func (tx Tx) SettleDelivery(id int64, state mail.DeliveryState, reply string, now time.Time) (message int64, err error) {
	err = tx.one(settleDelivery, []any{id, string(state), sqlite.Null(reply), now}, &message)
	return message, err
}

// DeleteDelivery removes a delivery, with the bytes that it alone still needed.
func (tx Tx) DeleteDelivery(id int64) error {
	var blob int64
	err := tx.one(findBlobCarried, []any{id}, &blob)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := tx.tx.Exec(deleteItsAttempts, id); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(deleteDelivery, id); err != nil || blob == 0 {
		return err
	}
	return tx.DeleteBlob(blob)
}

// DropCarried removes the bytes that a delivery without a message alone still needed. What became of it stays.
func (tx Tx) DropCarried(id int64) error {
	var blob int64
	if err := tx.one(findBlobCarried, []any{id}, &blob); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(dropCarried, id); err != nil {
		return err
	}
	return tx.DeleteBlob(blob)
}

// releaseDeliveries parts deliveries from a message that is about to be deleted: those that wait are carried all the
// same, and keep its bytes; of the others is remembered what became of them.
func (tx Tx) releaseDeliveries(m *mail.Message, blob int64) error {
	_, err := tx.tx.Exec(partDeliveries, m.ID, blob, m.MessageID)
	return translate(err)
}

// cleanDeliveries removes at most limit deliveries under the handle's hidden inbox that wait, or have no message any more.
// done tells that none is left.
func (tx Tx) cleanDeliveries(limit int) (done bool, err error) {
	for _, list := range []*sqlite.Statement{listOfInbox, listGoneOfInbox} {
		ids, err := all(tx, list, scanID, limit)
		if err != nil {
			return false, err
		}
		for _, id := range ids {
			if err := tx.DeleteDelivery(id); err != nil {
				return false, err
			}
		}
		if len(ids) > 0 {
			return false, nil
		}
	}
	return true, nil
}
