package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const domainReportColumns = `r.id, r.domain_id, r.kind, r.organization, r.report_id, r.begin_at, r.end_at, r.passed, r.failed, r.details, r.created_at`

var (
	insertDomainReport = tables.Compile(`INSERT INTO domain_reports (pod_id, domain_id, kind, organization, report_id, begin_at, end_at, passed, failed, details, created_at)
		VALUES ({own_pod}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING`)
	listDomainReports = compileListing(`SELECT `+domainReportColumns+` FROM domain_reports r WHERE r.domain_id = ?4 AND r.kind = ?5 AND {after} AND {scope r} {order} LIMIT ?3`, "r.created_at", "r.id")
	trimDomainReports = tables.Compile(`DELETE FROM domain_reports WHERE id IN (SELECT r.id FROM domain_reports r WHERE r.domain_id = ?1 AND r.kind = ?2 AND {scope r}
		ORDER BY r.created_at DESC, r.id DESC LIMIT -1 OFFSET ?3) AND {scope domain_reports}`)
	deleteDomainReport    = tables.Compile(`DELETE FROM domain_reports WHERE id = ? AND {scope domain_reports}`)
	deleteReportsOfDomain = tables.Compile(`DELETE FROM domain_reports WHERE domain_id = ? AND {scope domain_reports}`)
)

// InsertDomainReport stores a report on a domain of the handle's pod, or of all pods, and lets the oldest ones go beyond
// so many. One that is there already stays as it is.
func (tx Tx) InsertDomainReport(r mail.DomainReport, keep int) error {
	_, err := tx.tx.Exec(insertDomainReport, r.Domain, string(r.Kind), r.Organization, r.ReportID, r.Begin, r.End, r.Passed, r.Failed, string(r.Details), r.CreatedAt)
	if err != nil {
		return translate(err)
	}
	_, err = tx.tx.Exec(trimDomainReports, r.Domain, string(r.Kind), keep)
	return err
}

// ListDomainReports lists the reports of a kind on a domain by arrival.
func (tx Tx) ListDomainReports(domain int64, kind mail.ReportKind, p mail.Page) ([]mail.DomainReport, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	reports, err := all(tx, listDomainReports.pick(p.Ascending), func(row *sqlite.Row) (r mail.DomainReport, err error) {
		var kind, details string
		err = row.Scan(&r.ID, &r.Domain, &kind, &r.Organization, &r.ReportID, &r.Begin, &r.End, &r.Passed, &r.Failed, &details, &r.CreatedAt)
		r.Kind, r.Details = mail.ReportKind(kind), []byte(details)
		return r, err
	}, key, id, p.Limit+1, domain, string(kind))
	reports, next := page(reports, p.Limit, func(r *mail.DomainReport) mail.Cursor { return mail.Cursor{Key: r.CreatedAt.UnixMicro(), ID: r.ID} })
	return reports, next, err
}

// DeleteDomainReport removes a report.
func (tx Tx) DeleteDomainReport(id int64) error {
	_, err := tx.tx.Exec(deleteDomainReport, id)
	return err
}

var listOldReports = tables.Compile(`SELECT r.pod_id, NULL, r.id FROM domain_reports r WHERE r.created_at < ?1 AND {organization} LIMIT ?2`)

// ListOldReports lists reports on domains that came before a moment.
func (tx SystemTx) ListOldReports(before time.Time, limit int) ([]Job, error) {
	return all(tx.Tx, listOldReports, scanJob, before, limit)
}
