package server_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// TestListsForWhatComesIn: what lists block is kept apart with its own event; an answer to a message of ours is judged by
// the reply lists alone.
func TestListsForWhatComesIn(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "lists")
	g := w.Inbox(t, pod, "alice")
	sent, err := w.Server.Send(ctx, g, server.SendRequest{To: []string{"bob@spam.example"}, Subject: "Question"})
	if err != nil {
		t.Fatal(err)
	}
	block := func(g mail.Grant, d mail.Direction, entry string) {
		t.Helper()
		if _, err := w.Server.CreateListEntry(ctx, g, server.List{Direction: d, Type: mail.ListBlock}, server.NewListEntry{Entry: entry}); err != nil {
			t.Fatal(err)
		}
	}
	block(pod, mail.DirectionReceive, "spam.example")
	deliver := func(from, more string) mail.Message {
		t.Helper()
		w.Deliver(t, "alice@podmail.test", "From: "+from+"\nTo: alice@podmail.test\n"+more+"Subject: s\n\nHello\n")
		all, _, err := w.Server.ListMessages(ctx, g, mail.MessageFilter{Include: mail.HiddenBlocked}, mail.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return all[0]
	}
	answer := "In-Reply-To: " + sent.MessageID + "\n"
	for _, c := range []struct {
		name, from, more string
		blocked          bool
	}{
		{"stranger", "eve@elsewhere.test", "", false},
		{"blocked domain", "Bob <BOB@mail.spam.example>", "", true},
		{"with a dot at its end", "bob@spam.example.", "", true},
		{"with another dot", "bob@spam。example", "", true},
		{"in wide letters", "bob@ｓpam.example", "", true},
		{"with a comment", "<bob@spam.(c)example>", "", true},
		{"with spaces", "<bob @ spam . example>", "", true},
		{"under no host name", "bob@a_b.spam.example", "", true},
		{"behind a comment", "bob@spam.example (<eve@elsewhere.test>)", "", true},
		{"blocked domain answers", "bob@spam.example", answer, false},
		{"answers what is none of ours", "bob@spam.example", "In-Reply-To: <other@example.org>\n", true},
	} {
		m := deliver(c.from, c.more)
		if blocked := mail.HiddenOf(m.Labels) == mail.HiddenBlocked; blocked != c.blocked {
			t.Errorf("%s: %v", c.name, m.Labels)
		}
	}
	block(g, mail.DirectionReply, "bob@spam.example")
	if m := deliver("bob@spam.example", answer); mail.HiddenOf(m.Labels) != mail.HiddenBlocked {
		t.Error("a blocked answer:", m.Labels)
	}
	shown, _, err := w.Server.ListMessages(ctx, g, mail.MessageFilter{Labels: []string{mail.LabelReceived}}, mail.Page{Limit: 10})
	if err != nil || len(shown) != 2 {
		t.Error("shown:", len(shown), err)
	}
	inbox, err := w.Server.SelectMailbox(ctx, g, "INBOX")
	if err != nil || len(inbox.UIDs) != 2 {
		t.Error("INBOX:", inbox.UIDs, err)
	}
	spam, err := w.Server.SelectMailbox(ctx, g, "Spam")
	if err != nil || len(spam.UIDs) != 10 {
		t.Error("Spam:", spam.UIDs, err)
	}
}

// TestAnAddressIsTheSameHoweverItIsWritten: quotes that it does not need (RFC 5321 4.1.2) and the script of its domain make
// no other mailbox of it.
func TestAnAddressIsTheSameHoweverItIsWritten(t *testing.T) {
	ctx := t.Context()
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Personal: true, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no such user"})
	})
	list := server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}
	for _, entry := range []string{`"v4"@a.test`, "v5@BÜCHER.test", "gränd.test"} {
		if _, err := w.Server.CreateListEntry(ctx, w.alice, list, server.NewListEntry{Entry: entry}); err != nil {
			t.Fatal(entry, err)
		}
	}
	w.send(t, w.alice, `"gone"@c.test`)
	w.carry(t, "it bounced", func() bool { return len(w.waiting(t)) == 0 })
	for _, to := range []string{"v4@a.test", `"v4"@A.test`, "v5@bücher.test", `"V5"@xn--bcher-kva.test`, "x@xn--grnd-moa.test", "gone@c.test", `"gone"@c.test`} {
		if _, err := w.Server.Send(ctx, w.alice, server.SendRequest{To: []string{to}}); mail.CodeOf(err) != mail.CodeForbidden {
			t.Errorf("%s is written to: %v", to, err)
		}
	}
	for _, to := range []string{`"v4"@a.test`, `"v\4"@a.test`, `"\g\o\n\e"@c.test`} {
		raw := "From: alice@podmail.test\r\n\r\nHi.\r\n"
		_, err := w.Server.Submit(ctx, w.alice, server.Incoming{ReversePath: `"alice"@podmail.test`, Recipients: []string{to}, Body: strings.NewReader(raw)})
		if mail.CodeOf(err) != mail.CodeForbidden {
			t.Errorf("%s is written to by a mail program: %v", to, err)
		}
	}
	for _, entry := range []string{"v4@a.test", `"v4"@a.test`, "V5@bücher.test", "xn--grnd-moa.test"} {
		if _, err := w.Server.GetListEntry(ctx, w.alice, list, entry); err != nil {
			t.Error(entry, err)
		}
	}
	if err := w.Server.DeleteListEntry(ctx, w.alice, list, `"v4"@a.test`); err != nil {
		t.Error(err)
	}
	w.Deliver(t, `"Alice"@podmail.test`, "From: joe@else.test\nSubject: quoted\n\nHello\n")
	m := w.send(t, w.alice, "v6@b.test", `"v6"@B.test`, "v6@bücher.test", "v6@xn--bcher-kva.test")
	if ds, _, err := w.Server.DeliveriesOf(ctx, w.alice, m.MessageID); err != nil || len(ds) != 2 {
		t.Errorf("it goes to %v, %v", ds, err)
	}
}

