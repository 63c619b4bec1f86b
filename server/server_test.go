package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// eventually waits for what background work brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 3000 { // half a minute, for machines that are busy with other tests
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

func str(s string) *string { return &s }

func TestMailBetweenInboxesIsThreadedOnBothSides(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	s := w.Server
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	sent, err := s.Send(ctx, alice, server.SendRequest{To: []string{"Bob <bob@podmail.test>"}, Subject: "Hello", Text: str("How are you?"), Bcc: []string{"secret@example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []mail.Message
	eventually(t, "the message is in bob's inbox", func() bool {
		got, _, err = s.ListMessages(ctx, bob, mail.MessageFilter{}, mail.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return len(got) == 1
	})
	if got[0].MessageID != sent.MessageID || got[0].Envelope.Subject != "Hello" || got[0].Preview != "How are you?" {
		t.Fatalf("bob has %+v", got[0])
	}
	m, c, err := s.GetMessage(ctx, bob, got[0].MessageID)
	if err != nil || c.Text != "How are you?" || len(m.Envelope.Bcc) > 0 || c.Headers["Received"] == "" {
		t.Fatalf("message %+v content %+v: %v", m, c, err)
	}
	if _, err := s.Reply(ctx, bob, got[0].MessageID, server.SendRequest{Text: str("Fine.")}, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the answer is in alice's thread", func() bool {
		th, messages, _, err := s.GetThread(ctx, alice, sent.ThreadID, mail.Page{Limit: 10})
		return err == nil && th.MessageCount == 2 && len(messages) == 2 && messages[1].Text == "Fine." && messages[1].Envelope.Subject == "Re: Hello"
	})
	eventually(t, "alice's message is delivered", func() bool {
		m, _, err := s.GetMessage(ctx, alice, sent.MessageID)
		return err == nil && strings.Join(m.Labels, " ") == "delivered sent"
	})
	queued, _, err := s.ListDeliveries(ctx, w.Org, mail.Page{Limit: 10})
	if err != nil || len(queued) != 1 || queued[0].Recipient != "secret@example.net" {
		t.Fatalf("queue: %+v, %v", queued, err)
	}
	original, _, err := s.GetMessage(ctx, bob, sent.MessageID)
	if err != nil || !strings.Contains(strings.Join(original.Labels, " "), "replied") {
		t.Fatalf("labels of the answered message: %v, %v", original.Labels, err)
	}
}
