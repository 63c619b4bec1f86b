package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const deliveryColumns = `d.id, d.pod_id, d.inbox_id, d.message_id, m.message_id, d.sender, d.recipient, d.courier, d.state, d.attempts, d.next_attempt_at, d.last_error, d.trace_id, d.created_at, d.updated_at`
const deliveryFrom = ` FROM deliveries d JOIN messages m ON m.id = d.message_id AND {scope m} WHERE {scope d} `

var (
	findDelivery   = tables.Compile(`SELECT ` + deliveryColumns + deliveryFrom + ` AND d.id = ?`)
	listQueued     = compileListing(`SELECT `+deliveryColumns+deliveryFrom+` AND d.state = 'queued' AND {after} {order} LIMIT ?3`, "d.id", "d.id")
	listDeliveries = tables.Compile(`SELECT ` + deliveryColumns + deliveryFrom + ` AND d.message_id = ? ORDER BY d.id`)
	insertDelivery = tables.Compile(`INSERT INTO deliveries (pod_id, inbox_id, message_id, sender, recipient, courier, state, next_attempt_at, trace_id, created_at, updated_at)
		VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)`)
	updateDelivery            = tables.Compile(`UPDATE deliveries SET state = ?2, attempts = ?3, next_attempt_at = ?4, last_error = ?5, updated_at = ?6 WHERE id = ?1 AND {scope deliveries}`)
	deleteDeliveriesOfMessage = tables.Compile(`DELETE FROM deliveries WHERE message_id = ? AND {scope deliveries}`)
)

func scanDelivery(r *sqlite.Row) (d mail.Delivery, err error) {
	var courier, state string
	err = r.Scan(&d.ID, &d.Pod, &d.Inbox, &d.Message, &d.MessageID, &d.Sender, &d.Recipient, &courier, &state, &d.Attempts, &d.NextAttemptAt, &d.LastError, &d.TraceID, &d.CreatedAt, &d.UpdatedAt)
	d.Courier, d.State = mail.Courier(courier), mail.DeliveryState(state)
	return d, err
}

// FindDelivery finds a delivery by its key.
func (tx Tx) FindDelivery(id int64) (mail.Delivery, error) {
	return get(tx, findDelivery, scanDelivery, id)
}

// ListQueued lists the deliveries that wait.
func (tx Tx) ListQueued(p mail.Page) ([]mail.Delivery, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	ds, err := all(tx, listQueued.pick(p.Ascending), scanDelivery, key, id, p.Limit+1)
	ds, next := page(ds, p.Limit, func(d *mail.Delivery) mail.Cursor { return mail.Cursor{Key: d.ID, ID: d.ID} })
	return ds, next, err
}

// ListDeliveries lists the deliveries of one message.
func (tx Tx) ListDeliveries(message int64) ([]mail.Delivery, error) {
	return all(tx, listDeliveries, scanDelivery, message)
}

// InsertDelivery queues d for the handle's inbox.
func (tx Tx) InsertDelivery(d mail.Delivery) error {
	_, err := tx.tx.Exec(insertDelivery, d.Message, d.Sender, d.Recipient, string(d.Courier), string(d.State), d.NextAttemptAt, d.TraceID, d.CreatedAt)
	return translate(err)
}

// UpdateDelivery writes where a delivery stands.
func (tx Tx) UpdateDelivery(d mail.Delivery) error {
	_, err := tx.tx.Exec(updateDelivery, d.ID, string(d.State), d.Attempts, d.NextAttemptAt, sqlite.Null(d.LastError), d.UpdatedAt)
	return err
}
