package storage

import "time"

var (
	findCaller   = tables.Compile(`SELECT g.seen_at, g.expires_at FROM greylist g WHERE g.inbox_id = {inbox} AND g.caller = ?1 AND g.expires_at > ?2 AND {scope g}`)
	upsertCaller = tables.Compile(`INSERT INTO greylist (pod_id, inbox_id, caller, seen_at, expires_at) VALUES ({pod}, {inbox}, ?1, ?2, ?3)
		ON CONFLICT (pod_id, inbox_id, caller) DO UPDATE SET seen_at = excluded.seen_at, expires_at = excluded.expires_at`)
)

// FindCaller finds when the handle's inbox first heard of a caller, and until when that counts. ErrNotFound if it does
// not, or no more.
func (tx Tx) FindCaller(caller []byte, now time.Time) (seen, expires time.Time, err error) {
	err = tx.one(findCaller, []any{caller, now}, &seen, &expires)
	return seen, expires, err
}

// KeepCaller notes when the handle's inbox first heard of a caller, and until when that is to count.
func (tx Tx) KeepCaller(caller []byte, seen, expires time.Time) error {
	_, err := tx.tx.Exec(upsertCaller, caller, seen, expires)
	return translate(err)
}
