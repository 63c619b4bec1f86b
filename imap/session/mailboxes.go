package session

import (
	"slices"

	"podmail/imap/tracker"
	"podmail/mail"
	"podmail/server"
)

// Mailboxes lists the inbox's mailboxes.
func (s *Session) Mailboxes() ([]mail.Mailbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.ListMailboxes(s.ctx, s.grant)
}

// Create makes a mailbox. A trailing separator only says that there will be others below (RFC 9051 6.3.4).
func (s *Session) Create(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.Server.CreateMailbox(s.ctx, s.grant, trimSeparator(name))
	return err
}

func trimSeparator(name string) string {
	if n := len(name); n > 1 && name[n-1] == '/' {
		return name[:n-1]
	}
	return name
}

// Delete removes a mailbox.
func (s *Session) Delete(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.DeleteMailbox(s.ctx, s.grant, trimSeparator(name))
}

// Rename renames a mailbox.
func (s *Session) Rename(name, newName string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.RenameMailbox(s.ctx, s.grant, trimSeparator(name), trimSeparator(newName))
}

// Subscribe puts a mailbox on the list of subscribed ones, or takes it off.
func (s *Session) Subscribe(name string, subscribed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.SubscribeMailbox(s.ctx, s.grant, trimSeparator(name), subscribed)
}

// Status returns a mailbox with its counts.
func (s *Session) Status(name string) (mail.Mailbox, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.MailboxStatus(s.ctx, s.grant, name)
}

// Deleted counts the messages of a mailbox that wait for EXPUNGE (STATUS DELETED, RFC 9051 6.3.11).
func (s *Session) Deleted(mb mail.Mailbox) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	uids, err := s.deleted(mb.ID, []mail.UIDRange{{First: 1, Last: tracker.Star}})
	return uint32(len(uids)), err
}

func (s *Session) deleted(mailbox int64, ranges []mail.UIDRange) (uids []uint32, err error) {
	err = s.Server.FetchMessages(s.ctx, s.grant, mailbox, ranges, server.FetchWant{}, func(m *server.FetchedMessage) error {
		if slices.Contains(m.Labels, mail.LabelDeleted) {
			uids = append(uids, m.UID)
		}
		return nil
	})
	return uids, err
}

// Append files a message.
func (s *Session) Append(a server.Append) (uidValidity, uid uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Server.AppendMessage(s.ctx, s.grant, a)
}

// Copy copies messages to another mailbox.
func (s *Session) Copy(set tracker.Set, byUID bool, dest string) (mail.Copied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sel == nil {
		return mail.Copied{}, ErrNotSelected
	}
	ranges, err := s.sel.ranges(set, byUID)
	if err != nil {
		return mail.Copied{}, err
	}
	if len(ranges) == 0 { // still an error if there is no such mailbox
		_, err := s.Server.MailboxStatus(s.ctx, s.grant, dest)
		return mail.Copied{}, err
	}
	return s.Server.CopyMessages(s.ctx, s.grant, s.sel.mailbox.ID, ranges, dest)
}

// Move moves messages to another mailbox. told is called before the client hears that they are gone from this one
// (RFC 6851 4.3).
func (s *Session) Move(set tracker.Set, byUID bool, dest string, told func(mail.Copied) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.writable()
	if err != nil {
		return err
	}
	ranges, err := sel.ranges(set, byUID)
	if err != nil {
		return err
	}
	if len(ranges) == 0 {
		_, err := s.Server.MailboxStatus(s.ctx, s.grant, dest)
		return err
	}
	copied, err := s.Server.MoveMessages(s.ctx, s.grant, sel.mailbox.ID, ranges, dest)
	if err != nil {
		return err
	}
	if err := told(copied); err != nil {
		return err
	}
	return s.poll(true)
}

// Expunge removes messages for good: those marked as deleted, with a set only those of it. CLOSE is silent about it.
func (s *Session) Expunge(uids *tracker.Set, silent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.writable()
	if err != nil {
		return err
	}
	set := tracker.Set{{From: 1, To: tracker.Star}}
	if uids != nil {
		set = *uids
	}
	// Not what came after the client last looked: it cannot know of it. And what is to go is found by reading, lest
	// every CLOSE should walk through the whole mailbox with the pen in hand.
	gone, err := s.deleted(sel.mailbox.ID, sel.view.Ranges(set))
	if err != nil {
		return err
	}
	ranges := append([]mail.UIDRange{}, tracker.Ranges(gone)...) // never nil, which would be all
	if _, err := s.Server.ExpungeMessages(s.ctx, s.grant, sel.mailbox.ID, ranges); err != nil || silent {
		return err
	}
	return s.poll(true)
}

// SavedSet is the result that SEARCH RETURN (SAVE) kept, as a set of UIDs.
func (s *Session) SavedSet() tracker.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sel == nil {
		return nil
	}
	return tracker.SetOf(s.sel.saved)
}
