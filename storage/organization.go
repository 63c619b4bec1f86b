package storage

import (
	"time"

	"podmail/mail"
)

// OrganizationRow is the installation's own row.
type OrganizationRow struct {
	PublicID  string
	Secret    []byte // signs download links
	Keyed     bool   // whether a first API key was ever made
	CreatedAt time.Time
	UpdatedAt time.Time
}

var (
	findOrganization   = tables.Compile(`SELECT public_id, secret, keyed, created_at, updated_at FROM organization`)
	insertOrganization = tables.Compile(`INSERT INTO organization (id, public_id, secret, uid_validity, keyed, created_at, updated_at) VALUES (1, ?1, ?2, ?3, 0, ?4, ?4)`)
	setKeyed           = tables.Compile(`UPDATE organization SET keyed = 1`)
	nextUIDValidity    = tables.Compile(`UPDATE organization SET uid_validity = max(uid_validity + 1, ?) RETURNING uid_validity`)
	countInboxes       = tables.Compile(`SELECT count(*) FROM inboxes i WHERE i.address IS NOT NULL AND {scope i}`)
)

// FindOrganization returns the installation's row; ErrNotFound before the first start.
func (tx Tx) FindOrganization() (o OrganizationRow, err error) {
	err = tx.one(findOrganization, nil, &o.PublicID, &o.Secret, &o.Keyed, &o.CreatedAt, &o.UpdatedAt)
	return o, err
}

// InsertOrganization makes the installation's row.
func (tx Tx) InsertOrganization(o OrganizationRow) error {
	_, err := tx.tx.Exec(insertOrganization, o.PublicID, o.Secret, o.CreatedAt.Unix(), o.CreatedAt)
	return err
}

// SetKeyed notes that a first API key was made.
func (tx Tx) SetKeyed() error {
	_, err := tx.tx.Exec(setKeyed)
	return err
}

// NextUIDValidity gives out a UIDVALIDITY that was never given out before and follows the clock (RFC 9051 2.3.1.1).
func (tx Tx) NextUIDValidity(now time.Time) (v uint32, err error) {
	err = tx.one(nextUIDValidity, []any{now.Unix()}, &v)
	return v, err
}

// CountInboxes counts the inboxes in scope.
func (tx Tx) CountInboxes() (n int64, err error) {
	err = tx.one(countInboxes, nil, &n)
	return n, err
}

// pageBounds turns a page's cursor into the bounds of a keyset query: rows strictly behind it in reading order.
func pageBounds(p mail.Page) (key, id int64, err error) {
	c, err := mail.ParseToken(p.Token)
	if err != nil {
		return 0, 0, err
	}
	if p.Token == "" && !p.Ascending {
		return 1<<63 - 1, 1<<63 - 1, nil
	}
	if p.Token == "" {
		return -1 << 63, -1 << 63, nil
	}
	return c.Key, c.ID, nil
}

// page cuts the one extra row that was asked for off a list, and returns the token that leads on if there was one.
func page[T any](items []T, limit int, cursor func(*T) mail.Cursor) ([]T, string) {
	if len(items) <= limit {
		return items, ""
	}
	return items[:limit], cursor(&items[limit-1]).Token()
}
