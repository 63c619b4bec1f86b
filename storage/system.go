package storage

import (
	"context"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// This file is the only place that looks across pods. What it finds is scopes; the work then goes through For.

var (
	findAPIKeyByHash = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.hash = ? AND {organization}`)
	findSignUpOf     = tables.Compile(`SELECT ` + signUpColumns + ` FROM agent_sign_ups a WHERE a.human_email = ? AND {organization}`)
	touchAPIKey      = tables.Compile(`UPDATE api_keys SET used_at = ?2, scram = ifnull(scram, ?3) WHERE id = ?1 AND {organization}`)
	listDue          = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM deliveries d WHERE d.state = 'queued' AND d.courier = 'local' AND d.next_attempt_at <= ?1 AND {organization}
		AND NOT EXISTS (SELECT 1 FROM queue_pauses q WHERE q.pod_id = d.pod_id OR q.kind = 'domain' AND q.name = lower(substr(d.sender, instr(d.sender, '@') + 1))) ORDER BY d.next_attempt_at LIMIT ?2`)
	listDueDrafts      = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id FROM drafts d WHERE d.send_status = 'scheduled' AND ifnull(d.retry_at, d.send_at) <= ? AND {organization} ORDER BY ifnull(d.retry_at, d.send_at) LIMIT ?`)
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
	listFanning        = tables.Compile(`SELECT ` + eventColumns + ` FROM events e WHERE e.id > (SELECT fanned FROM organization) AND {organization} ORDER BY e.id LIMIT ?`)
	setFanned          = tables.Compile(`UPDATE organization SET fanned = ?`)
	findFanned         = tables.Compile(`SELECT fanned FROM organization`)
	anyWebhook         = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM webhooks w WHERE {organization} LIMIT 1)`)
	listHiddenWebhooks = tables.Compile(`SELECT w.pod_id, w.inbox_id, w.id FROM webhooks w WHERE w.deleted = 1 AND {organization} LIMIT ?`)
	// Webhooks that have something to tell, each found by one look at the index.
	listDueWebhooks = tables.Compile(`WITH RECURSIVE hooks (id) AS (
		SELECT (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.webhook_id > ?1 AND d.state = 'queued' AND d.next_attempt_at IS NOT NULL AND {organization} ORDER BY d.webhook_id LIMIT 1)
		UNION ALL SELECT (SELECT d.webhook_id FROM webhook_deliveries d WHERE d.webhook_id > hooks.id AND d.state = 'queued' AND d.next_attempt_at IS NOT NULL ORDER BY d.webhook_id LIMIT 1) FROM hooks WHERE hooks.id IS NOT NULL LIMIT ?2 + 1)
		SELECT w.pod_id, w.inbox_id, w.id, w.enabled AND NOT w.deleted FROM hooks JOIN webhooks w ON w.id = hooks.id LIMIT ?2`)
	forgetPosts        = tables.Compile(`DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.state <> 'queued' AND d.updated_at <= ?1 AND {organization} LIMIT ?2)`)
	forgetAttempts     = tables.Compile(`DELETE FROM webhook_attempts WHERE id IN (SELECT a.id FROM webhook_attempts a WHERE a.created_at <= ?1 AND {organization} LIMIT ?2)`)
	findOldEvent       = tables.Compile(`SELECT ifnull(max(x.id), 0) FROM (SELECT e.id, e.created_at FROM events e WHERE e.id <= ?2 AND {organization} ORDER BY e.id LIMIT ?3) x WHERE x.created_at < ?1`)
	deleteEvents       = tables.Compile(`DELETE FROM events WHERE id <= ? AND {organization}`)
	setPruned          = tables.Compile(`UPDATE organization SET pruned = ?`)
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

