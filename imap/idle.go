package imap

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/emersion/go-imap/v2/imapserver"

	"podmail/imap/session"
	"podmail/imap/wire"
)

// startIdle answers IDLE (RFC 9051 6.3.13) and ends the library's turn: an idle connection is left with two small
// stacks and no buffer.
func (c *connection) startIdle(cmd wire.Command) error {
	if len(cmd.Args) > 0 {
		return c.finish(cmd, wire.ErrSyntax)
	}
	if err := c.conn.Gather([]byte("+ idling\r\n")); err != nil {
		return err
	}
	c.idling = cmd.Tag
	c.enabled = c.adapter.lib.EnabledCaps()
	c.adapter = nil // it holds the library's connection
	return wire.ErrSuspended
}

// idle waits for DONE, while the session tells what happens, and starts the library's next turn.
func (c *connection) idle() {
	defer c.contain()
	stop := make(chan struct{})
	told := make(chan error, 1)
	go func() { told <- c.watch(stop) }()
	line, err := c.conn.ReadLine()
	close(stop)
	watchErr := <-told
	tag := c.idling
	c.idling = ""
	if err != nil {
		c.log.Debug("imap: idling ended", "error", err)
		c.cancel()
		c.session.Close()
		_ = c.conn.Close()
		c.end()
		return
	}
	answer := tag + " OK IDLE completed"
	if !strings.EqualFold(line, "DONE") {
		answer = tag + " BAD [CLIENTBUG] Syntax error: expected DONE"
	} else if watchErr != nil {
		st := c.status("IDLE", watchErr)
		answer = fmt.Sprintf("%s %s [%s] %s", tag, st.Type, st.Code, st.Text)
	}
	_ = c.conn.Gather([]byte(answer + "\r\n"))
	c.conn.NextTurn(c.replay()...)
	c.serve()
}

// watch is the session's part of idling. A fault of it ends the connection.
func (c *connection) watch(stop <-chan struct{}) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("imap: panic while idling", "panic", v, "stack", string(debug.Stack()))
			c.conn.Bye("Something went wrong here")
		}
	}()
	err = c.session.Idle(stop)
	if errors.Is(err, session.ErrGone) {
		c.conn.Bye("The mailbox has been deleted")
	}
	return err
}

// replay is what the library has to hear to be where it was.
func (c *connection) replay() (commands []string) {
	if len(c.enabled) > 0 {
		enable := wire.ReplayTag + " ENABLE"
		for name := range c.enabled {
			enable += " " + string(name)
		}
		commands = append(commands, enable+"\r\n")
	}
	if c.session.Selected() {
		commands = append(commands, wire.ReplayTag+" SELECT INBOX\r\n") // whichever it is: see Select
	}
	return commands
}

// Idle implements imapserver.Session. The command never reaches the library.
func (a *adapter) Idle(*imapserver.UpdateWriter, <-chan struct{}) error { return errOwn }
