package imap

import (
	goimap "github.com/emersion/go-imap/v2"
)

// Namespace implements imapserver.SessionNamespace (RFC 9051 6.3.10): an inbox has one, its own.
func (a *adapter) Namespace() (*goimap.NamespaceData, error) {
	return &goimap.NamespaceData{Personal: []goimap.NamespaceDescriptor{{Prefix: "", Delim: delimiter}}}, nil
}