// FindSignUpOf finds the agent that signed up for a human, by his address in lower case.
func (tx SystemTx) FindSignUpOf(human string) (mail.SignUp, error) {
	return get(tx.Tx, findSignUpOf, scanSignUp, human)
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

// ListDueDrafts lists the drafts that are scheduled up to now and not postponed beyond it, the longest waiting first.
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

// ListFanning lists the events, in order, that were not handed to webhooks yet.
func (tx SystemTx) ListFanning(limit int) ([]mail.Event, error) {
	return all(tx.Tx, listFanning, scanEvent, limit)
}

// SetFanned notes that the events up to this one are handed to webhooks.
func (tx SystemTx) SetFanned(seq int64) error {
	_, err := tx.tx.Exec(setFanned, seq)
	return err
}

// FindFanned is the last event that was handed to webhooks.
func (tx SystemTx) FindFanned() (seq int64, err error) {
	err = tx.one(findFanned, nil, &seq)
	return seq, err
}

// HasWebhooks tells whether anybody has one, or what is left of one.
func (tx SystemTx) HasWebhooks() (bool, error) {
	var n int
	err := tx.one(anyWebhook, nil, &n)
	return n > 0, err
}

// ListDueWebhooks lists, of the next few webhooks after one, by key, that have something to tell, be it later, those that
// are enabled. next is where to go on; 0: there are no others.
func (tx SystemTx) ListDueWebhooks(after int64, limit int) (jobs []Job, next int64, err error) {
	n := 0
	_, err = all(tx.Tx, listDueWebhooks, func(r *sqlite.Row) (j Job, err error) {
		var enabled bool
		err = r.Scan(&j.Scope.Pod, &j.Scope.Inbox, &j.ID, &enabled)
		if n++; enabled {
			jobs = append(jobs, j)
		}
		next = j.ID
		return j, err
	}, after, limit)
	if n < limit {
		next = 0
	}
	return jobs, next, err
}

// ListHiddenWebhooks lists webhooks that are deleted but not yet cleaned up.
func (tx SystemTx) ListHiddenWebhooks(limit int) ([]Job, error) {
	return all(tx.Tx, listHiddenWebhooks, scanJob, limit)
}

// ForgetWebhookDeliveries removes some of the deliveries that were settled up to a moment, and of the attempts made until
// then.
func (tx SystemTx) ForgetWebhookDeliveries(until time.Time, limit int) (removed int64, err error) {
	for _, s := range []*sqlite.Statement{forgetAttempts, forgetPosts} {
		n, err := tx.tx.Exec(s, until, limit)
		if err != nil {
			return removed, err
		}
		removed += n
	}
	return removed, nil
}

// FindOldEvent finds up to which sequence number, of the oldest events and at most limit of them, all happened before a
// moment and none lies behind upTo. It is 0 if there is none.
func (tx SystemTx) FindOldEvent(before time.Time, upTo int64, limit int) (seq int64, err error) {
	err = tx.one(findOldEvent, []any{before, upTo, limit}, &seq)
	return seq, err
}

// PruneEvents removes the events up to a sequence number, and notes that they are gone.
func (tx SystemTx) PruneEvents(upTo int64) error {
	if _, err := tx.tx.Exec(deleteEvents, upTo); err != nil {
		return err
	}
	_, err := tx.tx.Exec(setPruned, upTo)
	return err
}

// Message ids have no index of their own: every inbox is asked by its key.
var listNamesakes = tables.Compile(`SELECT m.pod_id, m.inbox_id, m.id FROM inboxes i CROSS JOIN messages m ON m.pod_id = i.pod_id AND m.inbox_id = i.id AND m.message_id = ?1 WHERE {organization} ORDER BY m.id LIMIT ?2`)

// ListNamesakes lists the messages of all inboxes that have a message id.
func (tx SystemTx) ListNamesakes(messageID string, limit int) ([]Job, error) {
	return all(tx.Tx, listNamesakes, scanJob, messageID, limit)
}

var listLessons = tables.Compile(`SELECT l.pod_id, l.inbox_id, l.message_id FROM spam_lessons l WHERE (l.learned IS NULL OR l.learned <> l.spam) AND {organization} LIMIT ?`)

// ListLessons lists messages whose lesson is to be learned.
func (tx SystemTx) ListLessons(limit int) ([]Job, error) {
	return all(tx.Tx, listLessons, scanJob, limit)
}

var forgetCallers = tables.Compile(`DELETE FROM greylist WHERE (pod_id, inbox_id, caller) IN (SELECT g.pod_id, g.inbox_id, g.caller FROM greylist g WHERE g.expires_at <= ?1 AND {organization} LIMIT ?2)`)

var (
	countCallers  = tables.Compile(`SELECT count(*) FROM greylist g WHERE {organization}`)
	forgetSoonest = tables.Compile(`DELETE FROM greylist WHERE (pod_id, inbox_id, caller) IN (SELECT g.pod_id, g.inbox_id, g.caller FROM greylist g WHERE {organization} ORDER BY g.expires_at LIMIT ?1)`)
)

// CountCallers counts the callers that all inboxes remember.
func (tx SystemTx) CountCallers() (n int, err error) {
	err = tx.one(countCallers, nil, &n)
	return n, err
}

// ForgetSoonest removes callers whose time is over first.
func (tx SystemTx) ForgetSoonest(callers int) error {
	_, err := tx.tx.Exec(forgetSoonest, callers)
	return err
}

// ForgetCallers removes some of the callers whose time is over.
func (tx SystemTx) ForgetCallers(now time.Time, limit int) error {
	_, err := tx.tx.Exec(forgetCallers, now, limit)
	return err
}
