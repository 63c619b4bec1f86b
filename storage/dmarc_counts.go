package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

var (
	addDMARCCount = tables.Compile(`INSERT INTO dmarc_counts (pod_id, day, domain, published, alike, messages) SELECT NULL, ?1, ?2, ?3, ?4, ?5
		WHERE (SELECT count(*) FROM (SELECT 1 FROM dmarc_counts c WHERE c.day = ?1 AND c.domain = ?2 AND c.alike <> ?4 LIMIT ?6)) < ?6 AND {organization}
		ON CONFLICT (day, domain, alike) DO UPDATE SET messages = messages + excluded.messages, published = excluded.published`)
	countDMARCCounts  = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM dmarc_counts c WHERE {organization} LIMIT ?)`)
	listDMARCDays     = tables.Compile(`SELECT DISTINCT c.day, c.domain FROM dmarc_counts c WHERE c.day < ?1 AND (c.day, c.domain) > (?2, ?3) AND {organization} ORDER BY c.day, c.domain LIMIT ?4`)
	listDMARCCounts   = tables.Compile(`SELECT c.day, c.domain, c.published, c.alike, c.messages FROM dmarc_counts c WHERE c.day = ?1 AND c.domain = ?2 AND {organization} ORDER BY c.messages DESC, c.id`)
	deleteDMARCCounts = tables.Compile(`DELETE FROM dmarc_counts WHERE day = ?1 AND domain = ?2 AND {organization}`)
)

// AddDMARCCount adds messages to those that are alike. A domain has at most so many different ones in a day; what is beyond
// them is not kept.
func (tx SystemTx) AddDMARCCount(c mail.DMARCCount, most int) error {
	_, err := tx.tx.Exec(addDMARCCount, c.Day, c.Domain, c.Published, c.Alike, c.Messages, most)
	return err
}

// CountDMARCCounts counts the rows of all domains and days, but not beyond so many.
func (tx SystemTx) CountDMARCCounts(most int) (n int, err error) {
	err = tx.one(countDMARCCounts, []any{most}, &n)
	return n, err
}

// ListDMARCDays lists the days before a moment and the domains of which messages came then, in their order, from after one
// on. Nothing but these two is set.
func (tx SystemTx) ListDMARCDays(before time.Time, after mail.DMARCCount, limit int) ([]mail.DMARCCount, error) {
	return all(tx.Tx, listDMARCDays, func(r *sqlite.Row) (c mail.DMARCCount, err error) {
		err = r.Scan(&c.Day, &c.Domain)
		return c, err
	}, before, after.Day.UnixMicro(), after.Domain, limit)
}

// ListDMARCCounts lists what came of a domain on a day, the most numerous first.
func (tx SystemTx) ListDMARCCounts(day time.Time, domain string) ([]mail.DMARCCount, error) {
	return all(tx.Tx, listDMARCCounts, func(r *sqlite.Row) (c mail.DMARCCount, err error) {
		err = r.Scan(&c.Day, &c.Domain, &c.Published, &c.Alike, &c.Messages)
		return c, err
	}, day, domain)
}

// DeleteDMARCCounts removes what came of a domain on a day.
func (tx SystemTx) DeleteDMARCCounts(day time.Time, domain string) error {
	_, err := tx.tx.Exec(deleteDMARCCounts, day, domain)
	return err
}
