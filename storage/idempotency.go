package storage

import (
	"time"

	"podmail/storage/sqlite"
)

var (
	findIdempotencyKey    = tables.Compile(`SELECT k.request, k.message_id, k.thread_id FROM idempotency_keys k WHERE k.key = ?1 AND k.created_at > ?2 AND {exact k}`)
	insertIdempotencyKey  = tables.Compile(`INSERT OR REPLACE INTO idempotency_keys (pod_id, inbox_id, key, request, message_id, thread_id, created_at) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5)`)
	deleteIdempotencyKeys = tables.Compile(`DELETE FROM idempotency_keys WHERE {exact idempotency_keys}`)
)

// Answered is what was sent under an idempotency key.
type Answered struct {
	Request             []byte // SHA-256 of what was asked for
	MessageID, ThreadID string
}

// FindIdempotencyKey finds what was sent under a key of the handle's very scope after a moment.
func (tx Tx) FindIdempotencyKey(key string, after time.Time) (Answered, error) {
	return get(tx, findIdempotencyKey, func(r *sqlite.Row) (a Answered, err error) {
		err = r.Scan(&a.Request, &a.MessageID, &a.ThreadID)
		return a, err
	}, key, after)
}

// InsertIdempotencyKey notes what was sent, in the transaction that stores it. An older one of the same name goes.
func (tx Tx) InsertIdempotencyKey(key string, a Answered, now time.Time) error {
	_, err := tx.tx.Exec(insertIdempotencyKey, key, a.Request, a.MessageID, a.ThreadID, now)
	return translate(err)
}

// DeleteIdempotencyKeys forgets those of the handle's very scope.
func (tx Tx) DeleteIdempotencyKeys() error {
	_, err := tx.tx.Exec(deleteIdempotencyKeys)
	return err
}
