package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

var (
	addTLSCount = tables.Compile(`INSERT INTO tls_counts (pod_id, day, domain, alike, sessions) SELECT NULL, ?1, ?2, ?3, ?4
		WHERE (SELECT count(*) FROM (SELECT 1 FROM tls_counts c WHERE c.day = ?1 AND c.domain = ?2 AND c.alike <> ?3 LIMIT ?5)) < ?5 AND {organization}
		ON CONFLICT (day, domain, alike) DO UPDATE SET sessions = sessions + excluded.sessions`)
	countTLSCounts  = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM tls_counts c WHERE {organization} LIMIT ?)`)
	listTLSDays     = tables.Compile(`SELECT DISTINCT c.day, c.domain FROM tls_counts c WHERE c.day < ?1 AND (c.day, c.domain) > (?2, ?3) AND {organization} ORDER BY c.day, c.domain LIMIT ?4`)
	listTLSCounts   = tables.Compile(`SELECT c.day, c.domain, c.alike, c.sessions FROM tls_counts c WHERE c.day = ?1 AND c.domain = ?2 AND {organization} ORDER BY c.id`)
	deleteTLSCounts = tables.Compile(`DELETE FROM tls_counts WHERE day = ?1 AND domain = ?2 AND {organization}`)

	insertTLSReport = tables.Compile(`INSERT INTO tls_reports (pod_id, domain, recipient, report, created_at, next_attempt_at) SELECT NULL, ?1, ?2, ?3, ?4, ?5 WHERE {organization}`)
	listDueReports  = tables.Compile(`SELECT r.id, r.domain, r.recipient, r.report, r.created_at, r.attempts, r.next_attempt_at FROM tls_reports r
		WHERE r.next_attempt_at <= ?1 AND {organization} ORDER BY r.next_attempt_at LIMIT ?2`)
	updateTLSReport = tables.Compile(`UPDATE tls_reports SET attempts = ?2, next_attempt_at = ?3 WHERE id = ?1 AND {organization}`)
	deleteTLSReport = tables.Compile(`DELETE FROM tls_reports WHERE id = ?1 AND {organization}`)
)

// AddTLSCount adds connections to those that are alike. A domain has at most so many different ones in a day; what is beyond
// them is not kept.
func (tx SystemTx) AddTLSCount(c mail.TLSCount, most int) error {
	_, err := tx.tx.Exec(addTLSCount, c.Day, c.Domain, c.Alike, c.Sessions, most)
	return err
}

// CountTLSCounts counts the rows of all domains and days, but not beyond so many.
func (tx SystemTx) CountTLSCounts(most int) (n int, err error) {
	err = tx.one(countTLSCounts, []any{most}, &n)
	return n, err
}

// ListTLSDays lists the days before a moment and the domains to whose hosts connections were made then, in their order, from
// after one on. Nothing but these two is set.
func (tx SystemTx) ListTLSDays(before time.Time, after mail.TLSCount, limit int) ([]mail.TLSCount, error) {
	return all(tx.Tx, listTLSDays, func(r *sqlite.Row) (c mail.TLSCount, err error) {
		err = r.Scan(&c.Day, &c.Domain)
		return c, err
	}, before, after.Day.UnixMicro(), after.Domain, limit)
}

// ListTLSCounts lists what was counted of a domain on a day, in the order in which it first happened.
func (tx SystemTx) ListTLSCounts(day time.Time, domain string) ([]mail.TLSCount, error) {
	return all(tx.Tx, listTLSCounts, func(r *sqlite.Row) (c mail.TLSCount, err error) {
		err = r.Scan(&c.Day, &c.Domain, &c.Alike, &c.Sessions)
		return c, err
	}, day, domain)
}

// DeleteTLSCounts removes what was counted of a domain on a day.
func (tx SystemTx) DeleteTLSCounts(day time.Time, domain string) error {
	_, err := tx.tx.Exec(deleteTLSCounts, day, domain)
	return err
}

// InsertTLSReport puts a report on its way.
func (tx SystemTx) InsertTLSReport(r mail.TLSReport) error {
	_, err := tx.tx.Exec(insertTLSReport, r.Domain, r.Recipient, r.Report, r.CreatedAt, r.NextAttemptAt)
	return err
}

// ListDueTLSReports lists the reports that are to be tried now, those that wait longest first.
func (tx SystemTx) ListDueTLSReports(now time.Time, limit int) ([]mail.TLSReport, error) {
	return all(tx.Tx, listDueReports, func(row *sqlite.Row) (r mail.TLSReport, err error) {
		err = row.Scan(&r.ID, &r.Domain, &r.Recipient, &r.Report, &r.CreatedAt, &r.Attempts, &r.NextAttemptAt)
		return r, err
	}, now, limit)
}

// UpdateTLSReport stores how often a report was tried, and when it is next.
func (tx SystemTx) UpdateTLSReport(r mail.TLSReport) error {
	_, err := tx.tx.Exec(updateTLSReport, r.ID, r.Attempts, r.NextAttemptAt)
	return err
}

// DeleteTLSReport removes a report that was taken, or is given up.
func (tx SystemTx) DeleteTLSReport(id int64) error {
	_, err := tx.tx.Exec(deleteTLSReport, id)
	return err
}
