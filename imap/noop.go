package imap

import (
	"errors"

	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
)

// Poll implements imapserver.Session: NOOP, CHECK, and what every command tells before it is done.
func (a *adapter) Poll(_ *imapserver.UpdateWriter, allowExpunge bool) error {
	if a.replaying {
		return nil // no command of the client's is in progress
	}
	return a.poll(allowExpunge)
}

func (a *adapter) poll(allowExpunge bool) error {
	err := a.session.Poll(allowExpunge)
	if errors.Is(err, session.ErrGone) {
		// RFC 2180 3.3: the session of a mailbox that is gone may be ended.
		a.conn.ByeAfter("The mailbox has been deleted")
		return nil
	}
	return err
}
