package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/mail/spam"
	"podmail/server"
	"podmail/server/servertest"
)

const (
	jackpot = "Win a lottery prize, claim your free bitcoin jackpot now, lucky winner"
	parcel  = "Your parcel with the quarterly report, and the invoice of our meeting, colleague"
)

func sorted(id, text string) string {
	return "From: Someone <someone@example.org>\nTo: alice@podmail.test\nSubject: letter\nMessage-ID: <" + id + "@example.org>\n\n" + text + "\n"
}

// TestThePodIsTaughtBySortingMail: what people move into Spam, by API and by mail program, is recognized later, in every
// inbox of the pod and in no other.
func TestThePodIsTaughtBySortingMail(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "a")
	alice, carol, bob := w.Inbox(t, pod, "alice"), w.Inbox(t, pod, "carol"), w.Inbox(t, w.Pod(t, "b"), "bob")
	inbox, err := w.Server.SelectMailbox(t.Context(), alice, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	for i := range spam.Enough {
		bad, good := fmt.Sprintf("bad%d", i), fmt.Sprintf("good%d", i)
		w.Deliver(t, "alice@podmail.test", sorted(bad, jackpot))
		w.Deliver(t, "alice@podmail.test", sorted(good, parcel))
		if i%2 == 0 {
			label(t, w, alice, bad, []string{"spam"}, nil)
			label(t, w, alice, good, []string{"starred"}, nil)
			continue
		}
		m, _, err := w.Server.GetMessage(t.Context(), alice, "<"+bad+"@example.org>")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Server.MoveMessages(t.Context(), alice, inbox.Mailbox.ID, []mail.UIDRange{{First: m.UID, Last: m.UID}}, "Spam"); err != nil {
			t.Fatal(err)
		}
		label(t, w, alice, good, []string{"spam"}, nil) // by mistake
		label(t, w, alice, good, nil, []string{"spam"})
	}
	learnAll(t, w)

	for _, c := range []struct {
		to        mail.Grant
		text      string
		placement string
		scored    bool
	}{{alice, "Claim your free jackpot, winner", "spam", true}, {carol, "Claim your free jackpot, winner", "spam", true}, {bob, "Claim your free jackpot, winner", "received", false},
		{alice, "The report of the meeting", "received", true}, {alice, "Nothing ever heard before", "received", true}} {
		w.Deliver(t, c.to.InboxID, sorted("new", c.text))
		m, in, err := w.Server.ExplainMessage(t.Context(), c.to, "<new@example.org>")
		if err != nil || in.Placement != c.placement || (in.Spam != nil) != c.scored {
			t.Errorf("%s to %s: %+v %+v, %v", c.text, c.to.InboxID, in, in.Spam, err)
			continue
		}
		_, content, err := w.Server.GetMessage(t.Context(), c.to, m.MessageID)
		verdict, _, scored := strings.Cut(content.Headers["X-Podmail-Spam"], ";")
		if err != nil || scored != c.scored || scored && (verdict == "yes") != (c.placement == "spam") || strings.TrimSpace(content.Text) != c.text {
			t.Errorf("%s to %s: %q %q, %v", c.text, c.to.InboxID, content.Headers["X-Podmail-Spam"], content.Text, err)
		}
		if err := w.Server.DeleteMessage(t.Context(), c.to, m.MessageID); err != nil {
			t.Fatal(err)
		}
	}

	// An allow list goes before the filter.
	if _, err := w.Server.CreateListEntry(t.Context(), carol, server.List{Direction: mail.DirectionReceive, Type: mail.ListAllow}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	w.Deliver(t, "carol@podmail.test", sorted("allowed", jackpot))
	if _, in, err := w.Server.ExplainMessage(t.Context(), carol, "<allowed@example.org>"); err != nil || in.Placement != mail.LabelReceived {
		t.Errorf("%+v, %v", in, err)
	}
}

// TestWhoChangesHisMindIsFollowed: a message that was called spam and then not counts once, as what it was called last.
func TestWhoChangesHisMindIsFollowed(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	for i := range 2 * spam.Enough {
		id := fmt.Sprint(i)
		w.Deliver(t, "alice@podmail.test", sorted(id, []string{jackpot, parcel}[i%2]))
		label(t, w, alice, id, []string{"spam"}, nil)
	}
	learnAll(t, w)
	for i := range spam.Enough {
		label(t, w, alice, fmt.Sprint(2*i+1), nil, []string{"spam"})
	}
	learnAll(t, w)
	w.Deliver(t, "alice@podmail.test", sorted("new", "the invoice of the meeting"))
	_, in, err := w.Server.ExplainMessage(t.Context(), alice, "<new@example.org>")
	if err != nil || in.Spam == nil || in.Spam.LearnedSpam != spam.Enough || in.Spam.LearnedHam != spam.Enough || in.Spam.Score > 0.1 {
		t.Errorf("%+v %+v, %v", in, in.Spam, err)
	}
}

func learnAll(t *testing.T, w *servertest.World) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.Server.LearnSpam(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func label(t *testing.T, w *servertest.World, g mail.Grant, id string, add, remove []string) {
	t.Helper()
	m, err := w.Server.UpdateMessage(t.Context(), g, "<"+id+"@example.org>", add, remove)
	if err != nil || slices.Contains(m.Labels, "spam") != slices.Contains(add, "spam") {
		t.Fatal(m.Labels, err)
	}
}

func TestPeersOnABlockListAreRefused(t *testing.T) {
	w := servertest.New(t)
	alice, bob := w.Inbox(t, w.Pod(t, "a"), "alice"), w.Inbox(t, w.Pod(t, "b"), "bob")
	listed := found(func(a *mail.Authentication) {
		a.BlockLists = []mail.ListedAt{{Zone: "bl.example", Reason: "see https://bl.example/"}}
	})
	if err := arrive(w, "alice@podmail.test", hello, listed); mail.CodeOf(err) != mail.CodeForbidden || !strings.Contains(err.Error(), "192.0.2.1 is listed at bl.example. see https://bl.example/") {
		t.Error(err)
	}
	if _, err := w.Server.CreateListEntry(t.Context(), bob, server.List{Direction: mail.DirectionReceive, Type: mail.ListAllow}, server.NewListEntry{Entry: "joe@example.org"}); err != nil {
		t.Fatal(err)
	}
	if err := arrive(w, "bob@podmail.test", hello, listed); err != nil {
		t.Error(err)
	}
	if _, _, err := w.Server.ExplainMessage(t.Context(), alice, "<1@example.org>"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error(err)
	}
}
