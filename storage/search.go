package storage

import (
	"strconv"

	"podmail/mail"
)

// The table search is one FTS5 index for all. Its column scope holds words that name the pod and the inbox; a query
// always asks for them too, so that it reads no other tenant's postings.

var (
	insertPending = tables.Compile(`INSERT INTO search_pending (message_id, pod_id, inbox_id) VALUES (?1, {pod}, {inbox})`)
	deletePending = tables.Compile(`DELETE FROM search_pending WHERE message_id = ? AND {scope search_pending}`)
	insertIndexed = tables.Compile(`INSERT INTO search (rowid, scope, sender, recipients, subject, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`)
	deleteIndexed = tables.Compile(`DELETE FROM search WHERE rowid = ?`)
)

// SearchDocument is what the index knows of a message.
type SearchDocument struct {
	Message                           int64
	Sender, Recipients, Subject, Body string
}

// scopeWords are the words of the index's scope column for a scope.
func scopeWords(s mail.Scope) string {
	words := ""
	if s.Pod != 0 {
		words = "p" + strconv.FormatInt(s.Pod, 10)
	}
	if s.Inbox != 0 {
		words += " i" + strconv.FormatInt(s.Inbox, 10)
	}
	return words
}

// IndexMessage adds a message of the handle's inbox to the index and takes it off the list of pending ones.
func (tx Tx) IndexMessage(d SearchDocument) error {
	if _, err := tx.tx.Exec(deletePending, d.Message); err != nil {
		return err
	}
	if _, err := tx.tx.Exec(deleteIndexed, d.Message); err != nil {
		return err
	}
	_, err := tx.tx.Exec(insertIndexed, d.Message, scopeWords(tx.Scope()), d.Sender, d.Recipients, d.Subject, d.Body)
	return err
}
