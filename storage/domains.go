package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const domainColumns = `d.id, d.pod_id, p.public_id, d.name, d.verified, d.created_at, d.updated_at`

var (
	findVisibleDomain = tables.Compile(`SELECT ` + domainColumns + ` FROM domains d LEFT JOIN pods p ON p.id = d.pod_id AND {scope p} WHERE d.name = ? AND {shared d}`)
	insertDomain      = tables.Compile(`INSERT INTO domains (pod_id, name, verified, created_at, updated_at) SELECT p.id, ?1, ?2, ?3, ?3 FROM pods p WHERE p.id = {pod} AND {scope p}`)
	// A domain of all pods is inserted under the organization: there is no pod to take from the handle.
	insertSharedDomain = tables.Compile(`INSERT INTO domains (pod_id, name, verified, created_at, updated_at) SELECT NULL, ?1, ?2, ?3, ?3 WHERE {organization}`)
	deleteSharedDomain = tables.Compile(`DELETE FROM domains WHERE name = ? AND pod_id IS NULL AND {organization}`)
)

func scanDomain(r *sqlite.Row) (d mail.Domain, err error) {
	err = r.Scan(&d.ID, &d.Pod, &d.PodID, &d.Name, &d.Verified, &d.CreatedAt, &d.UpdatedAt)
	return d, err
}

// FindVisibleDomain finds a domain that the scope's pod may use: its own, or one of all pods.
func (tx Tx) FindVisibleDomain(name string) (mail.Domain, error) {
	return get(tx, findVisibleDomain, scanDomain, name)
}

// InsertDomain stores d in the handle's pod, or for all pods under the organization. ErrTaken if its name is.
func (tx Tx) InsertDomain(d mail.Domain) error {
	s := insertDomain
	if tx.Scope().Pod == 0 {
		s = insertSharedDomain
	}
	_, err := tx.tx.Exec(s, d.Name, d.Verified, d.CreatedAt)
	return translate(err)
}

// DeleteSharedDomain removes a domain of all pods.
func (tx Tx) DeleteSharedDomain(name string) error {
	_, err := tx.tx.Exec(deleteSharedDomain, name)
	return err
}
