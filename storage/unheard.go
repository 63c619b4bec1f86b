package storage

import (
	"time"

	"podmail/storage/sqlite"
)

var (
	listUnheard = tables.Compile(`SELECT u.trace_id, u.since FROM unheard u WHERE {organization}
		UNION ALL SELECT m.trace_id, m.created_at FROM messages m WHERE m.id > (SELECT heard FROM organization) AND m.intake IS NOT NULL AND {organization}`)
	insertUnheard = tables.Compile(`INSERT INTO unheard (trace_id, since) SELECT ?1, ?2 WHERE {organization} ON CONFLICT DO NOTHING`)
	deleteUnheard = tables.Compile(`DELETE FROM unheard WHERE trace_id = ? AND {organization}`)
	findNewest    = tables.Compile(`SELECT ifnull(max(m.id), 0) FROM messages m WHERE {organization}`)
	setHeard      = tables.Compile(`UPDATE organization SET heard = ?`)
)

// Unheard is a message whose sender may not know that it was taken.
type Unheard struct {
	TraceID string
	Since   time.Time
}

// ListUnheard lists them: those that were noted, and all that came in behind the last note.
func (tx SystemTx) ListUnheard() ([]Unheard, error) {
	return all(tx.Tx, listUnheard, func(r *sqlite.Row) (u Unheard, err error) {
		err = r.Scan(&u.TraceID, &u.Since)
		return u, err
	})
}

// InsertUnheard notes one; noted before, it stays as it is.
func (tx SystemTx) InsertUnheard(u Unheard) error {
	_, err := tx.tx.Exec(insertUnheard, u.TraceID, u.Since)
	return err
}

// DeleteUnheard forgets one, if it was noted.
func (tx SystemTx) DeleteUnheard(traceID string) error {
	_, err := tx.tx.Exec(deleteUnheard, traceID)
	return err
}

// FindNewestMessage finds the key of the last message that was stored; 0: none.
func (tx SystemTx) FindNewestMessage() (id int64, err error) {
	err = tx.one(findNewest, nil, &id)
	return id, err
}

// SetHeard notes that the senders of messages up to this one know of them, but for those that are noted.
func (tx SystemTx) SetHeard(message int64) error {
	_, err := tx.tx.Exec(setHeard, message)
	return err
}
