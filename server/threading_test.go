package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// letter writes a message: its id, and which ids it names.
func letter(id, refs string) string {
	s := "From: x@example.org\nTo: alice@podmail.test\nSubject: about " + id + "\n"
	if id != "" {
		s += "Message-ID: <" + id + "@x>\n"
	}
	if refs != "" {
		s += "References: " + refs + "\n"
	}
	return s + "\nhello " + id + "\n"
}

// TestThreading delivers letters in an order and looks at which share a thread.
func TestThreading(t *testing.T) {
	for _, c := range []struct {
		name    string
		letters []string // "id refs…"
		want    string   // threads by their messages' subjects, oldest thread first
	}{
		{"strangers", []string{"a", "b"}, "[a] [b]"},
		{"an answer", []string{"a", "b <a@x>"}, "[a b]"},
		{"an answer to an answer", []string{"a", "b <a@x>", "c <a@x> <b@x>"}, "[a b c]"},
		{"the nearest named decides", []string{"a", "b", "c <a@x> <b@x>"}, "[a] [b c]"},
		{"an ancestor is missing", []string{"a", "c <a@x> <b@x>"}, "[a c]"},
		{"the answer comes first", []string{"b <a@x>", "a"}, "[b a]"},
		{"two answers come first", []string{"b <a@x>", "c <a@x>", "a"}, "[b c a]"},
		{"the middle comes last", []string{"a", "c <b@x>", "b <a@x>"}, "[a c b]"},
		{"all in reverse", []string{"d <c@x>", "c <b@x>", "b <a@x>", "a"}, "[d c b a]"},
		{"the same id twice", []string{"a", "a"}, "[a a]"},
		{"an answer to a copy", []string{"a", "a", "b <a@x>"}, "[a a b]"},
		{"names itself", []string{"a <a@x>"}, "[a]"},
		{"no id", []string{" <q@x>", " <q@x>"}, "[ ]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			w := servertest.New(t)
			alice := w.Inbox(t, w.Org, "alice")
			for _, l := range c.letters {
				id, refs, _ := strings.Cut(l, " ")
				w.Deliver(t, "alice@podmail.test", letter(id, refs))
			}
			threads, _, err := w.Server.ListThreads(ctx, alice, mail.MessageFilter{}, mail.Page{Limit: 100, Ascending: true})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, th := range threads {
				full, messages, _, err := w.Server.GetThread(ctx, alice, th.ThreadID, mail.Page{Limit: 100})
				if err != nil {
					t.Fatal(err)
				}
				var ids []string
				for _, m := range messages {
					ids = append(ids, strings.TrimPrefix(strings.TrimPrefix(m.Envelope.Subject, "about"), " "))
				}
				got = append(got, fmt.Sprint(ids))
				if full.MessageCount != int64(len(messages)) || full.LastMessageID != messages[len(messages)-1].MessageID {
					t.Errorf("the thread says %d messages, last %s", full.MessageCount, full.LastMessageID)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("threads %s, want %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

func TestAMessageToOneselfIsSentAndReceived(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	sent, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"alice@podmail.test"}, Subject: "note", Text: str("to self")})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are there, in one thread", func() bool {
		th, messages, _, err := w.Server.GetThread(ctx, alice, sent.ThreadID, mail.Page{Limit: 10})
		return err == nil && th.MessageCount == 2 && messages[0].MessageID != messages[1].MessageID &&
			fmt.Sprint(messages[0].Labels, messages[1].Labels) == "[delivered sent] [received unread]"
	})
}

func TestAnUnknownLocalRecipientBounces(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	sent, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"nobody@podmail.test"}, Subject: "note", Text: str("x")})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message is labelled bounced", func() bool {
		m, _, err := w.Server.GetMessage(ctx, alice, sent.MessageID)
		return err == nil && fmt.Sprint(m.Labels) == "[bounced sent]"
	})
	queued, _, err := w.Server.ListDeliveries(ctx, alice, mail.Page{Limit: 10})
	if err != nil || len(queued) != 0 {
		t.Errorf("still queued: %+v %v", queued, err)
	}
}

