package imap

import (
	goimap "github.com/emersion/go-imap/v2"

	"podmail/imap/wire"
)

// search answers SEARCH and UID SEARCH (RFC 9051 6.4.4, 6.4.9).
func (a *adapter) search(cmd wire.Command, byUID bool) error {
	return a.session.Search(cmd.Args, cmd.Tag, byUID, a.enabledCaps().Has(goimap.CapIMAP4rev2))
}
