package imap

// Delete implements imapserver.Session (RFC 9051 6.3.5).
func (a *adapter) Delete(name string) error {
	return a.failed("DELETE", a.session.Delete(name))
}