func TestReplyAllLeavesOutOurselves(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	w.Deliver(t, "alice@podmail.test", "From: X <x@example.org>\nReply-To: list@example.org\nTo: Alice <alice+tag@podmail.test>, bob@example.org\nCc: x@example.org, c@example.org, LIST@example.org\nMessage-ID: <1@x>\nSubject: Re: plan\n\nhi\n")
	m, err := w.Server.Reply(ctx, alice, "<1@x>", server.SendRequest{Text: str("ok")}, true)
	if err != nil {
		t.Fatal(err)
	}
	e := m.Envelope
	if fmt.Sprintf("%v %v %s %v %v", mail.Strings(e.To), mail.Strings(e.Cc), e.Subject, e.InReplyTo, e.References) !=
		"[list@example.org bob@example.org] [x@example.org c@example.org] Re: plan [<1@x>] [<1@x>]" {
		t.Errorf("%v %v %q %v %v", mail.Strings(e.To), mail.Strings(e.Cc), e.Subject, e.InReplyTo, e.References)
	}
	again, err := w.Server.Reply(ctx, alice, m.MessageID, server.SendRequest{Text: str("ok")}, false)
	if err != nil || fmt.Sprint(mail.Strings(again.Envelope.To)) != "[list@example.org bob@example.org]" || again.ThreadID != m.ThreadID {
		t.Errorf("an answer to what we sent goes to %v: %v", again.Envelope.To, err)
	}
	if _, err := w.Server.Reply(ctx, alice, "<1@x>", server.SendRequest{Text: str("ok"), To: []string{"z@example.org"}}, true); mail.CodeOf(err) != mail.CodeInvalid {
		t.Errorf("reply to all with a recipient: %v", err)
	}
}

func TestAnAnswerGoesOnlyWhereMailCanBeSent(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	w.Deliver(t, "alice@podmail.test", "From: Joe\nTo: alice@podmail.test, nonsense, "+strings.Repeat("l", 3000)+"@example.org\nMessage-ID: <1@x>\nSubject: hi\n\nhi\n")
	for _, all := range []bool{false, true} {
		if _, err := w.Server.Reply(ctx, alice, "<1@x>", server.SendRequest{Text: str("ok")}, all); mail.CodeOf(err) != mail.CodeInvalid {
			t.Errorf("reply to nobody, all=%v: %v", all, err)
		}
	}
	m, err := w.Server.Reply(ctx, alice, "<1@x>", server.SendRequest{Text: str("ok"), To: []string{"joe@example.org"}}, false)
	if err != nil || fmt.Sprint(mail.Strings(m.Envelope.To)) != "[joe@example.org]" {
		t.Errorf("a reply with a recipient of its own goes to %v: %v", m.Envelope.To, err)
	}
}

func TestForwardCarriesTextAndAttachments(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	w.Deliver(t, "alice@podmail.test", "From: X <x@example.org>\nTo: alice@podmail.test\nMessage-ID: <1@x>\nSubject: plan\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nthe plan\n--b\nContent-Type: text/csv; name=a.csv\nContent-Transfer-Encoding: base64\n\nMSwyLDM=\n--b--\n")
	m, err := w.Server.Forward(ctx, alice, "<1@x>", server.SendRequest{To: []string{"bob@example.org"}, Text: str("see below")})
	if err != nil {
		t.Fatal(err)
	}
	_, c, err := w.Server.GetMessage(ctx, alice, m.MessageID)
	if err != nil || m.Envelope.Subject != "Fwd: plan" || !strings.HasPrefix(c.Text, "see below\n\n---------- Forwarded message") || !strings.Contains(c.Text, "the plan") {
		t.Errorf("%q %q %v", m.Envelope.Subject, c.Text, err)
	}
	if len(m.Attachments) != 1 || m.Attachments[0].Filename != "a.csv" || m.Attachments[0].Size != 5 {
		t.Errorf("attachments %+v", m.Attachments)
	}
	original, _, err := w.Server.GetMessage(ctx, alice, "<1@x>")
	if err != nil || fmt.Sprint(original.Labels) != "[forwarded received unread]" || original.ThreadID != m.ThreadID {
		t.Errorf("the original: %v %v", original.Labels, err)
	}
}
