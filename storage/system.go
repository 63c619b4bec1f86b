package storage

import (
	"context"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// This file is the only place that looks across pods. What it finds is scopes; the work then goes through For.

var (
	findAPIKeyByHash   = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.hash = ? AND {organization}`)
	touchAPIKey        = tables.Compile(`UPDATE api_keys SET used_at = ?2, scram = ifnull(scram, ?3) WHERE id = ?1 AND {organization}`)
	listDue            = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM deliveries d WHERE d.state = 'queued' AND d.courier = 'local' AND d.next_attempt_at <= ?1 AND {organization} ORDER BY d.next_attempt_at LIMIT ?2`)
	listDueDrafts      = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM drafts d WHERE d.send_status = 'scheduled' AND d.send_at <= ? AND {organization} ORDER BY d.send_at LIMIT ?`)
	listUnindexed      = tables.Compile(`SELECT m.pod_id, m.inbox_id, m.id FROM messages m WHERE m.id > (SELECT indexed FROM organization) AND {organization} ORDER BY m.id LIMIT ?`)
	setIndexed         = tables.Compile(`UPDATE organization SET indexed = ?`)
	anyListEntry       = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM list_entries l WHERE {organization} LIMIT 1)`)
	listExpiredEntries = tables.Compile(`SELECT l.pod_id, l.inbox_id, l.id FROM list_entries l WHERE l.expires_at <= ?1 AND {organization} LIMIT ?2`)
	forgetIdempotency  = tables.Compile(`DELETE FROM idempotency_keys WHERE id IN (SELECT k.id FROM idempotency_keys k WHERE k.created_at <= ?1 AND {organization} LIMIT ?2)`)
	listStaged         = tables.Compile(`SELECT b.pod_id, NULL, b.id FROM blobs b WHERE b.hash IS NULL AND b.created_at < ?1 AND {organization} LIMIT ?2`)
	listHiddenInboxes  = tables.Compile(`SELECT i.pod_id, i.id, i.id FROM inboxes i WHERE i.address IS NULL AND {organization} LIMIT ?`)
	listHiddenPods     = tables.Compile(`SELECT p.id, NULL, p.id FROM pods p WHERE p.deleted = 1 AND {organization} LIMIT ?`)
	listDueDomains     = tables.Compile(`SELECT d.pod_id, NULL, d.id FROM domains d WHERE d.next_check_at <= ?1 AND {organization} ORDER BY d.next_check_at LIMIT ?2`)
	findLastEvent      = tables.Compile(`SELECT max(o.pruned, ifnull((SELECT max(e.id) FROM events e WHERE {organization}), 0)), o.pruned FROM organization o`)
	listDeletedDomains = tables.Compile(`SELECT d.pod_id, NULL, d.id FROM domains d WHERE d.deleted = 1 AND {organization} LIMIT ?`)
)

// System is the handle of background workers and of look-ups that have no scope yet.
type System struct{ h Handle }

// System returns the handle that sees across pods.
func (s *Store) System() System { return System{s.For(mail.Scope{})} }

// Unhurried returns the handle for work that nobody waits for: its writes do not count as activity.
func (s System) Unhurried() System {
	s.h.writes = nil
	return s
}

// SystemTx is a transaction that can narrow itself to any scope.
type SystemTx struct{ Tx }

// For returns the handle of a scope within the same transaction: for what must happen in several pods at once.
func (tx SystemTx) For(scope mail.Scope) Tx { return Tx{tx.tx.Narrow(scope)} }

// Read runs fn on a snapshot.
func (s System) Read(ctx context.Context, fn func(SystemTx) error) error {
	return s.h.Read(ctx, func(tx Tx) error { return fn(SystemTx{tx}) })
}

// Write is Handle.Write across pods.
func (s System) Write(ctx context.Context, fn func(SystemTx) error) error {
	return s.h.Write(ctx, func(tx Tx) error { return fn(SystemTx{tx}) })
}

// FindAPIKeyByHash finds a key by the SHA-256 of its secret.
func (tx SystemTx) FindAPIKeyByHash(hash []byte) (mail.APIKey, error) {
	return get(tx.Tx, findAPIKeyByHash, scanAPIKey, hash)
}

// TouchAPIKey notes when a key was last used, and its SCRAM verifier if it has none yet.
func (tx SystemTx) TouchAPIKey(id int64, at time.Time, scram []byte) error {
	var verifier any
	if scram != nil {
		verifier = scram
	}
	_, err := tx.tx.Exec(touchAPIKey, id, at, verifier)
	return err
}

// Job is a row of a scope that waits for a background worker.
type Job struct {
	Scope mail.Scope
	ID    int64
}

func scanJob(r *sqlite.Row) (j Job, err error) {
	err = r.Scan(&j.Scope.Pod, &j.Scope.Inbox, &j.ID)
	return j, err
}

// ListDue lists the deliveries to inboxes of our own whose time has come, the longest waiting first.
func (tx SystemTx) ListDue(now time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listDue, scanJob, now, limit)
}

// ListUnindexed lists messages that the search index does not have yet, in the order of their keys.
func (tx SystemTx) ListUnindexed(limit int) ([]Job, error) {
	return all(tx.Tx, listUnindexed, scanJob, limit)
}

// SetIndexed notes that the search index has the messages up to this one.
func (tx SystemTx) SetIndexed(message int64) error {
	_, err := tx.tx.Exec(setIndexed, message)
	return err
}

// ListStaged lists blobs that were begun before a moment and never linked.
func (tx SystemTx) ListStaged(before time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listStaged, scanJob, before, limit)
}

// ListHiddenInboxes lists inboxes that are deleted but not yet cleaned up.
func (tx SystemTx) ListHiddenInboxes(limit int) ([]Job, error) {
	return all(tx.Tx, listHiddenInboxes, scanJob, limit)
}

// ListHiddenPods lists pods that are deleted but not yet cleaned up.
func (tx SystemTx) ListHiddenPods(limit int) ([]Job, error) {
	return all(tx.Tx, listHiddenPods, scanJob, limit)
}

// ListDueDrafts lists the drafts that are scheduled up to now, the longest waiting first.
func (tx SystemTx) ListDueDrafts(now time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listDueDrafts, scanJob, now, limit)
}

// HasListEntries tells whether anybody keeps an allow or block list at all.
func (tx SystemTx) HasListEntries() (bool, error) {
	var n int
	err := tx.one(anyListEntry, nil, &n)
	return n > 0, err
}

// ListExpiredEntries lists entries of lists that have ended by a moment.
func (tx SystemTx) ListExpiredEntries(now time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listExpiredEntries, scanJob, now, limit)
}

// ForgetIdempotencyKeys removes some of what was sent up to a moment.
func (tx SystemTx) ForgetIdempotencyKeys(until time.Time, limit int) error {
	_, err := tx.tx.Exec(forgetIdempotency, until, limit)
	return err
}

// ListDueDomains lists domains that are to be checked, the longest waiting first.
func (tx SystemTx) ListDueDomains(now time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listDueDomains, scanJob, now, limit)
}

// ListDeletedDomains lists domains that are deleted but whose inboxes may not be hidden yet.
func (tx SystemTx) ListDeletedDomains(limit int) ([]Job, error) {
	return all(tx.Tx, listDeletedDomains, scanJob, limit)
}

// FindLastEvent returns the sequence number of the latest event, and that of the latest that may have been removed for
// its age.
func (tx SystemTx) FindLastEvent() (last, pruned int64, err error) {
	err = tx.one(findLastEvent, nil, &last, &pruned)
	return last, pruned, err
}
