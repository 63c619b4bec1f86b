package server_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// threadsTold stands for an endpoint, and keeps the thread that it was told of last.
type threadsTold struct{ told atomic.Pointer[mail.Thread] }

func (e *threadsTold) Post(_ context.Context, _ *mail.Webhook, ev *server.Event) mail.WebhookAnswer {
	e.told.Store(&ev.Thread)
	return mail.WebhookAnswer{Status: 204}
}

// TestAThreadHidesWhatAKeyMayNotRead has a thread of which one message is spam, and a key that may not read spam: the
// thread is to it what it would be without that message, wherever it is shown, and what the key does to the thread does
// not touch the message.
func TestAThreadHidesWhatAKeyMayNotRead(t *testing.T) {
	ctx := context.Background()
	e := &threadsTold{}
	w := servertest.New(t, func(o *server.Options) { o.Poster = e })
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	restricted := alice
	restricted.Permissions = mail.Permissions{mail.MessageRead: true, mail.MessageUpdate: true, mail.MessageDelete: true, mail.LabelTrashRead: true, mail.WebhookCreate: true}
	w.Deliver(t, "alice@podmail.test", letter("one", ""))
	w.Deliver(t, "alice@podmail.test", strings.Replace(letter("bad", "<one@x>"), "x@example.org", "secret@example.org", 1))
	if _, err := w.Server.UpdateMessage(ctx, alice, "<bad@x>", []string{"spam"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Server.CreateWebhook(ctx, restricted, server.NewWebhook{URL: "http://x.test/", EventTypes: []string{"message.received"}}); err != nil {
		t.Fatal(err)
	}
	w.Deliver(t, "alice@podmail.test", letter("two", "<one@x>"))

	clean := func(what string, th mail.Thread, count int64) {
		t.Helper()
		if text := fmt.Sprint(th.Labels(), th.Senders, th.Preview, th.LastMessageID); strings.Contains(text, "spam") || strings.Contains(text, "secret") ||
			strings.Contains(text, "bad") || th.MessageCount != count {
			t.Errorf("%s tells of what is hidden: %s, %d messages", what, text, th.MessageCount)
		}
	}
	list := func(g mail.Grant, labels ...string) []mail.Thread {
		t.Helper()
		threads, _, err := w.Server.ListThreads(ctx, g, mail.MessageFilter{Labels: labels}, mail.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return threads
	}
	threads := list(restricted)
	if len(threads) != 1 || len(list(alice, "spam")) != 1 || len(list(restricted, "spam")) != 0 {
		t.Fatal("threads:", threads, list(alice, "spam"), list(restricted, "spam"))
	}
	clean("the list", threads[0], 2)
	th, messages, _, err := w.Server.GetThread(ctx, restricted, threads[0].ThreadID, mail.Page{Limit: 10})
	if err != nil || len(messages) != 2 {
		t.Fatal(err, len(messages))
	}
	clean("the thread", th, 2)
	found, _, err := w.Server.SearchThreads(ctx, restricted, server.SearchRequest{Query: "two", Limit: 10})
	if err != nil || len(found) != 1 {
		t.Fatal(err, found)
	}
	clean("the search", found[0].Thread, 2)
	eventually(t, "the webhook is told", func() bool {
		for _, step := range []func(context.Context) (bool, error){w.Server.FanOut, w.Server.PostDue} {
			if _, err := step(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return e.told.Load() != nil
	})
	clean("the event", *e.told.Load(), 2)

	if th, err = w.Server.UpdateThread(ctx, restricted, th.ThreadID, []string{"seen"}, []string{"spam"}); err != nil {
		t.Fatal(err)
	}
	clean("the update", th, 2)
	if m, _, err := w.Server.GetMessage(ctx, alice, "<bad@x>"); err != nil || fmt.Sprint(m.Labels) != "[received spam unread]" {
		t.Error("the update reached the hidden message:", m.Labels, err)
	}
	if err := w.Server.DeleteThread(ctx, restricted, th.ThreadID); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := w.Server.GetThread(ctx, restricted, th.ThreadID, mail.Page{Limit: 10}); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error("the thread is still there:", err)
	}
	if _, _, err := w.Server.GetMessage(ctx, alice, "<bad@x>"); err != nil {
		t.Error("the hidden message was deleted:", err)
	}
	if err := w.Server.DeleteThread(ctx, alice, th.ThreadID); err != nil {
		t.Error(err)
	}
}
