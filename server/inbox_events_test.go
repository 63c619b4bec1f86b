package server_test

import (
	"context"
	"fmt"
	"testing"

	"podmail/mail"
	"podmail/server/servertest"
)

// TestInboxEvents: changes of labels are listed by page, newest first, without those that a key may not know of.
func TestInboxEvents(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	alice, bob := w.Inbox(t, pod, "alice"), w.Inbox(t, pod, "bob")
	change := func(g mail.Grant, n int, add, remove []string) {
		t.Helper()
		if _, err := w.Server.UpdateMessage(ctx, g, fmt.Sprintf("<%d@example.org>", n), add, remove); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 4 {
		for _, to := range []string{"alice", "bob"} {
			w.Deliver(t, to+"@podmail.test", fmt.Sprintf("From: eve@elsewhere.test\nTo: %s@podmail.test\nMessage-ID: <%d@example.org>\n\nHello\n", to, n))
		}
	}
	change(alice, 0, []string{"a"}, nil)
	change(bob, 0, []string{"foreign"}, nil)
	change(alice, 1, []string{"trash"}, []string{"unread"})
	change(alice, 2, []string{"spam", "b"}, nil)
	change(alice, 2, nil, []string{"spam"})
	change(alice, 3, []string{"c"}, nil)
	if err := w.Server.DeleteMessage(ctx, alice, "<3@example.org>"); err != nil {
		t.Fatal(err)
	}
	change(alice, 0, nil, []string{"a"})

	all := func(g mail.Grant, p mail.Page) (lines []string) {
		t.Helper()
		ids := map[string]bool{}
		for {
			events, next, err := w.Server.ListInboxEvents(ctx, g, p)
			if err != nil || len(events) > p.Limit {
				t.Fatal(len(events), err)
			}
			for _, e := range events {
				lines = append(lines, fmt.Sprint(e.Type, " ", e.MessageID[1:2], " ", e.Label))
				if e.EventID == "" || ids[e.EventID] {
					t.Errorf("id %q", e.EventID)
				}
				ids[e.EventID] = true
			}
			if p.Token = next; next == "" {
				return lines
			}
		}
	}
	newest := []string{"label.removed 0 a", "label.added 3 c", "label.removed 2 spam", "label.added 2 b", "label.added 2 spam",
		"label.removed 1 unread", "label.added 1 trash", "label.added 0 a"}
	check(t, "newest first", all(alice, mail.Page{Limit: 3}), newest...)
	check(t, "one page", all(alice, mail.Page{Limit: 8}), newest...)
	oldest := []string{}
	for _, line := range newest {
		oldest = append([]string{line}, oldest...)
	}
	check(t, "oldest first", all(alice, mail.Page{Limit: 3, Ascending: true}), oldest...)
	restricted := alice
	restricted.Permissions = mail.Permissions{mail.MessageRead: true, mail.LabelTrashRead: true}
	check(t, "without spam", all(restricted, mail.Page{Limit: 3}), "label.removed 0 a", "label.added 2 b", "label.removed 1 unread", "label.added 1 trash", "label.added 0 a")
	restricted.Permissions = mail.Permissions{mail.MessageRead: true, mail.LabelSpamRead: true}
	check(t, "without trash", all(restricted, mail.Page{Limit: 3}), "label.removed 0 a", "label.removed 2 spam", "label.added 2 b", "label.added 2 spam", "label.added 0 a")
	restricted.Permissions = mail.Permissions{mail.MessageSend: true}
	if _, _, err := w.Server.ListInboxEvents(ctx, restricted, mail.Page{Limit: 3}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("without message_read:", err)
	}
	if _, _, err := w.Server.ListInboxEvents(ctx, alice, mail.Page{Limit: 3, Token: "x"}); mail.CodeOf(err) != mail.CodeInvalid {
		t.Error("a bad token:", err)
	}
}
