package imap

import (
	"errors"

	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
)

// Idle implements imapserver.Session (RFC 9051 6.3.13). The library runs it in a goroutine of its own, which the
// session's lock makes every later command, and Close, wait for.
func (a *adapter) Idle(_ *imapserver.UpdateWriter, stop <-chan struct{}) error {
	err := a.session.Idle(stop)
	if errors.Is(err, session.ErrGone) {
		a.conn.Bye("The mailbox has been deleted")
	}
	return a.failed("IDLE", err)
}
