package imap

import (
	goimap "github.com/emersion/go-imap/v2"
)

// Rename implements imapserver.Session (RFC 9051 6.3.6).
func (a *adapter) Rename(name, newName string, _ *goimap.RenameOptions) error {
	return a.failed("RENAME", a.session.Rename(name, newName))
}
