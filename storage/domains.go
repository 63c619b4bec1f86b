package storage

import (
	"encoding/json"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const domainColumns = `d.id, d.pod_id, p.public_id, d.name, d.builtin, d.verified, d.subdomains_verified, d.status, d.reason, d.feedback_enabled, d.subdomains_enabled,
	d.tracking_enabled, d.shares_mx, d.client_id, d.records, d.checks, d.failing_since, d.next_check_at, d.created_at, d.updated_at`
const domainFrom = ` FROM domains d LEFT JOIN pods p ON p.id = d.pod_id AND {scope p} `
const ownDomains = ` d.builtin = 0 AND d.deleted = 0 AND {scope d} ` // those of the scope itself, without what belongs to all pods

// What stands in a domain's row beside its name, in the order of domainValues.
const domainInserted = `INSERT INTO domains (pod_id, name, builtin, verified, subdomains_verified, status, reason, feedback_enabled, subdomains_enabled, tracking_enabled,
	shares_mx, client_id, records, checks, failing_since, next_check_at, keys, created_at, updated_at) SELECT `
const domainInsertedValues = `, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17 `

var (
	findDomainNamed    = tables.Compile(`SELECT d.id FROM domains d WHERE d.name = ? AND {shared d}`)
	findDomain         = tables.Compile(`SELECT ` + domainColumns + domainFrom + `WHERE d.name = ? AND` + ownDomains)
	findOwnDomain      = tables.Compile(`SELECT ` + domainColumns + domainFrom + `WHERE d.name = ? AND d.deleted = 0 AND {scope d}`)
	findDomainByID     = tables.Compile(`SELECT ` + domainColumns + domainFrom + `WHERE d.id = ? AND d.deleted = 0 AND {scope d}`)
	findDomainByClient = tables.Compile(`SELECT ` + domainColumns + domainFrom + `WHERE d.client_id = ? AND` + ownDomains + `ORDER BY d.id LIMIT 1`)
	findSharedByClient = tables.Compile(`SELECT ` + domainColumns + domainFrom + `WHERE d.client_id = ? AND d.pod_id IS NULL AND {organization} AND` + ownDomains + `ORDER BY d.id LIMIT 1`)
	findDomainKeys     = tables.Compile(`SELECT d.keys FROM domains d WHERE d.id = ? AND d.deleted = 0 AND {shared d}`)
	listDomains        = compileListing(`SELECT `+domainColumns+domainFrom+`WHERE`+ownDomains+`AND {after} {order} LIMIT ?3`, "d.created_at", "d.id")
	listDomainsOver    = tables.Compile(`SELECT d.id, d.pod_id, d.name, d.builtin, d.verified, d.subdomains_enabled, d.subdomains_verified, d.feedback_enabled FROM json_each(?) j CROSS JOIN domains d ON d.name = j.value AND d.deleted = 0 AND {shared d} ORDER BY j.key`)
	insertDomain       = tables.Compile(domainInserted + `p.id` + domainInsertedValues + `FROM pods p WHERE p.id = {pod} AND {scope p}`)
	insertSharedDomain = tables.Compile(domainInserted + `NULL` + domainInsertedValues + `WHERE {organization}`) // there is no pod to take from the handle
	updateDomain       = tables.Compile(`UPDATE domains SET verified = ?2, subdomains_verified = ?3, status = ?4, reason = ?5, feedback_enabled = ?6, subdomains_enabled = ?7, tracking_enabled = ?8, records = ?9, checks = ?10, failing_since = ?11, next_check_at = ?12, updated_at = ?13 WHERE id = ?1 AND {scope domains}`)
	updateDomainKeys   = tables.Compile(`UPDATE domains SET keys = ?2 WHERE id = ?1 AND deleted = 0 AND {scope domains}`)
	scheduleDomain     = tables.Compile(`UPDATE domains SET next_check_at = ?2 WHERE id = ?1 AND deleted = 0 AND {scope domains}`)
	hideDomain         = tables.Compile(`UPDATE domains SET deleted = 1, verified = 0, client_id = NULL, keys = NULL, next_check_at = NULL, updated_at = ?2 WHERE id = ?1 AND {scope domains}`)
	deleteDomain       = tables.Compile(`DELETE FROM domains WHERE id = ? AND deleted = 1 AND {scope domains}`)
	listDomainInboxes  = tables.Compile(`SELECT i.pod_id, i.id, i.id FROM inboxes i WHERE i.domain_id = ?1 AND {scope i} ORDER BY i.id LIMIT ?2`)
	anyDomain          = tables.Compile(`SELECT count(*) FROM (SELECT 1 FROM domains d WHERE {scope d} LIMIT 1)`)
	insertPodEvent     = tables.Compile(`INSERT INTO events (pod_id, type, details, created_at) SELECT p.id, ?1, ?2, ?3 FROM pods p WHERE p.id = {pod} AND {scope p}`)
	insertOverallEvent = tables.Compile(`INSERT INTO events (pod_id, type, details, created_at) SELECT NULL, ?1, ?2, ?3 WHERE {organization}`)
	countDomains       = tables.Compile(`SELECT count(*) FROM domains d WHERE` + ownDomains)
)

func scanDomain(r *sqlite.Row) (d mail.Domain, err error) {
	var status, records string
	err = r.Scan(&d.ID, &d.Pod, &d.PodID, &d.Name, &d.Builtin, &d.Verified, &d.SubdomainsVerified, &status, &d.Reason, &d.FeedbackEnabled, &d.SubdomainsEnabled,
		&d.TrackingEnabled, &d.SharesMX, &d.ClientID, &records, &d.Checks, &d.FailingSince, &d.NextCheckAt, &d.CreatedAt, &d.UpdatedAt)
	if err != nil {
		return d, err
	}
	d.Status = mail.VerificationStatus(status)
	return d, decode(records, &d.Records)
}

// HasDomain tells whether the scope's pod may know a domain of this name: its own, or one of all pods; under the
// organization, whether the name is taken at all.
func (tx Tx) HasDomain(name string) (bool, error) {
	found, err := all(tx, findDomainNamed, scanID, name)
	return len(found) > 0, err
}

// FindDomain finds a domain of the scope's own by its name.
func (tx Tx) FindDomain(name string) (mail.Domain, error) {
	return get(tx, findDomain, scanDomain, name)
}

// FindOwnDomain is FindDomain that finds, under the organization, the installation's own domain too.
func (tx Tx) FindOwnDomain(name string) (mail.Domain, error) {
	return get(tx, findOwnDomain, scanDomain, name)
}

// FindDomainByID finds a domain of the scope's own by its key, under the organization the installation's own too.
func (tx Tx) FindDomainByID(id int64) (mail.Domain, error) {
	return get(tx, findDomainByID, scanDomain, id)
}

// FindDomainByClientID finds a domain of the handle's pod, or under the organization one of all pods, by the
// customer's own id.
func (tx Tx) FindDomainByClientID(id string) (mail.Domain, error) {
	if tx.Scope().Pod == 0 {
		return get(tx, findSharedByClient, scanDomain, id)
	}
	return get(tx, findDomainByClient, scanDomain, id)
}

// FindDomainKeys finds the keys of a domain that the scope's pod may use. They are secrets.
func (tx Tx) FindDomainKeys(id int64) (keys []mail.DKIMKey, err error) {
	var text string
	if err := tx.one(findDomainKeys, []any{id}, &text); err != nil {
		return nil, err
	}
	return keys, decode(text, &keys)
}

// ListDomainsOver lists, nearest first, the domains that a name is or lies below and that the scope's pod may use; under
// the organization, all of them. Most of their settings, records and times are left out.
func (tx Tx) ListDomainsOver(name string) ([]mail.Domain, error) {
	names, err := json.Marshal(mail.ParentDomains(name))
	if err != nil {
		return nil, err
	}
	return all(tx, listDomainsOver, func(r *sqlite.Row) (d mail.Domain, err error) {
		err = r.Scan(&d.ID, &d.Pod, &d.Name, &d.Builtin, &d.Verified, &d.SubdomainsEnabled, &d.SubdomainsVerified, &d.FeedbackEnabled)
		return d, err
	}, string(names))
}

// ListDomains lists the scope's own domains by creation.
func (tx Tx) ListDomains(p mail.Page) ([]mail.Domain, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	domains, err := all(tx, listDomains.pick(p.Ascending), scanDomain, key, id, p.Limit+1)
	domains, next := page(domains, p.Limit, func(d *mail.Domain) mail.Cursor {
		return mail.Cursor{Key: d.CreatedAt.UnixMicro(), ID: d.ID}
	})
	return domains, next, err
}

// CountDomains counts the scope's own domains, without those of the installation itself.
func (tx Tx) CountDomains() (n int64, err error) {
	err = tx.one(countDomains, nil, &n)
	return n, err
}

// InsertDomain stores d and its keys in the handle's pod, or for all pods under the organization, and returns it with
// its key. ErrTaken if its name is.
func (tx Tx) InsertDomain(d mail.Domain, keys []mail.DKIMKey) (mail.Domain, error) {
	s := insertDomain
	if tx.Scope().Pod == 0 {
		s = insertSharedDomain
	}
	id, err := tx.tx.Insert(s, d.Name, d.Builtin, d.Verified, d.SubdomainsVerified, string(d.Status), sqlite.Null(d.Reason), d.FeedbackEnabled, d.SubdomainsEnabled, d.TrackingEnabled,
		d.SharesMX, sqlite.Null(d.ClientID), encode(d.Records), d.Checks, d.FailingSince, d.NextCheckAt, encode(keys), d.CreatedAt)
	d.ID, d.Pod, d.UpdatedAt = id, tx.Scope().Pod, d.CreatedAt
	if err != nil || d.Builtin {
		return d, translate(err)
	}
	return d, tx.changeCount(d.CreatedAt, mail.UsageDomainCount, 1)
}

// UpdateDomain writes a domain's settings, and what is known of its records.
func (tx Tx) UpdateDomain(d mail.Domain) error {
	_, err := tx.tx.Exec(updateDomain, d.ID, d.Verified, d.SubdomainsVerified, string(d.Status), sqlite.Null(d.Reason), d.FeedbackEnabled, d.SubdomainsEnabled,
		d.TrackingEnabled, encode(d.Records), d.Checks, d.FailingSince, d.NextCheckAt, d.UpdatedAt)
	return err
}

// UpdateDomainKeys writes a domain's keys.
func (tx Tx) UpdateDomainKeys(id int64, keys []mail.DKIMKey) error {
	_, err := tx.tx.Exec(updateDomainKeys, id, encode(keys))
	return err
}

// ScheduleDomain says when a domain is next checked.
func (tx Tx) ScheduleDomain(id int64, at time.Time) error {
	_, err := tx.tx.Exec(scheduleDomain, id, at)
	return err
}

// HideDomain makes a domain invisible. Its name is free once its inboxes are hidden too, and DeleteDomain was called.
func (tx Tx) HideDomain(d mail.Domain, now time.Time) error {
	if err := (Tx{tx.tx.Narrow(d.Scope())}).changeCount(now, mail.UsageDomainCount, -1); err != nil {
		return err
	}
	_, err := tx.tx.Exec(hideDomain, d.ID, now)
	return err
}

// DeleteDomain removes a hidden domain and what was reported of it.
func (tx Tx) DeleteDomain(id int64) error {
	if _, err := tx.tx.Exec(deleteReportsOfDomain, id); err != nil {
		return err
	}
	_, err := tx.tx.Exec(deleteDomain, id)
	return translate(err)
}

// ListDomainInboxes lists inboxes that live under a domain and are not hidden yet.
func (tx Tx) ListDomainInboxes(id int64, limit int) ([]Job, error) {
	return all(tx, listDomainInboxes, scanJob, id, limit)
}

// InsertDomainEvent notes what happened to a domain of the handle's pod, or of all pods, in the transaction in which it
// happens.
func (tx Tx) InsertDomainEvent(e mail.Event) error {
	s := insertPodEvent
	if tx.Scope().Pod == 0 {
		s = insertOverallEvent
	}
	_, err := tx.tx.Exec(s, string(e.Type), encode(e.Details), e.CreatedAt)
	return err
}
