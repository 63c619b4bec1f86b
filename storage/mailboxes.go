package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const mailboxColumns = `b.id, b.inbox_id, b.name, b.role, b.label, b.uid_validity, b.uid_next, b.modseq, b.subscribed`

var (
	listMailboxes  = tables.Compile(`SELECT ` + mailboxColumns + ` FROM mailboxes b WHERE b.inbox_id = {inbox} AND {scope b} ORDER BY b.id`)
	findMailbox    = tables.Compile(`SELECT ` + mailboxColumns + ` FROM mailboxes b WHERE b.id = ? AND {scope b}`)
	findRoleBox    = tables.Compile(`SELECT ` + mailboxColumns + ` FROM mailboxes b WHERE b.inbox_id = {inbox} AND b.label = ? AND {scope b}`)
	insertMailbox  = tables.Compile(`INSERT INTO mailboxes (pod_id, inbox_id, name, role, label, uid_validity, subscribed) VALUES ({pod}, {inbox}, ?1, ?2, ?3, ?4, ?5)`)
	renameMailbox  = tables.Compile(`UPDATE mailboxes SET name = ?2, label = ?3 WHERE id = ?1 AND {scope mailboxes}`)
	setSubscribed  = tables.Compile(`UPDATE mailboxes SET subscribed = ?2 WHERE id = ?1 AND {scope mailboxes}`)
	deleteMailbox  = tables.Compile(`DELETE FROM mailboxes WHERE id = ? AND {scope mailboxes}`)
	nextUID        = tables.Compile(`UPDATE mailboxes SET uid_next = uid_next + 1, modseq = modseq + 1 WHERE id = ? AND {scope mailboxes} RETURNING uid_next - 1, modseq`)
	nextUIDByLabel = tables.Compile(`UPDATE mailboxes SET uid_next = uid_next + 1, modseq = modseq + 1 WHERE inbox_id = {inbox} AND label = ? AND {scope mailboxes}
		AND EXISTS (SELECT 1 FROM inboxes i WHERE i.id = {inbox} AND i.address IS NOT NULL AND {scope i}) RETURNING id, uid_next - 1, modseq`)
	nextModSeq    = tables.Compile(`UPDATE mailboxes SET modseq = modseq + 1 WHERE id = ? AND {scope mailboxes} RETURNING modseq`)
	mailboxCounts = tables.Compile(`SELECT count(*), coalesce(sum(m.size), 0) FROM messages m WHERE m.mailbox_id = ? AND {scope m}`)
	countUnseen   = tables.Compile(`SELECT count(*) FROM message_labels l CROSS JOIN messages m ON m.id = l.message_id AND {scope m}
		WHERE l.label = 'unread' AND m.mailbox_id = ? AND {scope l}`)
	insertExpunge = tables.Compile(`INSERT INTO expunges (pod_id, inbox_id, mailbox_id, modseq, uid) VALUES ({pod}, {inbox}, ?1, ?2, ?3)`)
	listExpunges  = tables.Compile(`SELECT e.uid FROM expunges e WHERE e.mailbox_id = ?1 AND e.modseq > ?2 AND {scope e} ORDER BY e.uid`)
	deleteExpunge = tables.Compile(`DELETE FROM expunges WHERE mailbox_id = ? AND {scope expunges}`)
)

// standardMailboxes makes all mailboxes that an inbox starts with in one statement.
var standardMailboxes = func() *sqlite.Statement {
	sql, sep := `INSERT INTO mailboxes (pod_id, inbox_id, name, role, label, uid_validity, subscribed) VALUES `, ""
	for _, b := range mail.StandardMailboxes() {
		sql += sep + `({pod}, {inbox}, '` + b.Name + `', '` + string(b.Role) + `', '` + b.Label + `', ?1, 1)`
		sep = ", "
	}
	return tables.Compile(sql)
}()

func scanMailbox(r *sqlite.Row) (b mail.Mailbox, err error) {
	var role string
	err = r.Scan(&b.ID, &b.Inbox, &b.Name, &role, &b.Label, &b.UIDValidity, &b.UIDNext, &b.ModSeq, &b.Subscribed)
	b.Role = mail.Role(role)
	return b, err
}

