package storage

import (
	"podmail/mail"
)

// The forwarding of an inbox stands in its row, where every look-up of an address reads it.

var (
	updateForwarding = tables.Compile(`UPDATE inboxes SET forwarding = ?1 WHERE id = {inbox} AND address IS NOT NULL AND {scope inboxes}`)
	listForwarding   = compileListing(`SELECT `+inboxColumns+inboxFrom+` AND i.forwarding IS NOT NULL AND {organization} AND {after} {order} LIMIT ?3`, "i.id", "i.id")
)

// UpdateForwarding writes to whom the handle's inbox hands its mail on; nil: to nobody. ErrNotFound once it is deleted.
func (tx Tx) UpdateForwarding(f *mail.Forwarding) error {
	n, err := tx.tx.Exec(updateForwarding, encode(f))
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// ListForwarding lists the inboxes of all pods that hand their mail on.
func (tx SystemTx) ListForwarding(p mail.Page) ([]mail.Inbox, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	inboxes, err := all(tx.Tx, listForwarding.pick(p.Ascending), scanInbox, key, id, p.Limit+1)
	inboxes, next := page(inboxes, p.Limit, func(i *mail.Inbox) mail.Cursor { return mail.Cursor{Key: i.ID, ID: i.ID} })
	return inboxes, next, err
}
