package server_test

import (
	"context"
	"testing"

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
		if _, err := w.Server.CreateListEntry(ctx, g, server.List{Direction: d, Type: mail.ListBlock}, entry, ""); err != nil {
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
	if err != nil || len(spam.UIDs) != 3 {
		t.Error("Spam:", spam.UIDs, err)
	}
}
