package imap

// Subscribe implements imapserver.Session (RFC 9051 6.3.7).
func (a *adapter) Subscribe(name string) error {
	return a.failed("SUBSCRIBE", a.session.Subscribe(name, true))
}

// Unsubscribe implements imapserver.Session (RFC 9051 6.3.8).
func (a *adapter) Unsubscribe(name string) error {
	return a.failed("UNSUBSCRIBE", a.session.Subscribe(name, false))
}
