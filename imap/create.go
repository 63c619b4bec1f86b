package imap

import (
	goimap "github.com/emersion/go-imap/v2"
)

// Create implements imapserver.Session (RFC 9051 6.3.4).
func (a *adapter) Create(name string, _ *goimap.CreateOptions) error {
	return a.failed("CREATE", a.session.Create(name))
}