// TestEntriesEnd: an entry with an end counts until then and not a moment longer, whenever it is swept; then it can be
// made anew.
func TestEntriesEnd(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "a")
	alice := w.Inbox(t, pod, "alice")
	sends := func() bool {
		t.Helper()
		_, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"zoe@example.org"}})
		if err != nil && mail.CodeOf(err) != mail.CodeForbidden {
			t.Fatal(err)
		}
		return err == nil
	}
	for _, l := range []server.List{{Direction: mail.DirectionSend, Type: mail.ListBlock}, {Direction: mail.DirectionSend, Type: mail.ListAllow}} {
		entry := map[mail.ListType]string{mail.ListBlock: "zoe@example.org", mail.ListAllow: "other.example"}[l.Type] // either keeps from writing to Zoe
		if _, err := w.Server.CreateListEntry(ctx, pod, l, server.NewListEntry{Entry: entry, ExpiresAt: w.Clock.Now()}); mail.CodeOf(err) != mail.CodeInvalid {
			t.Errorf("an end that is over: %v", err)
		}
		for range 2 {
			n := server.NewListEntry{Entry: entry, ExpiresAt: w.Clock.Now().Add(time.Hour)}
			if e, err := w.Server.CreateListEntry(ctx, pod, l, n); err != nil || !e.ExpiresAt.Equal(n.ExpiresAt) {
				t.Errorf("%+v, %v", e, err)
			}
			if sends() {
				t.Errorf("%s: it does not count", l.Type)
			}
			w.Clock.Step(time.Hour)
			if !sends() {
				t.Errorf("%s: it counts for longer", l.Type)
			}
		}
	}
}

// TestListsAreExported whole, in the order of their entries, whatever is written in them, and without those of others.
func TestListsAreExported(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "a")
	l := server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}
	for i := range 2100 { // several batches
		n := server.NewListEntry{Entry: fmt.Sprintf("u%04d@example.org", i)}
		if i == 7 {
			n.Reason, n.ExpiresAt = "says \"no\",\nand means it", w.Clock.Now().Add(time.Hour)
		}
		if _, err := w.Server.CreateListEntry(ctx, pod, l, n); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := w.Server.ExportList(ctx, pod, l, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 2101 || strings.Join(rows[0], " ") != "entry reason read_only created_at expires_at" {
		t.Fatalf("%d rows, %v: %q", len(rows), err, rows[0])
	}
	made, ends := w.Clock.Now().Format(time.RFC3339), w.Clock.Now().Add(time.Hour).Format(time.RFC3339)
	for i, want := range map[int][]string{1: {"u0000@example.org", "", "false", made, ""}, 8: {"u0007@example.org", "says \"no\",\nand means it", "false", made, ends}, 2100: {"u2099@example.org", "", "false", made, ""}} {
		if strings.Join(rows[i], "|") != strings.Join(want, "|") {
			t.Errorf("row %d: %q, want %q", i, rows[i], want)
		}
	}
	out.Reset()
	none := mail.Grant{Scope: pod.Scope, KeyScope: pod.Scope, Permissions: mail.Permissions{}}
	if err := w.Server.ExportList(ctx, none, l, &out); mail.CodeOf(err) != mail.CodeForbidden || out.Len() > 0 {
		t.Errorf("without permission: %v, %q", err, out.String())
	}
}

// TestListsOfTheCommandLineCount stands for an entry that another process makes beside the server.
func TestListsOfTheCommandLineCount(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	beside := server.New(w.Options)
	if _, err := beside.CreateListEntry(ctx, alice, server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Server.NoticeLists(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"zoe@example.org"}}); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("it does not count: %v", err)
	}
}
