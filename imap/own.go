package imap

import (
	"errors"
	"strings"

	"podmail/imap/session"
	"podmail/imap/wire"
)

// owns names the commands that the door answers without the library: those that it does not know (ID), that end its
// turn (STARTTLS, IDLE), or that it loses something of (SEARCH forgets SMALLER before a date, and shows what SAVE alone must
// not; FETCH is answered as bytes, under the names that were asked for).
func (c *connection) owns(name string) bool {
	switch name {
	case "ID", "SEARCH", "UID SEARCH", "FETCH", "UID FETCH":
		return true
	case "IDLE":
		return c.loggedIn // else the library refuses it
	case "STARTTLS":
		return c.server.options.TLSConfig != nil && !c.conn.TLS()
	}
	return false
}

// answer implements wire.Options.Answer. An error ends the connection.
func (c *connection) answer(cmd wire.Command) error {
	name, byUID := strings.CutPrefix(cmd.Name, "UID ")
	var err error
	switch name {
	case "ID":
		err = c.id(cmd)
	case "STARTTLS":
		return c.startTLS(cmd)
	case "IDLE":
		return c.startIdle(cmd)
	case "SEARCH":
		err = c.adapter.search(cmd, byUID)
	case "FETCH":
		err = c.adapter.fetch(cmd, byUID)
	}
	return c.finish(cmd, err)
}

// finish tells what has happened meanwhile and writes the tagged response.
func (c *connection) finish(cmd wire.Command, err error) error {
	if errors.Is(err, session.ErrCut) {
		c.log.Warn("imap: response cut off", "command", cmd.Name, "error", err)
		return err
	}
	if err == nil {
		// RFC 9051 7.5.1: no EXPUNGE while answering FETCH and SEARCH; their UID forms are exempt.
		err = c.adapter.poll(cmd.Name != "FETCH" && cmd.Name != "SEARCH")
	}
	if err == nil {
		return c.conn.Gather([]byte(cmd.Tag + " OK " + cmd.Name + " completed\r\n"))
	}
	st := c.status(cmd.Name, err)
	line := cmd.Tag + " " + string(st.Type) + " "
	if st.Code != "" {
		line += "[" + string(st.Code) + "] "
	}
	return c.conn.Gather([]byte(line + st.Text + "\r\n"))
}
