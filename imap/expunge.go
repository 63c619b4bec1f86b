package imap

import (
	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
	"podmail/mail"

	"errors"
)

// Expunge implements imapserver.Session, for EXPUNGE, UID EXPUNGE and CLOSE (RFC 9051 6.4.3, 6.4.9, 6.4.1).
func (a *adapter) Expunge(w *imapserver.ExpungeWriter, uids *goimap.UIDSet) error {
	// CLOSE comes with an empty writer: it is silent, leaves a mailbox alone that may not be changed, and closes it
	// all the same.
	closing := *w == (imapserver.ExpungeWriter{})
	err := a.session.Expunge(a.uidSet(uids), closing)
	if closing && (errors.Is(err, session.ErrReadOnly) || mail.CodeOf(err) == mail.CodeForbidden) {
		return nil
	}
	return a.failed("EXPUNGE", err)
}
