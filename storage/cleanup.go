package storage

import (
	"podmail/storage/sqlite"
)

var (
	listSome        = tables.Compile(`SELECT ` + messageColumns + ` FROM messages m` + messageJoins + `WHERE m.inbox_id = {inbox} AND {scope m} LIMIT ?`)
	listSomeThreads = tables.Compile(`SELECT t.id FROM threads t WHERE t.inbox_id = {inbox} AND {scope t} LIMIT ?`)
	cleanSteps      = []*sqlite.Statement{
		tables.Compile(`DELETE FROM delivery_attempts WHERE id IN (SELECT a.id FROM delivery_attempts a WHERE a.inbox_id = {inbox} AND {scope a} LIMIT ?) AND {scope delivery_attempts}`),
		tables.Compile(`DELETE FROM message_labels WHERE (pod_id, inbox_id, label, timestamp, message_id) IN (SELECT l.pod_id, l.inbox_id, l.label, l.timestamp, l.message_id FROM message_labels l WHERE l.inbox_id = {inbox} AND {scope l} LIMIT ?) AND {scope message_labels}`),
		tables.Compile(`DELETE FROM events WHERE id IN (SELECT e.id FROM events e WHERE e.inbox_id = {inbox} AND e.id <= (SELECT metered FROM organization) AND {scope e} LIMIT ?) AND {scope events}`),
		tables.Compile(`DELETE FROM expunges WHERE (pod_id, mailbox_id, modseq, uid) IN (SELECT e.pod_id, e.mailbox_id, e.modseq, e.uid FROM expunges e JOIN mailboxes b ON b.id = e.mailbox_id AND {scope b} WHERE b.inbox_id = {inbox} AND {scope e} LIMIT ?) AND {scope expunges}`),
		tables.Compile(`DELETE FROM mailboxes WHERE id IN (SELECT b.id FROM mailboxes b WHERE b.inbox_id = {inbox} AND {scope b} LIMIT ?) AND {scope mailboxes}`),
		tables.Compile(`DELETE FROM idempotency_keys WHERE id IN (SELECT k.id FROM idempotency_keys k WHERE k.inbox_id = {inbox} AND {scope k} LIMIT ?) AND {scope idempotency_keys}`),
		tables.Compile(`DELETE FROM inbox_words WHERE (pod_id, word, inbox_id) IN (SELECT w.pod_id, w.word, w.inbox_id FROM inbox_words w WHERE w.inbox_id = {inbox} AND {scope w} LIMIT ?) AND {scope inbox_words}`),
		tables.Compile(`DELETE FROM list_entries WHERE id IN (SELECT l.id FROM list_entries l WHERE l.inbox_id = {inbox} AND {scope l} LIMIT ?) AND {scope list_entries}`),
		tables.Compile(`DELETE FROM api_keys WHERE id IN (SELECT k.id FROM api_keys k WHERE k.inbox_id = {inbox} AND {scope k} LIMIT ?) AND {scope api_keys}`),
		tables.Compile(`DELETE FROM sending_counts WHERE id IN (SELECT c.id FROM sending_counts c WHERE c.inbox_id = {inbox} AND {scope c} LIMIT ?) AND {scope sending_counts}`),
		tables.Compile(`DELETE FROM greylist WHERE (pod_id, inbox_id, caller) IN (SELECT g.pod_id, g.inbox_id, g.caller FROM greylist g WHERE g.inbox_id = {inbox} AND {scope g} LIMIT ?) AND {scope greylist}`),
		tables.Compile(`DELETE FROM metrics WHERE id IN (SELECT m.id FROM metrics m WHERE m.inbox_id = {inbox} AND {scope m} LIMIT ?) AND {scope metrics}`),
	}
)

// CleanInbox removes at most about limit rows of what is under the handle's hidden inbox: what it sends and has first. done tells
// that nothing is left, but for what is not in the totals yet (see Meter).
func (tx Tx) CleanInbox(limit int) (done bool, err error) {
	for _, clean := range []func(int) (bool, error){tx.cleanDeliveries, tx.cleanWebhooks} {
		if done, err := clean(limit); err != nil || !done {
			return false, err
		}
	}
	messages, err := all(tx, listSome, scanMessage, limit)
	if err != nil {
		return false, err
	}
	for i := range messages {
		if err := tx.removeMessage(&messages[i]); err != nil {
			return false, err
		}
	}
	if len(messages) > 0 {
		return false, nil
	}
	threads, err := all(tx, listSomeThreads, scanID, limit)
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		if err := tx.TakeBackThread(t); err != nil {
			return false, err
		}
	}
	if len(threads) > 0 {
		return false, nil
	}
	for _, step := range cleanSteps {
		n, err := tx.tx.Exec(step, limit)
		if err != nil {
			return false, translate(err)
		}
		if n > 0 {
			return false, nil
		}
	}
	return true, nil
}

var deletePodReadings = tables.Compile(`DELETE FROM metrics WHERE id IN (SELECT m.id FROM metrics m WHERE m.pod_id = {pod} AND {scope m} LIMIT ?) AND {scope metrics}`)
var listPodBlobs = tables.Compile(`SELECT b.id FROM blobs b WHERE b.pod_id = {pod} AND {scope b} LIMIT ?`)
var countPodInboxes = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM inboxes i WHERE {scope i} LIMIT 1)`)

// CleanPod removes at most about limit rows of what is left of the handle's hidden pod, whose inboxes and
// domains clean themselves.
func (tx Tx) CleanPod(limit int) (done bool, err error) {
	var inboxes int
	if err := tx.one(countPodInboxes, nil, &inboxes); err != nil || inboxes > 0 {
		return false, err
	}
	var domains int
	if err := tx.one(anyDomain, nil, &domains); err != nil || domains > 0 {
		return false, err
	}
	if done, err := tx.cleanWebhooks(limit); err != nil || !done {
		return false, err
	}
	blobs, err := all(tx, listPodBlobs, scanID, limit)
	if err != nil {
		return false, err
	}
	for _, b := range blobs {
		if err := tx.DeleteBlob(b); err != nil {
			return false, err
		}
	}
	readings, err := tx.tx.Exec(deletePodReadings, limit)
	if err != nil {
		return false, err
	}
	tokens, err := tx.tx.Exec(dropTokens, limit)
	return len(blobs) == 0 && readings == 0 && tokens == 0, err
}
