package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const eventColumns = `e.id, e.pod_id, e.inbox_id, e.type, e.message, e.message_id, e.label, e.details, e.created_at`

var (
	insertEvent = tables.Compile(`INSERT INTO events (pod_id, inbox_id, type, message, message_id, label, details, created_at) VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5, ?6)`)
	findEvent   = tables.Compile(`SELECT ` + eventColumns + ` FROM events e WHERE e.id = ? AND {scope e}`)
	listEvents  = tables.Compile(`SELECT ` + eventColumns + ` FROM events e WHERE e.id > ? AND e.label IS NULL AND {scope e} ORDER BY e.id LIMIT ?`)

	labelEventsDown = compileLabelEvents("<", "DESC")
	labelEventsUp   = compileLabelEvents(">", "ASC")
)

// compileLabelEvents compiles the list of an inbox's changes of labels: ?1 the last one seen, ?2 limit, ?3 what hidden
// kinds of message are left out, ?4 whether those of messages that are gone are too, ?5 labels that are left out.
func compileLabelEvents(op, dir string) *sqlite.Statement {
	return tables.Compile(`SELECT ` + eventColumns + ` FROM events e LEFT JOIN messages m ON m.id = e.message AND {scope m} WHERE e.id ` + op + ` ?1 AND e.label IS NOT NULL
		AND e.inbox_id = {inbox} AND {scope e} AND CASE WHEN m.id IS NULL THEN ?4 = 0 ELSE m.hidden & ?3 = 0 END AND e.label NOT IN (SELECT j.value FROM json_each(?5) j)
		ORDER BY e.id ` + dir + ` LIMIT ?2`)
}

func scanEvent(r *sqlite.Row) (e mail.Event, err error) {
	var typ, details string
	if err := r.Scan(&e.Seq, &e.Pod, &e.Inbox, &typ, &e.Message, &e.MessageID, &e.Label, &details, &e.CreatedAt); err != nil {
		return e, err
	}
	e.Type = mail.EventType(typ)
	return e, decode(details, &e.Details)
}

// InsertEvent notes what happened in the handle's inbox, in the transaction in which it happens.
func (tx Tx) InsertEvent(e mail.Event) error {
	_, err := tx.tx.Exec(insertEvent, string(e.Type), sqlite.Null(e.Message), sqlite.Null(e.MessageID), sqlite.Null(e.Label), encode(e.Details), e.CreatedAt)
	return err
}

// FindEvent finds an event in scope by its sequence number.
func (tx Tx) FindEvent(seq int64) (mail.Event, error) { return get(tx, findEvent, scanEvent, seq) }

// ListEvents lists the events in scope after a sequence number, in order, without the changes of labels.
func (tx Tx) ListEvents(after int64, limit int) ([]mail.Event, error) {
	return all(tx, listEvents, scanEvent, after, limit)
}

// ListLabelEvents lists the changes of labels in the handle's inbox behind a sequence number, newest first unless
// ascending. Those of messages that are hidden for one of the kinds of without are left out, as are those of its labels,
// and those of messages that are gone, of which nobody knows.
func (tx Tx) ListLabelEvents(after int64, ascending bool, without mail.Hidden, limit int) ([]mail.Event, error) {
	list := labelEventsDown
	if ascending {
		list = labelEventsUp
	}
	labels := without.Labels()
	return all(tx, list, scanEvent, after, limit, uint8(without|mail.HiddenDraft), len(labels), labelsJSON(labels))
}
