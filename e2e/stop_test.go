package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// TestStopsInOrder: SIGTERM ends idle sessions and a message that does not come to its end, and loses nothing that was
// acknowledged. After the next start everything is there.
func TestStopsInOrder(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var inbox Inbox
	admin.call("inboxes.create", &inbox, arg{"username": "alice"})
	podmail.swaks(podmail.SMTP, "--from", "a@example.org", "--to", inbox.InboxID, "--h-Subject", "First")
	before := podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX")

	arrived := make(chan struct{}, 1)
	imap := podmail.goIMAP(inbox.InboxID, podmail.Key, &imapclient.Options{
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(*imapclient.UnilateralDataMailbox) { arrived <- struct{}{} }}})
	idle, err := imap.Idle()
	if err != nil {
		t.Fatal(err)
	}
	podmail.swaks(podmail.SMTP, "--from", "a@example.org", "--to", inbox.InboxID, "--h-Subject", "Second")
	select {
	case <-arrived:
	case <-time.After(time.Minute):
		t.Fatal("IDLE tells nothing of a new message")
	}
	data := podmail.halfAMessage(inbox.InboxID)

	podmail.stop()
	if err := idle.Wait(); err == nil {
		t.Error("the idle session did not end")
	}
	if rest, err := data.ReadString(0); strings.Contains(rest, "250 ") {
		t.Errorf("half a message was accepted: %q, %v", rest, err)
	}

	podmail.serve()
	if podmail.output.String() != "" {
		t.Errorf("the second start prints %q", podmail.output)
	}
	after := podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX")
	if len(after) != 2 || after[0].String() != before[0].String() || !strings.Contains(string(after[1].Raw), "Subject: Second") {
		t.Errorf("before:\n%v\nafter:\n%v", before, after)
	}
	if thread := podmail.sdk(podmail.Key); len(after) == 2 {
		var list struct{ Threads []Thread }
		thread.call("inboxes.threads.list", &list, inbox.InboxID)
		if len(list.Threads) != 2 || list.Threads[0].Subject != "Second" {
			t.Errorf("threads after the restart: %+v", list.Threads)
		}
	}
}

// halfAMessage opens a session that stays in the middle of a message.
func (p *Podmail) halfAMessage(recipient string) *bufio.Reader {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.SMTP)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = conn.Close() })
	replies := bufio.NewReader(conn)
	for _, step := range []struct{ send, want string }{{"", "220"}, {"HELO here\r\n", "250"}, {"MAIL FROM:<a@example.org>\r\n", "250"},
		{"RCPT TO:<" + recipient + ">\r\n", "250"}, {"DATA\r\n", "354"}} {
		fmt.Fprint(conn, step.send)
		if line, err := replies.ReadString('\n'); err != nil || !strings.HasPrefix(line, step.want) {
			p.t.Fatalf("%s: %q, %v", step.send, line, err)
		}
	}
	fmt.Fprint(conn, "Subject: Half\r\n\r\nThis message has no en")
	return replies
}

// TestSecondSignalStopsAtOnce: who asks twice does not wait for sessions.
func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	var inbox Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	podmail.halfAMessage(inbox.InboxID) // stopping waits for it
	if err := podmail.process.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	podmail.awaitLog("the server to stop", "msg=\"stopping")
	err := podmail.end(syscall.SIGINT)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Errorf("after the second SIGINT: %v\n%s", err, podmail.log)
	}
	podmail.serve()
	podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX")
}

// TestSurvivesBeingKilled: what was acknowledged is there after a kill -9, and nothing is in the way of the next start.
func TestSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	var inbox Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	podmail.swaks(podmail.SMTP, "--from", "a@example.org", "--to", inbox.InboxID, "--h-Subject", "Acknowledged")
	if err := podmail.end(syscall.SIGKILL); err == nil {
		t.Fatal("the process did not die of SIGKILL")
	}
	podmail.serve()
	if after := podmail.imaplib(inbox.InboxID, podmail.Key, "INBOX"); len(after) != 1 || !strings.Contains(string(after[0].Raw), "Subject: Acknowledged") {
		t.Errorf("after kill -9: %v", after)
	}
}
