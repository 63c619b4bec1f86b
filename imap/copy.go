package imap

import (
	goimap "github.com/emersion/go-imap/v2"

	"podmail/mail"
)

// Copy implements imapserver.Session (RFC 9051 6.4.7).
func (a *adapter) Copy(numSet goimap.NumSet, dest string) (*goimap.CopyData, error) {
	set, byUID := a.set(numSet)
	copied, err := a.session.Copy(set, byUID, dest)
	if err != nil {
		return nil, tryCreate(a.failed("COPY", err))
	}
	return copyData(copied), nil
}

// copyData is COPYUID (RFC 4315 3), or nil if nothing was copied.
func copyData(c mail.Copied) *goimap.CopyData {
	if len(c.Source) == 0 {
		return nil
	}
	return &goimap.CopyData{UIDValidity: c.UIDValidity, SourceUIDs: uidSetOf(c.Source), DestUIDs: uidSetOf(c.Dest)}
}
