package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMailProgramsSend: smtplib logs in and sends, to an inbox here and to the world.
func TestMailProgramsSend(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var alice, bob Inbox
	admin.call("inboxes.create", &alice, arg{"username": "alice", "displayName": "Alice"})
	admin.call("inboxes.create", &bob, arg{"username": "bob"})
	key := podmail.podmail("key", "create", "--inbox", alice.InboxID)

	message := "From: Alice <" + alice.InboxID + ">\r\nTo: " + bob.InboxID + ", someone@example.com\r\nBcc: secret@example.com\r\n" +
		"Subject: Minutes\r\nMessage-ID: <minutes@example.com>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nAs discussed.\r\n"
	if err := podmail.smtplib(alice.InboxID, key, message, alice.InboxID, bob.InboxID, "someone@example.com", "secret@example.com"); err != nil {
		t.Fatal(err)
	}

	// The recipient who lives here has it, without the Bcc.
	received := admin.onlyThread(bob.InboxID, 1).Messages[0]
	raw := string(admin.raw(bob.InboxID, received.MessageID))
	if received.MessageID != "<minutes@example.com>" || !strings.HasSuffix(raw, "\r\n\r\nAs discussed.\r\n") || strings.Contains(raw, "secret@") {
		t.Errorf("bob got %q:\n%s", received.MessageID, raw)
	}

	// The sender has a sent copy, which is also in the API.
	sent := admin.onlyThread(alice.InboxID, 1).Messages[0]
	if copies := podmail.imaplib(alice.InboxID, key, "Sent"); len(copies) != 1 || !slices.Contains(sent.Labels, "sent") {
		t.Errorf("sent copies: %v, labels %q", copies, sent.Labels)
	}

	// The recipients in the world wait in the queue, where the operator sees them; bob's delivery is done.
	eventually(t, "the queue to hold the two remote recipients", func() error {
		rows := strings.Split(podmail.podmail("queue", "list"), "\n")
		if len(rows) != 3 || !strings.Contains(rows[1]+rows[2], " someone@example.com ") || !strings.Contains(rows[1]+rows[2], " secret@example.com ") {
			return fmt.Errorf("queue list:\n%s", strings.Join(rows, "\n"))
		}
		return nil
	})

	// Mail sent through the API waits there too.
	admin.call("inboxes.messages.send", nil, bob.InboxID, arg{"to": "world@example.org", "subject": "Hi", "text": "Hi."})
	if queue := podmail.podmail("queue", "list"); !strings.Contains(queue, " world@example.org ") {
		t.Errorf("queue list:\n%s", queue)
	}
}

// TestMailProgramsAreHeldToTheirInbox: who logs in as one inbox cannot send as another, and who does not log in
// cannot send to the world.
func TestMailProgramsAreHeldToTheirInbox(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var alice, bob Inbox
	admin.call("inboxes.create", &alice, arg{"username": "alice"})
	admin.call("inboxes.create", &bob, arg{"username": "bob"})
	key := podmail.podmail("key", "create", "--inbox", alice.InboxID)

	for _, c := range []struct{ what, user, password, sender, from, reply string }{
		{"another envelope sender", alice.InboxID, key, bob.InboxID, alice.InboxID, "550 5.7.1"},
		{"another From", alice.InboxID, key, alice.InboxID, bob.InboxID, "550 5.7.1"},
		{"another inbox's name", bob.InboxID, key, bob.InboxID, bob.InboxID, "535 5.7.8"},
		{"a wrong password", alice.InboxID, "am_wrong", alice.InboxID, alice.InboxID, "535 5.7.8"},
	} {
		err := podmail.smtplib(c.user, c.password, "From: "+c.from+"\r\nSubject: x\r\n\r\nx\r\n", c.sender, bob.InboxID)
		if err == nil || !strings.Contains(err.Error(), c.reply) {
			t.Errorf("%s: %v, want %s", c.what, err, c.reply)
		}
	}
	for _, c := range []struct{ recipient, reply string }{
		{"someone@example.com", "550 5."}, // no open relay
		{"nobody@podmail.localhost", "550 5.1.1"},
	} {
		out, err := swaksCommand(podmail.SMTP, "--from", "a@example.org", "--to", c.recipient).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "** "+c.reply) {
			t.Errorf("mail from outside to %s: %v, want %s\n%s", c.recipient, err, c.reply, out)
		}
	}
	if queue := podmail.podmail("queue", "list"); strings.Contains(queue, "\n") {
		t.Errorf("something of that is queued:\n%s", queue)
	}
}
