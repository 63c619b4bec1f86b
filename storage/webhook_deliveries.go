package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const postColumns = `d.id, d.pod_id, d.inbox_id, d.webhook_id, d.event, d.event_type, d.event_pod, d.event_inbox, d.state, d.attempts, d.next_attempt_at, d.status, d.created_at, d.updated_at`

var (
	findPost   = tables.Compile(`SELECT ` + postColumns + ` FROM webhook_deliveries d WHERE d.webhook_id = ?1 AND d.id = ?2 AND {scope d}`)
	listPosts  = compileListing(`SELECT `+postColumns+` FROM webhook_deliveries d WHERE d.webhook_id = ?4 AND {scope d} AND {after} AND (?5 = '' OR d.state = ?5) {order} LIMIT ?3`, "d.id", "d.id")
	insertPost = tables.Compile(`INSERT INTO webhook_deliveries (pod_id, inbox_id, webhook_id, event, event_type, event_pod, event_inbox, lane, state, next_attempt_at, created_at, updated_at)
		VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?8, ?8)`)
	laneIsBusy = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries d WHERE d.webhook_id = ?1 AND d.lane = ?2 AND d.state = 'queued' AND {scope d} LIMIT 1)`)
	updatePost = tables.Compile(`UPDATE webhook_deliveries SET state = ?2, attempts = ?3, next_attempt_at = ?4, status = ?5, updated_at = ?6 WHERE id = ?1 AND {scope webhook_deliveries}`)
	// The next of a lane gets a time once the one before it is settled.
	releaseLane = tables.Compile(`UPDATE webhook_deliveries SET next_attempt_at = ?3 WHERE next_attempt_at IS NULL AND {scope webhook_deliveries}
		AND id = (SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = ?1 AND d.lane = ?2 AND d.state = 'queued' AND {scope d} ORDER BY d.id LIMIT 1)`)
	listDuePosts    = tables.Compile(`SELECT ` + postColumns + ` FROM webhook_deliveries d WHERE d.webhook_id = ?1 AND d.state = 'queued' AND d.next_attempt_at IS NOT NULL AND d.next_attempt_at <= ?2 AND {scope d} ORDER BY d.next_attempt_at LIMIT ?3`)
	deleteSomePosts = tables.Compile(`DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.webhook_id = ?1 AND {scope d} LIMIT ?2) AND {scope webhook_deliveries}`)

	insertAttempt      = tables.Compile(`INSERT INTO webhook_attempts (pod_id, inbox_id, webhook_id, delivery_id, status, error, answer, took, created_at) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7)`)
	listAttempts       = tables.Compile(`SELECT a.status, a.error, a.answer, a.took, a.created_at FROM webhook_attempts a WHERE a.delivery_id = ?1 AND {scope a} ORDER BY a.id LIMIT ?2`)
	deleteSomeAttempts = tables.Compile(`DELETE FROM webhook_attempts WHERE id IN (SELECT a.id FROM webhook_attempts a WHERE a.webhook_id = ?1 AND {scope a} LIMIT ?2) AND {scope webhook_attempts}`)
)

// maxAttempts is how many attempts of a delivery are listed: all but of one that was sent again very often.
const maxAttempts = 100

func scanPost(r *sqlite.Row) (d mail.WebhookDelivery, err error) {
	var eventType, state string
	err = r.Scan(&d.ID, &d.Scope.Pod, &d.Scope.Inbox, &d.Webhook, &d.Event, &eventType, &d.EventScope.Pod, &d.EventScope.Inbox, &state, &d.Attempts, &d.NextAttemptAt, &d.Status, &d.CreatedAt, &d.UpdatedAt)
	d.EventType, d.State = mail.EventType(eventType), mail.WebhookState(state)
	return d, err
}

// FindWebhookDelivery finds a delivery of a webhook by its key.
func (tx Tx) FindWebhookDelivery(webhook, id int64) (mail.WebhookDelivery, error) {
	return get(tx, findPost, scanPost, webhook, id)
}

// ListWebhookDeliveries lists a webhook's deliveries, in one state or, if it is empty, in all.
func (tx Tx) ListWebhookDeliveries(webhook int64, state mail.WebhookState, p mail.Page) ([]mail.WebhookDelivery, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	ds, err := all(tx, listPosts.pick(p.Ascending), scanPost, key, id, p.Limit+1, webhook, string(state))
	ds, next := page(ds, p.Limit, func(d *mail.WebhookDelivery) mail.Cursor { return mail.Cursor{Key: d.ID, ID: d.ID} })
	return ds, next, err
}

// InsertWebhookDelivery queues an event for a webhook of the handle's very scope, behind those of its inbox that wait.
func (tx Tx) InsertWebhookDelivery(webhook int64, e *mail.Event, now time.Time) error {
	var busy int
	if err := tx.one(laneIsBusy, []any{webhook, e.Inbox}, &busy); err != nil {
		return err
	}
	var due any
	if busy == 0 {
		due = now
	}
	_, err := tx.tx.Exec(insertPost, webhook, e.Seq, string(e.Type), sqlite.Null(e.Pod), sqlite.Null(e.Inbox), e.Inbox, due, now)
	return translate(err)
}

// UpdateWebhookDelivery writes where a delivery stands, and lets the next of its inbox have its turn if it is settled.
func (tx Tx) UpdateWebhookDelivery(d mail.WebhookDelivery) error {
	if _, err := tx.tx.Exec(updatePost, d.ID, string(d.State), d.Attempts, d.NextAttemptAt, sqlite.Null(d.Status), d.UpdatedAt); err != nil || d.State == mail.WebhookQueued {
		return err
	}
	_, err := tx.tx.Exec(releaseLane, d.Webhook, d.EventScope.Inbox, d.UpdatedAt)
	return err
}

// ListDueWebhookDeliveries lists a webhook's deliveries whose time has come, the longest waiting first.
func (tx Tx) ListDueWebhookDeliveries(webhook int64, now time.Time, limit int) ([]mail.WebhookDelivery, error) {
	return all(tx, listDuePosts, scanPost, webhook, now, limit)
}

// InsertWebhookAttempt notes how an attempt went.
func (tx Tx) InsertWebhookAttempt(d mail.WebhookDelivery, a mail.WebhookAnswer) error {
	_, err := tx.tx.Exec(insertAttempt, d.Webhook, d.ID, sqlite.Null(a.Status), sqlite.Null(a.Error), sqlite.Null(a.Answer), a.Took.Microseconds(), a.At)
	return translate(err)
}

// ListWebhookAttempts lists the attempts of a delivery, the first ones first.
func (tx Tx) ListWebhookAttempts(delivery int64) ([]mail.WebhookAnswer, error) {
	return all(tx, listAttempts, func(r *sqlite.Row) (a mail.WebhookAnswer, err error) {
		var took int64
		err = r.Scan(&a.Status, &a.Error, &a.Answer, &took, &a.At)
		a.Took = time.Duration(took) * time.Microsecond
		return a, err
	}, delivery, maxAttempts)
}
