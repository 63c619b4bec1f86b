package imap

import (
	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/mail"
)

// Move implements imapserver.SessionMove (RFC 9051 6.4.8).
func (a *adapter) Move(w *imapserver.MoveWriter, numSet goimap.NumSet, dest string) error {
	set, byUID := a.set(numSet)
	err := a.session.Move(set, byUID, dest, func(copied mail.Copied) error {
		if data := copyData(copied); data != nil {
			return w.WriteCopyData(data)
		}
		return nil
	})
	return tryCreate(a.failed("MOVE", err))
}
