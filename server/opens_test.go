package server_test

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

var picture = regexp.MustCompile(`<img src="http://link\.acme\.example:8080/o/([\w-]{80})" [^>]*>`)

// rawOf is a message as it is stored.
func rawOf(t *testing.T, w *servertest.World, g mail.Grant, id string) string {
	t.Helper()
	_, l, err := w.Server.RawLink(context.Background(), g, id)
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.Server.OpenDownload(context.Background(), l.URL[strings.LastIndexByte(l.URL, '/')+1:])
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(string(b))
}

// tracking is a world with an inbox whose domain tracks opens, and one of the default domain.
func tracking(t *testing.T) (w *servertest.World, ann, bob mail.Grant) {
	t.Helper()
	w = servertest.New(t)
	pod := w.Pod(t, "acme")
	w.Verified(t, pod, server.NewDomain{Name: "acme.example", TrackingEnabled: true, SubdomainsEnabled: true})
	inbox, err := w.Server.CreateInbox(context.Background(), pod, server.NewInbox{Username: "ann", Domain: "team.acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	if ann, err = w.Server.InInbox(context.Background(), pod, inbox.Address); err != nil {
		t.Fatal(err)
	}
	return w, ann, w.Inbox(t, w.Pod(t, "other"), "bob")
}

// opens counts a message's label, and the events that tell of it.
func opens(t *testing.T, w *servertest.World, g mail.Grant, id string) (labelled bool, events int) {
	t.Helper()
	m, _, err := w.Server.GetMessage(context.Background(), g, id)
	if err != nil {
		t.Fatal(err)
	}
	all, _, _, err := w.Server.ListEvents(context.Background(), mail.Subscription{Types: []mail.EventType{mail.EventOpened}, Scopes: []mail.Scope{g.Scope}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.MessageID == id {
			events++
		}
	}
	return slices.Contains(m.Labels, mail.LabelOpened), events
}

func TestOpensAreTrackedOnce(t *testing.T) {
	ctx := context.Background()
	w, ann, bob := tracking(t)
	r := server.SendRequest{To: []string{"bob@podmail.test"}, Subject: "Offer", HTML: str("<html><body><p>Read me</p></body></html>"), TrackOpens: true}
	sent, err := w.Server.Send(ctx, ann, r)
	if err != nil {
		t.Fatal(err)
	}
	raw := rawOf(t, w, ann, sent.MessageID)
	found := picture.FindAllStringSubmatch(raw, -1)
	if len(found) != 1 || !strings.Contains(raw, found[0][0]+"</body>") {
		t.Fatalf("the message: %s", raw)
	}
	token := found[0][1]

	// The sender, and whoever reads here through the API or IMAP, opens nothing; the recipient is shown what was sent.
	eventually(t, "it arrives", func() bool {
		_, c, err := w.Server.GetMessage(ctx, bob, sent.MessageID)
		return err == nil && picture.MatchString(c.HTML)
	})
	rawOf(t, w, bob, sent.MessageID)
	box, err := w.Server.SelectMailbox(ctx, bob, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	err = w.Server.FetchMessages(ctx, bob, box.Mailbox.ID, everyUID, server.FetchWant{Raw: true}, func(f *server.FetchedMessage) error {
		_, err := io.ReadAll(io.NewSectionReader(f.Raw, 0, f.Size))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, c, err := w.Server.GetMessage(ctx, ann, sent.MessageID); err != nil || c.HTML != *r.HTML || strings.Contains(c.ExtractedHTML, "<img") {
		t.Errorf("the sender is shown %q, %v", c.HTML, err)
	}
	_, thread, _, err := w.Server.GetThread(ctx, ann, sent.ThreadID, mail.Page{Limit: 10})
	if err != nil || len(thread) != 1 || thread[0].HTML != *r.HTML {
		t.Errorf("the sender's thread: %+v, %v", thread, err)
	}
	for i := range len(token) { // what is not a token of ours, however near
		bad := []byte(token)
		bad[i] ^= 1
		if err := w.Server.Opened(ctx, string(bad)); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "x", token[:79], token + "A", sent.MessageID, "\x00/../"} {
		if err := w.Server.Opened(ctx, bad); err != nil {
			t.Error(err)
		}
	}
	if labelled, events := opens(t, w, ann, sent.MessageID); labelled || events != 0 {
		t.Fatal("opened before it was:", labelled, events)
	}

	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := w.Server.Opened(ctx, token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if labelled, events := opens(t, w, ann, sent.MessageID); !labelled || events != 1 {
		t.Error("opened eight times:", labelled, events)
	}
	if m, _, err := w.Server.GetMessage(ctx, bob, sent.MessageID); err != nil || slices.Contains(m.Labels, mail.LabelOpened) {
		t.Error("the recipient's copy:", m.Labels, err)
	}
	if err := w.Server.DeleteMessage(ctx, ann, sent.MessageID); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.Opened(ctx, token); err != nil {
		t.Error("a message that is gone:", err)
	}
}

func TestTokensTellNothing(t *testing.T) {
	ctx := context.Background()
	w, ann, bob := tracking(t)
	w.Deliver(t, ann.InboxID, letter("question", ""))
	messages, _, err := w.Server.ListMessages(ctx, ann, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := server.SendRequest{To: []string{bob.InboxID}, HTML: str("hi"), TrackOpens: true}
	reply, err := w.Server.Reply(ctx, ann, messages[0].MessageID, r, false)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := w.Server.Forward(ctx, ann, reply.MessageID, r)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range []mail.Message{reply, forward} {
		found := picture.FindAllStringSubmatch(rawOf(t, w, ann, m.MessageID), -1)
		if len(found) != 1 { // a forward has its own, not also that of what it forwards
			t.Fatalf("%d pictures", len(found))
		}
		token := found[0][1]
		if seen[token[:20]] || strings.Contains(token, "AAAA") {
			t.Error("tokens look alike:", token)
		}
		seen[token[:20]] = true
		if err := w.Server.Opened(ctx, token); err != nil {
			t.Error(err)
		}
		if labelled, events := opens(t, w, ann, m.MessageID); !labelled || events != 1 {
			t.Error(labelled, events)
		}
	}
}

func TestWhereOpensCannotBeTracked(t *testing.T) {
	ctx := context.Background()
	w, ann, bob := tracking(t)
	off := false
	refused := func(what string, g mail.Grant, html *string) {
		t.Helper()
		_, err := w.Server.Send(ctx, g, server.SendRequest{To: []string{"x@elsewhere.test"}, Text: str("t"), HTML: html, TrackOpens: true})
		if e, ok := err.(*mail.Error); !ok || e.Reason != mail.ReasonUnprocessable {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("no HTML", ann, nil)
	refused("the default domain", bob, str("h"))
	if _, err := w.Server.UpdateDomain(ctx, w.Org, "acme.example", server.DomainUpdate{TrackingEnabled: &off}); err != nil {
		t.Fatal(err)
	}
	refused("turned off", ann, str("h"))
	on := true
	w.DNS.Set(mail.RecordCNAME, "link.acme.example")
	if _, err := w.Server.UpdateDomain(ctx, w.Org, "acme.example", server.DomainUpdate{TrackingEnabled: &on}); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.VerifyDomain(ctx, w.Org, "acme.example"); err != nil {
		t.Fatal(err)
	}
	refused("its record is gone", ann, str("h"))
	if sent, _, err := w.Server.ListMessages(ctx, ann, mail.MessageFilter{Labels: []string{mail.LabelSent}}, mail.Page{Limit: 10}); err != nil || len(sent) != 0 {
		t.Error(sent, err)
	}
}
