package server

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"podmail/mail"
	"podmail/storage"
)

// This file is the mailboxes of an inbox as IMAP sees them. Grants are narrowed to one inbox by Login.

// ListMailboxes lists the inbox's mailboxes, the standard ones first.
func (s *Server) ListMailboxes(ctx context.Context, g mail.Grant) (boxes []mail.Mailbox, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		boxes, err = tx.ListMailboxes()
		return err
	})
	return boxes, coded(err, "Inbox")
}

// findMailbox finds a mailbox by its name. INBOX is case-insensitive (RFC 9051 5.1).
func (s *Server) findMailbox(ctx context.Context, g mail.Grant, name string) (box mail.Mailbox, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return box, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		box, err = mailboxNamed(tx, name)
		return err
	})
	return box, coded(err, "Mailbox")
}

func mailboxNamed(tx storage.Tx, name string) (mail.Mailbox, error) {
	if err := tx.CheckOwnInbox(); err != nil {
		return mail.Mailbox{}, err
	}
	boxes, err := tx.ListMailboxes()
	if err != nil {
		return mail.Mailbox{}, err
	}
	for _, b := range boxes {
		if b.Name == name || (b.Role == mail.RoleInbox && strings.EqualFold(name, b.Name)) {
			return b, nil
		}
	}
	return mail.Mailbox{}, storage.ErrNotFound
}

// MailboxStatus returns the mailbox with its counts.
func (s *Server) MailboxStatus(ctx context.Context, g mail.Grant, name string) (box mail.Mailbox, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return box, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if box, err = mailboxNamed(tx, name); err != nil {
			return err
		}
		return tx.CountMailbox(&box)
	})
	return box, coded(err, "Mailbox")
}

// maxMailboxName is the longest name, in bytes.
const maxMailboxName = 255

// CreateMailbox makes a mailbox of the user's. Those above it need not exist. CodeConflict if the name is taken; no
// two names may differ by case alone.
func (s *Server) CreateMailbox(ctx context.Context, g mail.Grant, name string) (box mail.Mailbox, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return box, err
	}
	if err := checkMailboxName(name); err != nil {
		return box, err
	}
	now := s.clock.Now()
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		tx := sys.For(g.Scope)
		if _, err := mailboxNamed(tx, name); !errors.Is(err, storage.ErrNotFound) {
			return errors.Join(err, storage.ErrTaken)
		}
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		validity, err := sys.NextUIDValidity(now)
		if err != nil {
			return err
		}
		box, err = tx.InsertMailbox(mail.Mailbox{Name: name, Label: mail.FolderLabel(name), UIDValidity: validity, Subscribed: true})
		return err
	})
	if err == nil {
		s.hub.Wake(g.Scope)
	}
	return box, coded(err, "Mailbox")
}

func checkMailboxName(name string) error {
	bad := !utf8.ValidString(name) || name == "" || len(name) > maxMailboxName || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") ||
		strings.Contains(name, "//") || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsAny(name, "%*")
	for _, standard := range mail.StandardMailboxes() {
		bad = bad || strings.EqualFold(standard.Name, name)
	}
	if bad {
		return mail.Invalid("mailbox", "%q cannot be the name of a mailbox", name)
	}
	return nil
}

// own refuses to change a mailbox that every inbox has.
func own(b mail.Mailbox) error {
	if b.Role != "" {
		return mail.Errorf(mail.CodeForbidden, "The mailbox %s belongs to every inbox.", b.Name)
	}
	return nil
}

// DeleteMailbox removes a mailbox of the user's and the messages in it; CodeForbidden for the standard ones.
func (s *Server) DeleteMailbox(ctx context.Context, g mail.Grant, name string) error {
	if err := g.Require(mail.MessageDelete); err != nil {
		return err
	}
	box, err := s.findMailbox(ctx, g, name)
	if err == nil {
		err = own(box)
	}
	for more := true; more && err == nil; {
		err = s.edit(ctx, g, func(tx storage.Tx, e *edit) error {
			messages, err := tx.ListToEdit(box.ID, everyUID, editBatch)
			if err != nil {
				return err
			}
			for i := range messages {
				if err := e.remove(&messages[i]); err != nil {
					return err
				}
			}
			if err := e.flush(); err != nil {
				return err
			}
			if more = len(messages) > 0; more {
				return nil
			}
			return tx.DeleteMailbox(box.ID)
		})
	}
	return coded(err, "Mailbox")
}

// RenameMailbox renames a mailbox of the user's and those below it. The standard ones: CodeForbidden.
func (s *Server) RenameMailbox(ctx context.Context, g mail.Grant, name, newName string) error {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return err
	}
	if err := checkMailboxName(newName); err != nil {
		return err
	}
	return s.edit(ctx, g, func(tx storage.Tx, e *edit) error {
		box, err := mailboxNamed(tx, name)
		if err != nil {
			return err
		}
		if err := own(box); err != nil {
			return err
		}
		boxes, err := e.mailboxes()
		if err != nil {
			return err
		}
		for _, b := range boxes {
			below, isBelow := strings.CutPrefix(b.Name, name+"/")
			switch {
			case b.ID == box.ID:
				err = e.rename(b, newName)
			case isBelow:
				err = e.rename(b, newName+"/"+below)
			}
			if err != nil {
				return err
			}
		}
		return e.flush()
	})
}

// rename gives a mailbox another name, and its messages the label that goes with it.
func (e *edit) rename(b mail.Mailbox, name string) error {
	label := mail.FolderLabel(name)
	if err := e.tx.RenameMailbox(b.ID, name, label); err != nil {
		return err
	}
	if label == b.Label {
		return nil
	}
	messages, err := e.tx.ListToEdit(b.ID, everyUID, maxRename)
	if err != nil {
		return err
	}
	if len(messages) == maxRename {
		return mail.Errorf(mail.CodeQuota, "The mailbox has too many messages to be renamed.").WithFix("Make a new mailbox and move the messages.")
	}
	for i := range messages {
		m := &messages[i]
		labels, added, removed := mail.ApplyLabels(m.Labels, []string{label}, []string{b.Label})
		if err := e.apply(m, labels, added, removed, b.ID); err != nil {
			return err
		}
	}
	return nil
}

// maxRename is how many messages a rename relabels in its one transaction.
const maxRename = 5000

// SubscribeMailbox notes whether clients should show a mailbox.
func (s *Server) SubscribeMailbox(ctx context.Context, g mail.Grant, name string, subscribed bool) error {
	if err := g.Require(mail.MessageRead); err != nil {
		return err
	}
	return s.edit(ctx, g, func(tx storage.Tx, _ *edit) error {
		box, err := mailboxNamed(tx, name)
		if err != nil {
			return err
		}
		return tx.SetSubscribed(box.ID, subscribed)
	})
}

// edit runs fn in a transaction of the grant's inbox and wakes who watches it.
func (s *Server) edit(ctx context.Context, g mail.Grant, fn func(storage.Tx, *edit) error) error {
	now := s.clock.Now()
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		return fn(tx, s.newEdit(tx, now))
	})
	if err == nil {
		s.hub.Wake(g.Scope)
	}
	return coded(err, "Mailbox")
}
