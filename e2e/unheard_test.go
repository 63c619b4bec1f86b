package e2e

import (
	"fmt"
	"net/smtp"
	"os"
	"syscall"
	"testing"
)

// TestAnAnswerThatNobodyHeardOutlivesARestart: the server ends between its commit and the moment in which its peer would
// read the 250, in every way. The peer brings the message again, and it is there once.
func TestAnAnswerThatNobodyHeardOutlivesARestart(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	var inbox Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	for name, c := range map[string]struct {
		signal os.Signal
		gone   bool // the peer, before the server ends
	}{"killed": {syscall.SIGKILL, false}, "killed after the line broke": {syscall.SIGKILL, true}, "stopped": {syscall.SIGTERM, false}, "stopped after the line broke": {syscall.SIGTERM, true}} {
		message := fmt.Sprintf("From: joe@example.org\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%d@example.org>\r\n\r\nhello\r\n", inbox.InboxID, name, len(name))
		peer := deaf(t, podmail.SMTP, inbox.InboxID, message)
		podmail.arrive(t, inbox.InboxID, []string{name})
		if c.gone {
			peer.Close()
		}
		if err := podmail.end(c.signal); c.signal == syscall.SIGTERM && err != nil {
			t.Fatal(err)
		}
		peer.Close()
		podmail.serve()
		if err := smtp.SendMail(podmail.SMTP, nil, "joe@example.org", []string{inbox.InboxID}, []byte(message)); err != nil {
			t.Fatal(name, err)
		}
		podmail.arrive(t, inbox.InboxID, []string{name})
	}
}

// deaf is a peer that brings a message and does not listen to what becomes of it.
func deaf(t *testing.T, address, to, message string) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Hello("mail.example.org"); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"MAIL FROM:<joe@example.org>", "RCPT TO:<" + to + ">", "DATA"} {
		id, err := c.Text.Cmd("%s", command)
		if err != nil {
			t.Fatal(err)
		}
		c.Text.StartResponse(id)
		code, text, err := c.Text.ReadResponse(0)
		c.Text.EndResponse(id)
		if err != nil || code >= 400 {
			t.Fatal(command, code, text, err)
		}
	}
	if err := c.Text.PrintfLine("%s.", message); err != nil {
		t.Fatal(err)
	}
	return c
}
