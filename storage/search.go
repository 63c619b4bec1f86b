package storage

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// The tables search and search_parts are one FTS5 index each for all. Their column scope holds words, or trigrams, that
// name the pod and the inbox; a query always asks for them too, so that it finds nothing of another tenant.

var (
	insertIndexed = tables.Compile(`INSERT INTO search (rowid, scope, sender, recipients, subject, body) SELECT m.id, ?2, ?3, ?4, ?5, ?6 FROM messages m WHERE m.id = ?1 AND {scope m}`)
	insertParts   = tables.Compile(`INSERT INTO search_parts (rowid, scope, sender, recipients, subject) SELECT m.id, ?2, ?3, ?4, ?5 FROM messages m WHERE m.id = ?1 AND {scope m}`)
	deleteIndexed = tables.Compile(`DELETE FROM search WHERE rowid = ?`)
	deleteParts   = tables.Compile(`DELETE FROM search_parts WHERE rowid = ?`)
	searchWords   = tables.Compile(`SELECT rowid FROM search WHERE search MATCH ?1 AND rowid <= ?2 ORDER BY rowid DESC LIMIT ?3`)
	searchParts   = tables.Compile(`SELECT rowid FROM search_parts WHERE search_parts MATCH ?1 AND rowid <= ?2 ORDER BY rowid DESC LIMIT ?3`)
	// A query too short for trigrams looks at the newest messages one by one.
	searchNewest = tables.Compile(`SELECT id FROM (SELECT m.id AS id, m.folded AS folded FROM messages m WHERE m.id <= ?2 AND {scope m} ORDER BY m.id DESC LIMIT ?3) WHERE instr(folded, ?1) > 0`)
	isUnindexed  = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM messages m WHERE m.id > (SELECT indexed FROM organization) AND {scope m} LIMIT 1)`)
	findIndexed  = tables.Compile(`SELECT indexed FROM organization`)
	listFound    = tables.Compile(`SELECT m.pod_id, m.inbox_id, m.id, m.thread_id, m.timestamp, m.folded FROM json_each(?1) j CROSS JOIN messages m ON m.id = j.value AND {scope m}
		WHERE m.hidden = 0 AND m.timestamp > ?2 AND m.timestamp < ?3`)
)

// SearchDocument is what the index knows of a message.
type SearchDocument struct {
	Message                           int64
	Sender, Recipients, Subject, Body string
}

// scopeWord is the narrowest word of the index's scope column that names a scope; empty for the organization.
func scopeWord(s mail.Scope) string {
	switch s.Type() {
	case mail.ScopeInbox:
		return "i" + strconv.FormatInt(s.Inbox, 10)
	case mail.ScopePod:
		return "p" + strconv.FormatInt(s.Pod, 10)
	default:
		return ""
	}
}

// scopeTrigram is scopeWord as one trigram. Its three runes are from three ranges for private use, so that what overlaps
// two trigrams in the column is none.
func scopeTrigram(s mail.Scope) string {
	const low, middle, high = 0xE000, 0xE800, 0xF000 // of 2,048 runes each
	switch s.Type() {
	case mail.ScopeInbox:
		return string([]rune{rune(low + s.Inbox>>22%1024), rune(middle + s.Inbox>>11%2048), rune(high + s.Inbox%2048)})
	case mail.ScopePod:
		return string([]rune{rune(low + 1024 + s.Pod>>22%1024), rune(middle + s.Pod>>11%2048), rune(high + s.Pod%2048)})
	default:
		return ""
	}
}

// IndexMessage adds a message of the handle's inbox to the index, unless it is gone.
func (tx Tx) IndexMessage(d SearchDocument) error {
	inbox := tx.Scope()
	pod := mail.Scope{Pod: inbox.Pod}
	if _, err := tx.tx.Exec(insertIndexed, d.Message, scopeWord(pod)+" "+scopeWord(inbox), d.Sender, d.Recipients, d.Subject, d.Body); err != nil {
		return err
	}
	_, err := tx.tx.Exec(insertParts, d.Message, scopeTrigram(pod)+scopeTrigram(inbox), d.Sender, d.Recipients, d.Subject)
	return err
}

// IsUnindexed tells whether the scope has messages that the index does not know yet.
func (tx Tx) IsUnindexed() (bool, error) {
	var n int
	err := tx.one(isUnindexed, nil, &n)
	return n > 0, err
}

// Indexed is the key up to which the index has the messages.
func (tx Tx) Indexed() (id int64, err error) {
	err = tx.one(findIndexed, nil, &id)
	return id, err
}

// Found is a message that a search found, with what it is ranked by.
type Found struct {
	Scope                       mail.Scope
	Message, Thread             int64
	Timestamp                   time.Time
	Sender, Recipients, Subject string // in lower case
	ByWords                     bool   // the full-text index has all the words
}

// Search is what SearchMessages looks for.
type Search struct {
	Text          string   // as a part of sender, recipients or subject
	Words         []string // all of them, anywhere in the message
	UpTo          int64    // newest message's key
	Before, After time.Time
	Limit         int // how many of the newest matches are looked at, of either kind
}

// SearchMessages finds the newest messages in scope that match, hidden ones left out.
func (tx Tx) SearchMessages(s Search) ([]Found, error) {
	found := map[int64]bool{}
	if len(s.Words) > 0 {
		ids, err := all(tx, searchWords, scanID, tx.wordsQuery(s.Words), s.UpTo, s.Limit)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			found[id] = true
		}
	}
	parts, err := tx.searchParts(s)
	if err != nil {
		return nil, err
	}
	for _, id := range parts {
		if !found[id] {
			found[id] = false
		}
	}
	keys := make([]int64, 0, len(found))
	for id := range found {
		keys = append(keys, id)
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	after, before := bounds(mail.MessageFilter{Before: s.Before, After: s.After})
	return all(tx, listFound, func(r *sqlite.Row) (f Found, err error) {
		var folded string
		if err := r.Scan(&f.Scope.Pod, &f.Scope.Inbox, &f.Message, &f.Thread, &f.Timestamp, &folded); err != nil {
			return f, err
		}
		f.ByWords = found[f.Message]
		var fields [3]string
		err = json.Unmarshal([]byte(folded), &fields)
		f.Sender, f.Recipients, f.Subject = fields[foldedSender], fields[foldedRecipients], fields[foldedSubject]
		return f, err
	}, string(list), after, before)
}

func (tx Tx) searchParts(s Search) ([]int64, error) {
	if len([]rune(s.Text)) < 3 { // a trigram has three
		return all(tx, searchNewest, scanID, fold(s.Text), s.UpTo, s.Limit)
	}
	query := "{sender recipients subject} : " + quote(s.Text)
	if trigram := scopeTrigram(tx.Scope()); trigram != "" {
		query += " AND scope : " + quote(trigram)
	}
	return all(tx, searchParts, scanID, query, s.UpTo, s.Limit)
}

// wordsQuery is an FTS5 query for all words, bound to the handle's scope.
func (tx Tx) wordsQuery(words []string) string {
	query := "{sender recipients subject body} : ("
	for i, w := range words {
		if i > 0 {
			query += " AND "
		}
		query += quote(w)
	}
	query += ")"
	if word := scopeWord(tx.Scope()); word != "" {
		query += " AND scope : " + quote(word)
	}
	return query
}

// quote makes a string of FTS5's query language of anything (https://sqlite.org/fts5.html, 3.1).
func quote(s string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), `"`, `""`) + `"`
}
