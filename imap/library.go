package imap

import (
	"errors"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// errOwn is returned by the methods of commands that never reach the library.
var errOwn = errors.New("imap: this command is answered by the door itself")

// Fetch implements imapserver.Session; see fetch.go.
func (a *adapter) Fetch(*imapserver.FetchWriter, goimap.NumSet, *goimap.FetchOptions) error {
	return errOwn
}

// Search implements imapserver.Session; see search.go.
func (a *adapter) Search(imapserver.NumKind, *goimap.SearchCriteria, *goimap.SearchOptions) (*goimap.SearchData, error) {
	return nil, errOwn
}

var (
	_ imapserver.SessionIMAP4rev2   = (*adapter)(nil)
	_ imapserver.SessionAppendLimit = (*adapter)(nil)
)
