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

// TestAPageOfAThreadHasRoomForItsBodies reads a thread of messages that are too large to be shown together.
func TestAPageOfAThreadHasRoomForItsBodies(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	large := strings.Repeat(strings.Repeat("x", 71)+"\n", 7<<20/72)
	for i := range 4 {
		w.Deliver(t, alice.InboxID, letter(fmt.Sprint(i), "<0@x>")+large)
	}
	threads, _, err := w.Server.ListThreads(ctx, alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(threads) != 1 {
		t.Fatal(err, len(threads))
	}
	var pages []string
	for p := (mail.Page{Limit: 10}); ; {
		_, messages, next, err := w.Server.GetThread(ctx, alice, threads[0].ThreadID, p)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, m := range messages {
			page = append(page, m.MessageID)
		}
		pages = append(pages, strings.Join(page, " "))
		if p.Token = next; next == "" {
			break
		}
	}
	check(t, "pages", pages, "<2@x> <3@x>", "<0@x> <1@x>")
}

// looked is a context that has something happen when storage is read under it for the nth time.
type looked struct {
	context.Context
	nth  int
	then func()
}

func (c *looked) Done() <-chan struct{} {
	if c.nth--; c.nth == 0 {
		c.then()
	}
	return c.Context.Done()
}

// TestAMessageThatGoesWhileItIsRead deletes a message between the look at its row and that at its bytes, which are in
// chunks.
func TestAMessageThatGoesWhileItIsRead(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	w.Deliver(t, alice.InboxID, letter("one", ""))
	large := strings.Repeat(strings.Repeat("x", 71)+"\n", 600<<10/72)
	during := func(nth int) context.Context {
		w.Deliver(t, alice.InboxID, letter("two", "<one@x>")+large)
		if found, _, err := w.Server.SearchMessages(context.Background(), alice, server.SearchRequest{Query: "two", Limit: 10}); err != nil || len(found) != 1 { // it is indexed now
			t.Fatal(found, err)
		}
		return &looked{context.Background(), nth, func() {
			if err := w.Server.DeleteMessage(context.Background(), alice, "<two@x>"); err != nil {
				t.Error(err)
			}
		}}
	}
	if _, _, err := w.Server.GetMessage(during(2), alice, "<two@x>"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error("get:", err)
	}
	ctx := during(4)
	if found, _, err := w.Server.SearchMessages(ctx, alice, server.SearchRequest{Query: "two", Limit: 10}); err != nil || len(found) != 0 {
		t.Error("search:", found, err)
	}
	ctx = during(2)
	threads, _, err := w.Server.ListThreads(context.Background(), alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(threads) != 1 {
		t.Fatal(err, len(threads))
	}
	if _, messages, _, err := w.Server.GetThread(ctx, alice, threads[0].ThreadID, mail.Page{Limit: 10}); err != nil || len(messages) != 1 || messages[0].MessageID != "<one@x>" {
		t.Error("thread:", messages, err)
	}
}
