package storage

import (
	"math"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const usageColumns = `storage_bytes, message_count, thread_count, inbox_count, domain_count, pod_count`
const totalColumns = usageColumns + `, received, received_spam, received_blocked, received_unauthenticated, sent, delivered, bounced, complained, rejected, domain_verified`

var (
	insertUsage  = tables.Compile(`INSERT INTO usage_changes (pod_id, inbox_id, at, ` + usageColumns + `) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7)`)
	sumUsage     = tables.Compile(`SELECT sum(waiting.storage_bytes), sum(waiting.message_count), sum(waiting.thread_count) FROM usage_changes waiting WHERE {exact waiting}`)
	findReading  = tables.Compile(`SELECT m.id, m.at, ` + totalColumns + ` FROM metrics m WHERE m.at < ? AND {exact m} ORDER BY m.at DESC LIMIT 1`)
	listReadings = tables.Compile(`SELECT m.id, m.at, ` + totalColumns + ` FROM metrics m WHERE m.at >= ?1 AND m.at < ?2 AND {exact m} ORDER BY m.at LIMIT ?3`)

	anyUnmetered  = tables.Compile(`SELECT EXISTS (SELECT 1 FROM usage_changes c WHERE {organization}) OR EXISTS (SELECT 1 FROM events e WHERE e.id > (SELECT metered FROM organization) AND {organization})`)
	listUnmetered = tables.Compile(`SELECT e.pod_id, e.inbox_id, e.created_at, e.type, e.id FROM events e WHERE e.id > (SELECT metered FROM organization) AND {organization} ORDER BY e.id LIMIT ?`)
	listUsage     = tables.Compile(`SELECT c.pod_id, c.inbox_id, c.at, c.id, ` + usageColumns + ` FROM usage_changes c WHERE {organization} ORDER BY c.id LIMIT ?`)
	deleteUsage   = tables.Compile(`DELETE FROM usage_changes WHERE id <= ? AND {organization}`)
	setMetered    = tables.Compile(`UPDATE organization SET metered = ?`)
	insertReading = tables.Compile(`INSERT INTO metrics (pod_id, inbox_id, at, ` + totalColumns + `) VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)`)
	updateReading = tables.Compile(`UPDATE metrics SET (` + totalColumns + `) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17) WHERE id = ?1 AND {exact metrics}`)
	// The latest of those that are too old to be asked for says what the later ones start from.
	forgetReadings = tables.Compile(`DELETE FROM metrics WHERE id IN (SELECT m.id FROM metrics m WHERE m.at < ?1 AND {exact m} ORDER BY m.at DESC LIMIT ?2 OFFSET 1) AND {exact metrics}`)
)

// changeUsage notes what came or went in the handle's scope, in the transaction in which it does.
func (tx Tx) changeUsage(at time.Time, by mail.Totals) error {
	_, err := tx.tx.Exec(insertUsage, at, by[0], by[1], by[2], by[3], by[4], by[5])
	return err
}

// changeCount is changeUsage of one number.
func (tx Tx) changeCount(at time.Time, of mail.UsageType, by int64) error {
	var change mail.Totals
	*change.Usage(of) = by
	return tx.changeUsage(at, change)
}

// loseInbox notes that the handle's inbox goes with all that is in it.
func (tx Tx) loseInbox(at time.Time) error {
	row, err := tx.findReading(endOfTime)
	if err != nil {
		return err
	}
	var waiting mail.Totals
	if err := tx.one(sumUsage, nil, &waiting[0], &waiting[1], &waiting[2]); err != nil {
		return err
	}
	var lost mail.Totals
	for i := range waiting[:3] { // what an inbox has
		lost[i] = -row.Totals[i] - waiting[i]
	}
	*lost.Usage(mail.UsageInboxCount) = -1
	return tx.changeUsage(at, lost)
}

// endOfTime is later than anything that is stored.
var endOfTime = time.UnixMicro(math.MaxInt64)

type readingRow struct {
	id      int64 // 0: not stored yet
	changed bool
	mail.Reading
}

func scanReading(r *sqlite.Row) (row readingRow, err error) {
	dest := []any{&row.id, &row.At}
	for i := range row.Totals {
		dest = append(dest, &row.Totals[i])
	}
	return row, r.Scan(dest...)
}

// findReading finds the totals of the handle's very scope just before a moment; zero if there was nothing yet.
func (tx Tx) findReading(before time.Time) (row readingRow, err error) {
	rows, err := all(tx, findReading, scanReading, before)
	if err == nil && len(rows) > 0 {
		row = rows[0]
	}
	return row, err
}

// FindTotals finds the totals of the handle's very scope just before a moment.
func (tx Tx) FindTotals(before time.Time) (mail.Totals, error) {
	row, err := tx.findReading(before)
	return row.Totals, err
}

// ListReadings lists how the totals of the handle's very scope changed between two moments, the second excluded.
func (tx Tx) ListReadings(from, to time.Time, limit int) ([]mail.Reading, error) {
	return all(tx, listReadings, func(r *sqlite.Row) (mail.Reading, error) {
		row, err := scanReading(r)
		return row.Reading, err
	}, from, to, limit)
}

// metered is something that happened and is not in the totals yet.
type metered struct {
	id     int64
	scope  mail.Scope
	at     time.Time
	change mail.Totals
}

func scanUnmetered(r *sqlite.Row) (m metered, err error) {
	var typ string
	if err := r.Scan(&m.scope.Pod, &m.scope.Inbox, &m.at, &typ, &m.id); err != nil {
		return m, err
	}
	if n := m.change.Events(mail.EventType(typ)); n != nil {
		*n = 1
	}
	return m, nil
}

func scanUsage(r *sqlite.Row) (m metered, err error) {
	u := &m.change
	err = r.Scan(&m.scope.Pod, &m.scope.Inbox, &m.at, &m.id, &u[0], &u[1], &u[2], &u[3], &u[4], &u[5])
	return m, err
}
