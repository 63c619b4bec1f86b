package storage

import (
	"encoding/json"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const listEntryColumns = `l.id, l.pod_id, l.inbox_id, p.public_id, i.address, l.direction, l.list_type, l.entry, l.reason, l.read_only, l.created_at, l.expires_at`
const listEntryFrom = ` FROM list_entries l LEFT JOIN pods p ON p.id = l.pod_id AND {scope p} LEFT JOIN inboxes i ON i.pod_id = l.pod_id AND i.id = l.inbox_id AND {scope i} `

var (
	findListEntry   = tables.Compile(`SELECT ` + listEntryColumns + listEntryFrom + `WHERE l.direction = ?1 AND l.list_type = ?2 AND l.entry = ?3 AND {exact l}`)
	listListEntries = tables.Compile(`SELECT ` + listEntryColumns + listEntryFrom + `WHERE l.direction = ?1 AND l.list_type = ?2 AND l.entry > ?3 AND {exact l} ORDER BY l.entry LIMIT ?4`)
	// What is needed to judge an address: entries that match, and one of each allow list.
	listApplying = tables.Compile(`SELECT l.pod_id, l.inbox_id, l.list_type, l.entry, l.reason, l.read_only FROM list_entries l
		WHERE l.direction = ?1 AND l.list_type IN ('allow', 'block') AND l.entry IN (SELECT j.value FROM json_each(?2) j) AND (l.expires_at IS NULL OR l.expires_at > ?3) AND {above l}
		UNION ALL SELECT * FROM (SELECT a.pod_id, a.inbox_id, 'allow', '', NULL, 0 FROM list_entries a WHERE a.pod_id IS {own_pod} AND a.inbox_id IS {own_inbox} AND a.direction = ?1 AND a.list_type = 'allow' AND (a.expires_at IS NULL OR a.expires_at > ?3) AND {above a} LIMIT 1)
		UNION ALL SELECT * FROM (SELECT b.pod_id, b.inbox_id, 'allow', '', NULL, 0 FROM list_entries b WHERE b.pod_id IS {own_pod} AND b.inbox_id IS NULL AND b.direction = ?1 AND b.list_type = 'allow' AND (b.expires_at IS NULL OR b.expires_at > ?3) AND {above b} LIMIT 1)
		UNION ALL SELECT * FROM (SELECT c.pod_id, c.inbox_id, 'allow', '', NULL, 0 FROM list_entries c WHERE c.pod_id IS NULL AND c.direction = ?1 AND c.list_type = 'allow' AND (c.expires_at IS NULL OR c.expires_at > ?3) AND {above c} LIMIT 1)`)
	insertListEntry   = tables.Compile(`INSERT INTO list_entries (pod_id, inbox_id, direction, list_type, entry, reason, read_only, created_at, expires_at) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7)`)
	insertSuppression = tables.Compile(`INSERT INTO list_entries (pod_id, inbox_id, direction, list_type, entry, reason, read_only, created_at, expires_at)
		VALUES ({pod}, NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (direction, list_type, entry, ifnull(pod_id, 0), ifnull(inbox_id, 0)) DO UPDATE SET reason = excluded.reason, read_only = excluded.read_only,
		created_at = excluded.created_at, expires_at = excluded.expires_at WHERE list_entries.expires_at <= excluded.created_at
		OR list_entries.read_only = 1 AND list_entries.expires_at < ifnull(excluded.expires_at, 9e18)`)
	deleteEndedEntry = tables.Compile(`DELETE FROM list_entries WHERE direction = ?1 AND list_type = ?2 AND entry = ?3 AND expires_at <= ?4 AND {exact list_entries}`)
	extendListEntry  = tables.Compile(`UPDATE list_entries SET expires_at = ?2 WHERE id = ?1 AND {exact list_entries}`)
	deleteListEntry  = tables.Compile(`DELETE FROM list_entries WHERE id = ? AND {exact list_entries}`)
	deletePodLists   = tables.Compile(`DELETE FROM list_entries WHERE {exact list_entries}`)
)

func scanListEntry(r *sqlite.Row) (e mail.ListEntry, err error) {
	var direction, listType string
	err = r.Scan(&e.ID, &e.Scope.Pod, &e.Scope.Inbox, &e.PodID, &e.InboxID, &direction, &listType, &e.Entry, &e.Reason, &e.ReadOnly, &e.CreatedAt, &e.ExpiresAt)
	e.Direction, e.Type = mail.Direction(direction), mail.ListType(listType)
	return e, err
}

// FindListEntry finds an entry of a list of the handle's very scope.
func (tx Tx) FindListEntry(d mail.Direction, t mail.ListType, entry string) (mail.ListEntry, error) {
	return get(tx, findListEntry, scanListEntry, string(d), string(t), entry)
}

// ListListEntries lists a list of the handle's very scope by entry. The page's token is the last entry.
func (tx Tx) ListListEntries(d mail.Direction, t mail.ListType, p mail.Page) (entries []mail.ListEntry, next string, err error) {
	entries, err = all(tx, listListEntries, scanListEntry, string(d), string(t), p.Token, p.Limit+1)
	if len(entries) > p.Limit {
		entries = entries[:p.Limit]
		next = entries[p.Limit-1].Entry
	}
	return entries, next, err
}

// ListApplying lists what mail.Judge must know of the lists of the handle's scope and the wider ones to judge an
// address that can match keys: entries whose time is not over.
func (tx Tx) ListApplying(d mail.Direction, keys []string, now time.Time) ([]mail.ListEntry, error) {
	b, err := json.Marshal(keys)
	if err != nil {
		return nil, err
	}
	return all(tx, listApplying, func(r *sqlite.Row) (e mail.ListEntry, err error) {
		var listType string
		err = r.Scan(&e.Scope.Pod, &e.Scope.Inbox, &listType, &e.Entry, &e.Reason, &e.ReadOnly)
		e.Direction, e.Type = d, mail.ListType(listType)
		return e, err
	}, string(d), string(b), now)
}

// InsertListEntry adds to a list of the handle's scope. ErrTaken if the entry is on it.
func (tx Tx) InsertListEntry(e mail.ListEntry) error {
	_, err := tx.tx.Exec(insertListEntry, string(e.Direction), string(e.Type), e.Entry, sqlite.Null(e.Reason), e.ReadOnly, e.CreatedAt, e.ExpiresAt)
	return translate(err)
}

// InsertSuppression adds to a list of the pod of the handle's inbox. Of an entry that the server made before, the one that
// stands longer counts; one that somebody else made stays as it is until its time is over.
func (tx Tx) InsertSuppression(e mail.ListEntry) error {
	_, err := tx.tx.Exec(insertSuppression, string(e.Direction), string(e.Type), e.Entry, sqlite.Null(e.Reason), e.ReadOnly, e.CreatedAt, e.ExpiresAt)
	return err
}

// DeleteEndedEntry takes an entry off a list of the handle's very scope if its time is over.
func (tx Tx) DeleteEndedEntry(d mail.Direction, t mail.ListType, entry string, now time.Time) error {
	_, err := tx.tx.Exec(deleteEndedEntry, string(d), string(t), entry, now)
	return err
}

// ExtendListEntry has an entry of the handle's very scope stand until a moment, or for good if that is zero.
func (tx Tx) ExtendListEntry(id int64, until time.Time) error {
	_, err := tx.tx.Exec(extendListEntry, id, until)
	return err
}

// DeleteListEntry takes an entry off its list.
func (tx Tx) DeleteListEntry(id int64) error {
	_, err := tx.tx.Exec(deleteListEntry, id)
	return err
}

// DeleteListEntries empties the lists of the handle's very scope.
func (tx Tx) DeleteListEntries() error {
	_, err := tx.tx.Exec(deletePodLists)
	return err
}
