package storage

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// The tables search and search_parts are one FTS5 index each for all, of words and of trigrams. Each row also has two
// trigrams that name the pod and the inbox; a query always asks for one of them, and looks at the messages within scope
// only.

// findMatches reads the messages of the index {i}, newest first, and keeps those for which a condition holds.
func findMatches(index, condition string) string {
	return strings.NewReplacer("{i}", index).Replace(`SELECT m.pod_id, m.inbox_id, m.id, m.thread_id, m.timestamp, m.folded
		FROM {i} CROSS JOIN messages m ON m.id = {i}.rowid AND {scope m}
		WHERE {i} MATCH ?1 AND {i}.rowid <= ?2 AND m.hidden = 0 AND m.timestamp > ?3 AND m.timestamp < ?4`) + condition
}

var (
	insertIndexed = tables.Compile(`INSERT INTO search (rowid, words) SELECT m.id, ?2 FROM messages m WHERE m.id = ?1 AND {scope m}`)
	insertParts   = tables.Compile(`INSERT INTO search_parts (rowid, parts) SELECT m.id, ?2 FROM messages m WHERE m.id = ?1 AND {scope m}`)
	deleteIndexed = tables.Compile(`DELETE FROM search WHERE rowid = ?`)
	deleteParts   = tables.Compile(`DELETE FROM search_parts WHERE rowid = ?`)
	searchWords   = tables.Compile(findMatches("search", ` ORDER BY search.rowid DESC LIMIT ?5`))
	searchParts   = tables.Compile(findMatches("search_parts", ` AND instr(m.folded, ?6) > 0 ORDER BY search_parts.rowid DESC LIMIT ?5`))
	// A query too short for trigrams looks at the newest messages one by one.
	searchNewest = tables.Compile(`SELECT * FROM (SELECT m.pod_id, m.inbox_id, m.id, m.thread_id, m.timestamp, m.folded AS folded FROM messages m
		WHERE m.id <= ?2 AND m.hidden = 0 AND m.timestamp > ?3 AND m.timestamp < ?4 AND {scope m} ORDER BY m.id DESC LIMIT ?5) WHERE instr(folded, ?6) > 0 AND ?1 = ''`)
	isUnindexed = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM messages m NOT INDEXED WHERE m.id > (SELECT indexed FROM organization) AND {scope m} LIMIT 1)`)
	findIndexed = tables.Compile(`SELECT indexed FROM organization`)
)

// SearchDocument is what the index knows of a message.
type SearchDocument struct {
	Message int64
	Words   []string // anywhere in it: letters and digits in lower case
	Parts   string   // sender, recipients and subject
}

// scopeTrigram names the narrowest part of a scope; empty for the organization. Its three runes are from three ranges
// for private use, so that nothing that overlaps it in the index is such a trigram too.
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

// searchable is text in lower case, without the runes that scopes are made of and those that FTS5 cannot take.
func searchable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == 0 || r >= 0xE000 && r < 0xF800 {
			return ' '
		}
		return r
	}, fold(text))
}

// IndexMessage adds a message of the handle's inbox to the index, unless it is gone.
func (tx Tx) IndexMessage(d SearchDocument) error {
	inbox := tx.Scope()
	scope := []string{scopeTrigram(mail.Scope{Pod: inbox.Pod}), scopeTrigram(inbox)}
	if _, err := tx.tx.Exec(insertIndexed, d.Message, strings.Join(append(scope, d.Words...), " ")); err != nil {
		return err
	}
	_, err := tx.tx.Exec(insertParts, d.Message, scope[0]+scope[1]+searchable(d.Parts))
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
func (tx Tx) SearchMessages(s Search) (found []Found, err error) {
	after, before := bounds(mail.MessageFilter{Before: s.Before, After: s.After})
	if len(s.Words) > 0 {
		found, err = all(tx, searchWords, scanFound, tx.matchAll(s.Words), s.UpTo, after, before, s.Limit)
		if err != nil {
			return nil, err
		}
	}
	byWords := make(map[int64]bool, len(found))
	for i := range found {
		found[i].ByWords, byWords[found[i].Message] = true, true
	}
	text := searchable(s.Text)
	query, search := "", searchNewest
	if trigrams := seldom([]rune(text)); len(trigrams) > 0 {
		query, search = tx.matchAll(trigrams), searchParts
	}
	quoted, _ := json.Marshal(text) // strings always marshal; the folded column is JSON
	parts, err := all(tx, search, scanFound, query, s.UpTo, after, before, s.Limit, string(quoted[1:len(quoted)-1]))
	for _, f := range parts {
		holds := strings.Contains(f.Sender, text) || strings.Contains(f.Recipients, text) || strings.Contains(f.Subject, text)
		if holds && !byWords[f.Message] {
			found = append(found, f)
		}
	}
	return found, err
}

func scanFound(r *sqlite.Row) (f Found, err error) {
	var folded string
	if err := r.Scan(&f.Scope.Pod, &f.Scope.Inbox, &f.Message, &f.Thread, &f.Timestamp, &folded); err != nil {
		return f, err
	}
	var fields [3]string
	err = json.Unmarshal([]byte(folded), &fields)
	f.Sender, f.Recipients, f.Subject = fields[foldedSender], fields[foldedRecipients], fields[foldedSubject]
	return f, err
}

// maxTrigrams is how many trigrams of a text a query asks for. Each has its list of messages read; what they let
// through, the text itself decides.
const maxTrigrams = 3

// seldom are the trigrams of text that probably the fewest messages have, the most telling first. None if the text is
// too short for one.
func seldom(text []rune) (trigrams []string) {
	type trigram struct {
		at, rarity int
	}
	var all []trigram
	for i := 0; i+3 <= len(text); i++ {
		all = append(all, trigram{i, rarity(text[i]) + rarity(text[i+1]) + rarity(text[i+2])})
	}
	slices.SortStableFunc(all, func(a, b trigram) int { return b.rarity - a.rarity })
	for _, t := range all[:min(len(all), maxTrigrams)] {
		trigrams = append(trigrams, string(text[t.at:t.at+3]))
	}
	return trigrams
}

// rarity is how seldom a rune is in addresses and subjects.
func rarity(r rune) int {
	const often = " etaoinsrlhdcumpgfbywvk" // the most frequent first
	if i := strings.IndexRune(often, r); i >= 0 {
		return i
	}
	return len(often)
}

// matchAll is an FTS5 query for rows that have all of the terms and are in the handle's scope.
func (tx Tx) matchAll(terms []string) string {
	var quoted []string
	for _, t := range append([]string{scopeTrigram(tx.Scope())}, terms...) {
		if t != "" {
			quoted = append(quoted, `"`+strings.ReplaceAll(t, `"`, `""`)+`"`) // a string of its own (https://sqlite.org/fts5.html, 3.1)
		}
	}
	return strings.Join(quoted, " AND ")
}
