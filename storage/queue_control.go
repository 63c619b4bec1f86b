package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// isStopped tells of a delivery d to another host whether a pause q holds it back.
const isStopped = `d.courier = 'smtp' AND (q.kind = 'pod' AND q.pod_id = d.pod_id OR q.kind = 'destination' AND q.name = d.destination
	OR q.kind = 'domain' AND q.name = lower(substr(d.sender, instr(d.sender, '@') + 1)))`

const pauseColumns = `q.kind, q.pod_id, q.name, q.reason, q.created_at`

var (
	hurryDelivery         = tables.Compile(`UPDATE deliveries SET state = 'queued', held_by = NULL, urgent = 1, next_attempt_at = ?2, updated_at = ?2 WHERE id = ?1 AND {scope deliveries}`)
	insertDeliveryAttempt = tables.Compile(`INSERT INTO delivery_attempts (pod_id, inbox_id, delivery_id, host, tls, failure, reply, created_at) VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6)`)
	listDeliveryAttempts  = tables.Compile(`SELECT a.host, a.tls, a.failure, a.reply, a.created_at FROM delivery_attempts a WHERE a.delivery_id = ? AND {scope a} ORDER BY a.id`)
	deleteItsAttempts     = tables.Compile(`DELETE FROM delivery_attempts WHERE delivery_id = ?1 AND {scope delivery_attempts}`)
	listOwnPauses         = tables.Compile(`SELECT ` + pauseColumns + ` FROM queue_pauses q WHERE q.pod_id = {pod} AND {scope q}`)
	deletePauses          = tables.Compile(`DELETE FROM queue_pauses WHERE {scope queue_pauses}`)

	listUrgent  = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM deliveries d WHERE d.urgent = 1 AND d.state = 'queued' AND d.courier = 'smtp' AND NOT EXISTS (SELECT 1 FROM queue_pauses q WHERE ` + isStopped + `) AND {organization} LIMIT ?`)
	listPauses  = tables.Compile(`SELECT ` + pauseColumns + ` FROM queue_pauses q WHERE {organization} ORDER BY q.kind, q.name LIMIT 10000`)
	findPause   = tables.Compile(`SELECT ` + pauseColumns + ` FROM queue_pauses q WHERE q.kind = ?1 AND q.name = ?2 AND {organization}`)
	findPauseOf = tables.Compile(`SELECT ` + pauseColumns + ` FROM deliveries d JOIN queue_pauses q ON ` + isStopped + ` WHERE d.id = ?1 AND {organization} ORDER BY q.kind DESC, q.name LIMIT 1`)
	insertPause = tables.Compile(`INSERT INTO queue_pauses (pod_id, kind, name, reason, created_at) SELECT ?1, ?2, ?3, ?4, ?5 WHERE {organization}
		ON CONFLICT (kind, name) DO UPDATE SET reason = ifnull(excluded.reason, reason)`)
	countControl = tables.Compile(`INSERT INTO queue_controls (action, total) SELECT ?1, 1 WHERE {organization} ON CONFLICT (action) DO UPDATE SET total = total + 1`)
	listControls = tables.Compile(`SELECT c.action, c.total FROM queue_controls c WHERE {organization}`)
	deletePause  = tables.Compile(`DELETE FROM queue_pauses WHERE kind = ?1 AND name = ?2 AND {organization}`)
	listGoneOf   = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM inboxes i CROSS JOIN deliveries d ON d.pod_id = i.pod_id AND d.inbox_id = i.id AND d.gone_message_id = ?1 WHERE {organization} ORDER BY d.pod_id, d.inbox_id, d.id LIMIT ?2`)
	listOldGone  = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM deliveries d WHERE d.message_id IS NULL AND d.blob_id IS NULL AND d.updated_at <= ?1 AND {organization} LIMIT ?2`)
)

// HurryDelivery has a delivery that waits tried at once.
func (tx Tx) HurryDelivery(id int64, now time.Time) error {
	_, err := tx.tx.Exec(hurryDelivery, id, now)
	return err
}

// InsertDeliveryAttempt notes what came of an attempt to carry a delivery of the handle's inbox.
func (tx Tx) InsertDeliveryAttempt(delivery int64, a mail.DeliveryAttempt) error {
	_, err := tx.tx.Exec(insertDeliveryAttempt, delivery, sqlite.Null(a.Host), sqlite.Null(a.TLS), sqlite.Null(string(a.Failure)), a.Reply, a.At)
	return translate(err)
}

// ListDeliveryAttempts lists what came of the attempts to carry a delivery, the first ones first.
func (tx Tx) ListDeliveryAttempts(delivery int64) ([]mail.DeliveryAttempt, error) {
	return all(tx, listDeliveryAttempts, func(r *sqlite.Row) (a mail.DeliveryAttempt, err error) {
		var failure string
		err = r.Scan(&a.Host, &a.TLS, &failure, &a.Reply, &a.At)
		a.Failure = mail.TransferFailure(failure)
		return a, err
	}, delivery)
}

func scanPause(r *sqlite.Row) (p mail.Pause, err error) {
	var kind string
	err = r.Scan(&kind, &p.Pod, &p.Name, &p.Reason, &p.CreatedAt)
	p.Kind = mail.PauseKind(kind)
	return p, err
}

// ListOwnPauses lists what is stopped of the handle's pod: the pod, if it is.
func (tx Tx) ListOwnPauses() ([]mail.Pause, error) {
	return all(tx, listOwnPauses, scanPause)
}

// DeletePauses forgets what was stopped of the handle's pod.
func (tx Tx) DeletePauses() error {
	_, err := tx.tx.Exec(deletePauses)
	return err
}

// ListUrgent lists deliveries to other hosts that somebody wants tried at once, but for those that are stopped.
func (tx SystemTx) ListUrgent(limit int) ([]Job, error) {
	return all(tx.Tx, listUrgent, scanJob, limit)
}

// CountControl counts that something was done to a delivery by hand.
func (tx SystemTx) CountControl(c mail.QueueControl) error {
	_, err := tx.tx.Exec(countControl, string(c))
	return err
}

// ListControls lists how often each thing was done to deliveries by hand; what never was is left out.
func (tx SystemTx) ListControls() (map[mail.QueueControl]int, error) {
	totals := map[mail.QueueControl]int{}
	_, err := all(tx.Tx, listControls, func(r *sqlite.Row) (n int, err error) {
		var action string
		err = r.Scan(&action, &n)
		totals[mail.QueueControl(action)] = n
		return n, err
	})
	return totals, err
}

// ListPauses lists what the operator stopped.
func (tx SystemTx) ListPauses() ([]mail.Pause, error) {
	return all(tx.Tx, listPauses, scanPause)
}

// FindPause finds what is stopped by what it is.
func (tx SystemTx) FindPause(kind mail.PauseKind, name string) (mail.Pause, error) {
	return get(tx.Tx, findPause, scanPause, string(kind), name)
}

// FindPauseOf finds what holds a delivery back. ErrNotFound if nothing does.
func (tx SystemTx) FindPauseOf(delivery int64) (mail.Pause, error) {
	return get(tx.Tx, findPauseOf, scanPause, delivery)
}

// InsertPause stops something. What is stopped already gets the reason, if there is one.
func (tx SystemTx) InsertPause(p mail.Pause) error {
	_, err := tx.tx.Exec(insertPause, sqlite.Null(p.Pod), string(p.Kind), p.Name, sqlite.Null(p.Reason), p.CreatedAt)
	return translate(err)
}

// DeletePause lets something go on. ErrNotFound if it is not stopped.
func (tx SystemTx) DeletePause(kind mail.PauseKind, name string) error {
	n, err := tx.tx.Exec(deletePause, string(kind), name)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// ListGoneOf lists the deliveries of all inboxes whose message had an id and was deleted, an inbox's one after the other.
func (tx SystemTx) ListGoneOf(messageID string, limit int) ([]Job, error) {
	return all(tx.Tx, listGoneOf, scanJob, messageID, limit)
}

// ListOldGone lists deliveries whose message was deleted and whose outcome was known by a moment.
func (tx SystemTx) ListOldGone(until time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listOldGone, scanJob, until, limit)
}
