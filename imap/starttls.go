package imap

import (
	"podmail/imap/wire"
)

// startTLS answers STARTTLS (RFC 9051 6.2.1). The guard must see plain text, so TLS goes below it and the library
// starts anew above: with another session, as the RFC wants what was said before to be forgotten.
func (c *connection) startTLS(cmd wire.Command) error {
	if len(cmd.Args) > 0 {
		return c.finish(cmd, wire.ErrSyntax)
	}
	err := c.conn.StartTLS(cmd.Tag, c.server.options.TLSConfig)
	if err == wire.ErrUpgraded {
		c.upgraded = true
	} else if err != nil {
		c.log.Info("imap: STARTTLS failed", "error", err)
	}
	return err
}
