package storage

import (
	"encoding/json"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// This file is the queue of mail to other hosts as its worker goes through it: pod by pod, and in each destination by
// destination. Each step is one look at an index, however much waits in between.

const queuedFrom = ` FROM deliveries d WHERE d.state = 'queued' AND d.courier = 'smtp' AND `

var (
	listQueuedPods = tables.Compile(`WITH RECURSIVE pods (pod) AS (
		SELECT (SELECT d.pod_id` + queuedFrom + `d.pod_id > ?1 AND {organization} ORDER BY d.pod_id LIMIT 1)
		UNION ALL SELECT (SELECT d.pod_id` + queuedFrom + `d.pod_id > pods.pod ORDER BY d.pod_id LIMIT 1) FROM pods WHERE pods.pod IS NOT NULL LIMIT ?2 + 1)
		SELECT pod, NULL, 0 FROM pods WHERE pod IS NOT NULL LIMIT ?2`)
	countQueued      = tables.Compile(`SELECT count(*), ifnull(sum(d.next_attempt_at <= ?1), 0)` + queuedFrom + `{organization}`)
	countHeld        = tables.Compile(`SELECT count(*) FROM deliveries d WHERE d.state = 'held' AND {organization}`)
	hasDue           = tables.Compile(`SELECT count(*) FROM (SELECT 1` + queuedFrom + `d.next_attempt_at <= ?1 AND {scope d} LIMIT 1)`)
	listDestinations = tables.Compile(`WITH RECURSIVE destinations (name) AS (
		SELECT (SELECT d.destination` + queuedFrom + `d.pod_id = {pod} AND d.destination > ?1 AND {scope d} ORDER BY d.destination LIMIT 1)
		UNION ALL SELECT (SELECT d.destination` + queuedFrom + `d.pod_id = {pod} AND d.destination > destinations.name ORDER BY d.destination LIMIT 1) FROM destinations WHERE destinations.name IS NOT NULL LIMIT ?2 + 1)
		SELECT name FROM destinations WHERE name IS NOT NULL LIMIT ?2`)
	listDueTo = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id` + queuedFrom + `d.destination = ?1 AND d.next_attempt_at <= ?2 AND {scope d}
		AND lower(substr(d.sender, instr(d.sender, '@') + 1)) NOT IN (SELECT j.value FROM json_each(?4) j) ORDER BY d.next_attempt_at LIMIT ?3`)
	listDueWith = tables.Compile(`SELECT d.pod_id, d.inbox_id, d.id` + queuedFrom + `d.message_id = ?1 AND +d.destination = ?2 AND +d.next_attempt_at <= ?3 AND {scope d} ORDER BY d.id LIMIT ?4`) // by message: a destination may have any number
	isDelayed   = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM deliveries d WHERE d.message_id = ?1 AND d.state IN ('queued', 'held') AND d.attempts > 0 AND {scope d} LIMIT 1)`)
)

// ListQueuedPods lists the pods after one, by key, that have mail to other hosts in the queue.
func (tx SystemTx) ListQueuedPods(after int64, limit int) ([]Job, error) {
	return all(tx.Tx, listQueuedPods, scanJob, after, limit)
}

// CountQueued counts the deliveries to other hosts in the queue: those that are due, and the others.
func (tx SystemTx) CountQueued(now time.Time) (due, later int, err error) {
	var n int
	err = tx.one(countQueued, []any{now}, &n, &due)
	return due, n - due, err
}

// CountHeld counts the deliveries that are held.
func (tx SystemTx) CountHeld() (n int, err error) {
	err = tx.one(countHeld, nil, &n)
	return n, err
}

// HasDue tells whether mail of the handle's pod to other hosts is due.
func (tx Tx) HasDue(now time.Time) (bool, error) {
	var n int
	err := tx.one(hasDue, []any{now}, &n)
	return n > 0, err
}

// ListDestinations lists the destinations after one, by name, for which the handle's pod has mail in the queue.
func (tx Tx) ListDestinations(after string, limit int) ([]string, error) {
	return all(tx, listDestinations, func(r *sqlite.Row) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	}, after, limit)
}

// ListDueTo lists deliveries to a destination that are due, the longest waiting first, but for those from some domains.
func (tx Tx) ListDueTo(destination string, now time.Time, but []string, limit int) ([]Job, error) {
	domains, err := json.Marshal(append([]string{}, but...)) // never null, which nothing differs from
	if err != nil {
		return nil, err
	}
	return all(tx, listDueTo, scanJob, destination, now, limit, string(domains))
}

// IsDelayed tells whether any delivery of a message waits for another attempt.
func (tx Tx) IsDelayed(message int64) (bool, error) {
	var n int
	err := tx.one(isDelayed, []any{message}, &n)
	return n > 0, err
}

// ListDueWith lists the deliveries that are due and can travel with d: those of its message to its destination, d itself
// among them.
func (tx Tx) ListDueWith(d mail.Delivery, now time.Time, limit int) ([]Job, error) {
	if d.Message == 0 {
		return []Job{{Scope: d.Scope(), ID: d.ID}}, nil
	}
	return all(tx, listDueWith, scanJob, d.Message, d.Destination, now, limit)
}
