package storage

import "podmail/mail"

// lastRune is behind all that a word can go on with.
const lastRune = "\U0010FFFF"

var (
	insertInboxWord  = tables.Compile(`INSERT OR IGNORE INTO inbox_words (pod_id, inbox_id, word) VALUES ({pod}, {inbox}, ?1)`)
	deleteInboxWords = tables.Compile(`DELETE FROM inbox_words WHERE inbox_id = {inbox} AND {scope inbox_words}`)
	countInboxWords  = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM inbox_words w WHERE w.word >= ?1 AND w.word < ?2 AND {scope w} LIMIT ?3)`)
	searchInboxes    = tables.Compile(`SELECT ` + inboxColumns + ` FROM inboxes i JOIN pods p ON p.id = i.pod_id AND {scope p}
		WHERE i.id IN (SELECT DISTINCT w.inbox_id FROM inbox_words w WHERE w.word >= ?1 AND w.word < ?2 AND {scope w} AND NOT EXISTS (SELECT 1 FROM json_each(?4) j WHERE NOT EXISTS (
			SELECT 1 FROM inbox_words x WHERE x.pod_id = w.pod_id AND x.inbox_id = w.inbox_id AND x.word >= j.value AND x.word < j.value || '` + lastRune + `' AND {scope x})) LIMIT ?3)
		AND i.address IS NOT NULL AND {scope i}`)
	inboxesIndexed    = tables.Compile(`SELECT inboxes_indexed FROM organization`)
	setInboxesIndexed = tables.Compile(`UPDATE organization SET inboxes_indexed = 1`)
)

// SetInboxWords writes the words by which the handle's inbox is found.
func (tx Tx) SetInboxWords(words []string) error {
	if _, err := tx.tx.Exec(deleteInboxWords); err != nil {
		return err
	}
	return tx.InsertInboxWords(words)
}

// InsertInboxWords writes the words by which the handle's new inbox is found.
func (tx Tx) InsertInboxWords(words []string) error {
	for _, w := range words {
		if _, err := tx.tx.Exec(insertInboxWord, w); err != nil {
			return translate(err)
		}
	}
	return nil
}

// SearchInboxes lists some inboxes in scope of which, for each prefix, a word begins with it. Words that most inboxes
// have, as those of their domain, are looked at last.
func (tx Tx) SearchInboxes(prefixes []string, limit int) ([]mail.Inbox, error) {
	seldom, fewest := "", limit+2
	for _, prefix := range prefixes {
		var n int
		if err := tx.one(countInboxWords, []any{prefix, prefix + lastRune, limit + 1}, &n); err != nil {
			return nil, err
		}
		if n < fewest {
			seldom, fewest = prefix, n
		}
	}
	return all(tx, searchInboxes, scanInbox, seldom, seldom+lastRune, limit, encode(prefixes))
}

// InboxesIndexed tells whether inboxes from before there was an index of their words are in it.
func (tx Tx) InboxesIndexed() (done bool, err error) {
	err = tx.one(inboxesIndexed, nil, &done)
	return done, err
}

// SetInboxesIndexed notes that they are.
func (tx Tx) SetInboxesIndexed() error {
	_, err := tx.tx.Exec(setInboxesIndexed)
	return err
}
