package storage

import (
	"encoding/json"
)

var (
	// The nearest ancestor that is here decides: json_each keeps the order.
	findThreadOfMessages = tables.Compile(`SELECT m.thread_id FROM json_each(?) j CROSS JOIN messages m ON m.message_id = j.value
		WHERE m.inbox_id = {inbox} AND {scope m} ORDER BY j.key LIMIT 1`)
	findThreadOfReferences = tables.Compile(`SELECT r.thread_id FROM json_each(?) j CROSS JOIN thread_references r ON r.message_id = j.value
		WHERE r.inbox_id = {inbox} AND {scope r} ORDER BY j.key LIMIT 1`)
	findThreadAwaiting = tables.Compile(`SELECT r.thread_id FROM thread_references r WHERE r.message_id = ? AND r.inbox_id = {inbox} AND {scope r}`)
	insertReference    = tables.Compile(`INSERT INTO thread_references (pod_id, inbox_id, message_id, thread_id)
		SELECT {pod}, {inbox}, j.value, ?2 FROM json_each(?1) j WHERE NOT EXISTS
		(SELECT 1 FROM messages m WHERE m.inbox_id = {inbox} AND m.message_id = j.value AND {scope m}) ON CONFLICT DO NOTHING`)
	deleteReference  = tables.Compile(`DELETE FROM thread_references WHERE inbox_id = {inbox} AND message_id = ? AND {scope thread_references}`)
	moveReferences   = tables.Compile(`UPDATE thread_references SET thread_id = ?2 WHERE thread_id = ?1 AND {scope thread_references}`)
	deleteReferences = tables.Compile(`DELETE FROM thread_references WHERE thread_id = ? AND {scope thread_references}`)
)

// FindThreadOfMessages finds the thread of the first of these message ids that the handle's inbox has.
func (tx Tx) FindThreadOfMessages(ids []string) (thread int64, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, err
	}
	err = tx.one(findThreadOfMessages, []any{string(list)}, &thread)
	return thread, err
}

// FindThreadOfReferences finds the thread that waits for the first of these message ids that any waits for.
func (tx Tx) FindThreadOfReferences(ids []string) (thread int64, err error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, err
	}
	err = tx.one(findThreadOfReferences, []any{string(list)}, &thread)
	return thread, err
}

// FindThreadAwaiting finds the thread that waits for a message id.
func (tx Tx) FindThreadAwaiting(messageID string) (thread int64, err error) {
	err = tx.one(findThreadAwaiting, []any{messageID}, &thread)
	return thread, err
}

// InsertReferences notes which of these message ids a thread names but the inbox has not.
func (tx Tx) InsertReferences(thread int64, ids []string) error {
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(insertReference, string(list), thread)
	return err
}

// DeleteReference forgets a message id that has arrived.
func (tx Tx) DeleteReference(messageID string) error {
	_, err := tx.tx.Exec(deleteReference, messageID)
	return err
}
