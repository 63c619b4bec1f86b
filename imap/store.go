package imap

import (
	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
)

// Store implements imapserver.Session (RFC 9051 6.4.6).
func (a *adapter) Store(_ *imapserver.FetchWriter, numSet goimap.NumSet, change *goimap.StoreFlags, _ *goimap.StoreOptions) error {
	op := session.StoreReplace
	switch change.Op {
	case goimap.StoreFlagsAdd:
		op = session.StoreAdd
	case goimap.StoreFlagsDel:
		op = session.StoreRemove
	}
	flags := make([]string, len(change.Flags))
	for i, f := range change.Flags {
		flags[i] = string(f)
	}
	set, byUID := a.set(numSet)
	return a.failed("STORE", a.session.Store(set, byUID, op, flags, change.Silent))
}
