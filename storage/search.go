package storage

import (
	"strconv"

	"podmail/mail"
)

// The table search is one FTS5 index for all. Its column scope holds words that name the pod and the inbox; a query
// always asks for them too, so that it reads no other tenant's postings.

var (
	insertIndexed = tables.Compile(`INSERT INTO search (rowid, scope, sender, recipients, subject, body) SELECT m.id, ?2, ?3, ?4, ?5, ?6 FROM messages m WHERE m.id = ?1 AND {scope m}`)
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

// IndexMessage adds a message of the handle's inbox to the index, unless it is gone.
func (tx Tx) IndexMessage(d SearchDocument) error {
	_, err := tx.tx.Exec(insertIndexed, d.Message, scopeWords(tx.Scope()), d.Sender, d.Recipients, d.Subject, d.Body)
	return err
}