// ListMailboxes lists the mailboxes of the handle's inbox, the standard ones first.
func (tx Tx) ListMailboxes() ([]mail.Mailbox, error) { return all(tx, listMailboxes, scanMailbox) }

// FindMailbox finds a mailbox by its key.
func (tx Tx) FindMailbox(id int64) (mail.Mailbox, error) {
	return get(tx, findMailbox, scanMailbox, id)
}

// FindMailboxByLabel finds the mailbox of the handle's inbox that a label stands for.
func (tx Tx) FindMailboxByLabel(label string) (mail.Mailbox, error) {
	return get(tx, findRoleBox, scanMailbox, label)
}

// InsertStandardMailboxes makes the mailboxes that the handle's inbox starts with.
func (tx Tx) InsertStandardMailboxes(uidValidity uint32) error {
	_, err := tx.tx.Exec(standardMailboxes, uidValidity)
	return err
}

// InsertMailbox stores b in the handle's inbox. ErrTaken if its label is: names differ by more than case.
func (tx Tx) InsertMailbox(b mail.Mailbox) (mail.Mailbox, error) {
	id, err := tx.tx.Insert(insertMailbox, b.Name, string(b.Role), b.Label, b.UIDValidity, b.Subscribed)
	b.ID, b.UIDNext, b.ModSeq = id, 1, 1
	return b, translate(err)
}

// RenameMailbox gives a mailbox another name and label. ErrTaken if the label is.
func (tx Tx) RenameMailbox(id int64, name, label string) error {
	_, err := tx.tx.Exec(renameMailbox, id, name, label)
	return translate(err)
}

// SetSubscribed notes whether a client wants to see the mailbox.
func (tx Tx) SetSubscribed(id int64, subscribed bool) error {
	_, err := tx.tx.Exec(setSubscribed, id, subscribed)
	return err
}

// DeleteMailbox removes an empty mailbox and its expunge log. ErrGone while it holds messages.
func (tx Tx) DeleteMailbox(id int64) error {
	if _, err := tx.tx.Exec(deleteExpunge, id); err != nil {
		return err
	}
	_, err := tx.tx.Exec(deleteMailbox, id)
	return translate(err)
}

// NextUID gives out the mailbox's next UID with a new modseq.
func (tx Tx) NextUID(mailbox int64) (uid uint32, modseq int64, err error) {
	err = tx.one(nextUID, []any{mailbox}, &uid, &modseq)
	return uid, modseq, err
}

// NextUIDByLabel is NextUID for the mailbox of the handle's inbox that a label stands for. ErrNotFound if there is none or
// the inbox is deleted.
func (tx Tx) NextUIDByLabel(label string) (mailbox int64, uid uint32, modseq int64, err error) {
	err = tx.one(nextUIDByLabel, []any{label}, &mailbox, &uid, &modseq)
	return mailbox, uid, modseq, err
}

// NextModSeq gives out the mailbox's next modseq.
func (tx Tx) NextModSeq(mailbox int64) (modseq int64, err error) {
	err = tx.one(nextModSeq, []any{mailbox}, &modseq)
	return modseq, err
}

// CountMailbox fills in a mailbox's counts.
func (tx Tx) CountMailbox(b *mail.Mailbox) error {
	if err := tx.one(mailboxCounts, []any{b.ID}, &b.Messages, &b.Size); err != nil {
		return err
	}
	return tx.one(countUnseen, []any{b.ID}, &b.Unseen)
}

// InsertExpunge notes that a UID left a mailbox.
func (tx Tx) InsertExpunge(mailbox, modseq int64, uid uint32) error {
	_, err := tx.tx.Exec(insertExpunge, mailbox, modseq, uid)
	return err
}

// ListExpunges lists the UIDs that left a mailbox after a modseq, ascending.
func (tx Tx) ListExpunges(mailbox, since int64) ([]uint32, error) {
	return all(tx, listExpunges, scanUID, mailbox, since)
}

func scanUID(r *sqlite.Row) (uid uint32, err error) {
	err = r.Scan(&uid)
	return uid, err
}
