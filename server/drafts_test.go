package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// draftsAndSent lists an inbox's drafts and the messages that it has sent.
func draftsAndSent(t *testing.T, w *servertest.World, g mail.Grant) (drafts []mail.Draft, sent []mail.Message) {
	t.Helper()
	ctx := context.Background()
	drafts, _, err := w.Server.ListDrafts(ctx, g, mail.MessageFilter{}, mail.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	sent, _, err = w.Server.ListMessages(ctx, g, mail.MessageFilter{Labels: []string{mail.LabelSent}}, mail.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return drafts, sent
}

func TestScheduledDraftIsSentOnce(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	at := w.Clock.Now().Add(time.Hour)
	d, _, err := w.Server.CreateDraft(ctx, g, server.NewDraft{SendAt: at, SendRequest: server.SendRequest{To: []string{"bob@elsewhere.test"}, Subject: "Later"}})
	if err != nil || d.SendStatus != mail.SendScheduled {
		t.Fatal(d, err)
	}
	w.Clock.Step(59 * time.Minute)
	if _, err := w.Server.SendDueDrafts(ctx); err != nil {
		t.Fatal(err)
	}
	if drafts, sent := draftsAndSent(t, w, g); len(drafts) != 1 || len(sent) != 0 {
		t.Fatal("before its time:", drafts, sent)
	}
	w.Clock.Step(2 * time.Minute)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := w.Server.SendDueDrafts(ctx); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			_, err := w.Server.SendDraft(ctx, g, d.DraftID, server.DraftSend{})
			if code := mail.CodeOf(err); err != nil && code != mail.CodeConflict && code != mail.CodeNotFound {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "it is sent, by whoever was first", func() bool {
		drafts, sent := draftsAndSent(t, w, g)
		return len(drafts) == 0 && len(sent) == 1 && sent[0].Envelope.Subject == "Later"
	})
	if queued, _, err := w.Server.ListDeliveries(ctx, g, mail.Page{Limit: 10}); err != nil || len(queued) != 1 {
		t.Error("queued:", queued, err)
	}
}

func TestDraftThatCannotBeSent(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	at := w.Clock.Now().Add(time.Minute)
	d, _, err := w.Server.CreateDraft(ctx, g, server.NewDraft{SendAt: at, SendRequest: server.SendRequest{Subject: "To nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Clock.Step(2 * time.Minute)
	eventually(t, "the failure", func() bool {
		if _, err := w.Server.SendDueDrafts(ctx); err != nil {
			t.Fatal(err)
		}
		d, _, err = w.Server.GetDraft(ctx, g, d.DraftID)
		return err == nil && d.SendStatus == mail.SendFailed && len(d.Message.Labels) == 1
	})
	soon := w.Clock.Now().Add(time.Minute)
	to := []string{"bob@elsewhere.test"}
	if d, _, err = w.Server.UpdateDraft(ctx, g, d.DraftID, server.DraftUpdate{To: &to, SendAt: &soon}); err != nil || d.SendStatus != mail.SendScheduled {
		t.Fatal(d, err)
	}
	w.Clock.Step(2 * time.Minute)
	eventually(t, "the message", func() bool {
		if _, err := w.Server.SendDueDrafts(ctx); err != nil {
			t.Fatal(err)
		}
		drafts, sent := draftsAndSent(t, w, g)
		return len(drafts) == 0 && len(sent) == 1
	})
}

// TestDraftsOfMailPrograms: what IMAP does in Drafts is done to drafts, and what the API does to drafts is there.
func TestDraftsOfMailPrograms(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	w.Deliver(t, "alice@podmail.test", letter("question", ""))
	inbox, _, err := w.Server.ListMessages(ctx, g, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	raw := "From: alice@podmail.test\r\nTo: bob@elsewhere.test\r\nBcc: eve@elsewhere.test\r\nSubject: From a program\r\nIn-Reply-To: " + inbox[0].MessageID + "\r\n\r\nHello\r\n"
	_, uid, err := w.Server.AppendMessage(ctx, g, server.Append{Mailbox: "Drafts", Flags: []string{mail.FlagDraft, mail.FlagSeen}, Body: strings.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
	drafts, _ := draftsAndSent(t, w, g)
	if len(drafts) != 1 || drafts[0].Original != inbox[0].MessageID || drafts[0].Kind != mail.DraftReply || drafts[0].Message.Envelope.Bcc[0].Mailbox != "eve" {
		t.Fatalf("%+v", drafts)
	}
	threads, _, err := w.Server.ListThreads(ctx, g, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(threads) != 1 || threads[0].MessageCount != 1 || strings.Contains(strings.Join(threads[0].Labels(), " "), "draft") {
		t.Errorf("the draft counts in its thread: %+v %v", threads, err)
	}
	id, subject := drafts[0].DraftID, "From the API"
	if _, _, err := w.Server.UpdateDraft(ctx, g, id, server.DraftUpdate{Subject: &subject}); err != nil {
		t.Fatal(err)
	}
	box, err := w.Server.SelectMailbox(ctx, g, "Drafts")
	if err != nil || len(box.UIDs) != 1 || box.UIDs[0] <= uid {
		t.Fatal("the edit is not a new message:", box, err)
	}
	trash := func(mailbox int64, to string) {
		t.Helper()
		if _, err := w.Server.MoveMessages(ctx, g, mailbox, everyUID, to); err != nil {
			t.Fatal(err)
		}
	}
	trash(box.Mailbox.ID, "Trash")
	if drafts, _ := draftsAndSent(t, w, g); len(drafts) != 0 {
		t.Error("a draft in the trash is a draft:", drafts)
	}
	bin, err := w.Server.SelectMailbox(ctx, g, "Trash")
	if err != nil {
		t.Fatal(err)
	}
	trash(bin.Mailbox.ID, "Drafts")
	drafts, _ = draftsAndSent(t, w, g)
	if len(drafts) != 1 || drafts[0].Message.Envelope.Subject != subject {
		t.Fatal("a draft back from the trash is none:", drafts)
	}
	if _, err := w.Server.CopyMessages(ctx, g, box.Mailbox.ID, everyUID, "Drafts"); err != nil {
		t.Fatal(err)
	}
	m, err := w.Server.SendDraft(ctx, g, drafts[0].DraftID, server.DraftSend{})
	if err != nil || m.Thread != inbox[0].Thread {
		t.Fatal("sent:", m.Thread, err)
	}
	if _, err := w.Server.StoreLabels(ctx, g, box.Mailbox.ID, everyUID, mail.LabelChange{Add: []string{mail.LabelDeleted}}); err != nil {
		t.Fatal(err)
	}
	if drafts, _ := draftsAndSent(t, w, g); len(drafts) != 1 {
		t.Error("the copy:", drafts)
	}
	if _, err := w.Server.ExpungeMessages(ctx, g, box.Mailbox.ID, nil); err != nil {
		t.Fatal(err)
	}
	if drafts, sent := draftsAndSent(t, w, g); len(drafts) != 0 || len(sent) != 1 {
		t.Error("expunged:", drafts, sent)
	}
}

// TestADraftOfAMailProgramGoesToAllItNames has several fields of each kind in it, and claims to be of somebody else.
func TestADraftOfAMailProgramGoesToAllItNames(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	raw := "From: ceo@bank.test\r\nFrom : chair@bank.test\r\nSender: ceo@bank.test\r\nTo: a@x.test\r\nTO: b@x.test\r\nCc: c@x.test\r\ncc : d@x.test\r\nBcc: e@x.test\r\nbcc: f@x.test\r\nSubject: all\r\n\r\nHi.\r\n"
	if _, _, err := w.Server.AppendMessage(ctx, g, server.Append{Mailbox: "Drafts", Flags: []string{`\Draft`}, Body: strings.NewReader(raw)}); err != nil {
		t.Fatal(err)
	}
	drafts, _ := draftsAndSent(t, w, g)
	m, err := w.Server.SendDraft(ctx, g, drafts[0].DraftID, server.DraftSend{})
	if err != nil {
		t.Fatal(err)
	}
	queued, _, err := w.Server.ListDeliveries(ctx, g, mail.Page{Limit: 100, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	var to []string
	for _, d := range queued {
		to = append(to, strings.TrimSuffix(d.Recipient, "@x.test"))
	}
	if got := strings.Join(to, ""); got != "abcdef" {
		t.Errorf("it goes to %s", got)
	}
	_, c, err := w.Server.GetMessage(ctx, g, m.MessageID)
	if err != nil {
		t.Fatal(err)
	}
	if c.Headers["From"] != "alice@podmail.test" || c.Headers["Sender"] != "" || c.Headers["Bcc"] != "" || strings.Join(mail.Strings(m.Envelope.From), " ") != "alice@podmail.test" {
		t.Errorf("%v of %v", c.Headers, m.Envelope.From)
	}
}
