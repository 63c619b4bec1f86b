package storage

import (
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const podColumns = `p.id, p.public_id, p.name, p.client_id, p.is_default, p.created_at, p.updated_at`

var (
	findPod        = tables.Compile(`SELECT ` + podColumns + ` FROM pods p WHERE (p.public_id = ?1 OR p.client_id = ?1) AND p.deleted = 0 AND {scope p} ORDER BY p.public_id = ?1 DESC LIMIT 1`)
	findPodByID    = tables.Compile(`SELECT ` + podColumns + ` FROM pods p WHERE p.id = ? AND p.deleted = 0 AND {scope p}`)
	findDefaultPod = tables.Compile(`SELECT ` + podColumns + ` FROM pods p WHERE p.is_default = 1 AND {scope p}`)
	listPods       = compileListing(`SELECT `+podColumns+` FROM pods p WHERE {after} AND p.deleted = 0 AND {scope p} {order} LIMIT ?3`, "p.created_at", "p.id")
	insertPod      = tables.Compile(`INSERT INTO pods (public_id, name, client_id, is_default, created_at, updated_at) SELECT ?1, ?2, ?3, ?4, ?5, ?5 WHERE {organization}`)
	hidePod        = tables.Compile(`UPDATE pods SET deleted = 1, client_id = NULL, updated_at = ? WHERE {scope pods}`)
	deletePod      = tables.Compile(`DELETE FROM pods WHERE deleted = 1 AND {scope pods}`)
)

func scanPod(r *sqlite.Row) (p mail.Pod, err error) {
	err = r.Scan(&p.ID, &p.PodID, &p.Name, &p.ClientID, &p.Default, &p.CreatedAt, &p.UpdatedAt)
	return p, err
}

// get runs a query and scans its first row.
func get[T any](tx Tx, s *sqlite.Statement, scan func(*sqlite.Row) (T, error), args ...any) (T, error) {
	items, err := all(tx, s, scan, args...)
	if err == nil && len(items) == 0 {
		err = sqlite.ErrNoRows
	}
	if err != nil {
		var zero T
		return zero, translate(err)
	}
	return items[0], nil
}

// all runs a query and scans every row.
func all[T any](tx Tx, s *sqlite.Statement, scan func(*sqlite.Row) (T, error), args ...any) (items []T, err error) {
	err = tx.tx.Each(s, args, func(r *sqlite.Row) error {
		item, err := scan(r)
		items = append(items, item)
		return err
	})
	return items, err
}

// FindPod finds a pod by its public id or the customer's own.
func (tx Tx) FindPod(id string) (mail.Pod, error) { return get(tx, findPod, scanPod, id) }

// FindPodByID finds a pod by its surrogate key.
func (tx Tx) FindPodByID(id int64) (mail.Pod, error) { return get(tx, findPodByID, scanPod, id) }

// FindDefaultPod finds the pod where things land that name none.
func (tx Tx) FindDefaultPod() (mail.Pod, error) { return get(tx, findDefaultPod, scanPod) }

// ListPods lists pods by creation.
func (tx Tx) ListPods(p mail.Page) ([]mail.Pod, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	pods, err := all(tx, listPods.pick(p.Ascending), scanPod, key, id, p.Limit+1)
	pods, next := page(pods, p.Limit, func(p *mail.Pod) mail.Cursor {
		return mail.Cursor{Key: p.CreatedAt.UnixMicro(), ID: p.ID}
	})
	return pods, next, err
}

// InsertPod stores p and returns it with its key. ErrTaken if its client id is.
func (tx Tx) InsertPod(p mail.Pod) (mail.Pod, error) {
	id, err := tx.tx.Insert(insertPod, p.PodID, p.Name, sqlite.Null(p.ClientID), p.Default, p.CreatedAt)
	p.ID, p.UpdatedAt = id, p.CreatedAt
	if err != nil {
		return p, translate(err)
	}
	return p, tx.changeCount(p.CreatedAt, mail.UsagePodCount, 1)
}

// HidePod makes the pod of the handle's scope invisible until its last rows are removed.
func (tx Tx) HidePod(now time.Time) error {
	if err := tx.changeCount(now, mail.UsagePodCount, -1); err != nil {
		return err
	}
	_, err := tx.tx.Exec(hidePod, now)
	return err
}

// DeletePod removes the hidden pod of the handle's scope. ErrGone while something still belongs to it.
func (tx Tx) DeletePod() error {
	_, err := tx.tx.Exec(deletePod)
	return translate(err)
}
