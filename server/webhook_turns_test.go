package server_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// slow stands for the servers behind URLs, all of which take their time but one.
type slow struct {
	next        chan bool // lets one of them answer
	begun, told atomic.Int64
}

const quick = "http://quick.test/"

func (e *slow) Post(_ context.Context, w *mail.Webhook, _ *server.Event) mail.WebhookAnswer {
	e.begun.Add(1)
	if w.URL == quick {
		e.told.Add(1)
	} else {
		<-e.next
	}
	return mail.WebhookAnswer{Status: 204}
}

// slowed has so many slow endpoints of one grant that they take every post that there is room for and want more, and
// then a quick one of another.
func slowed(t *testing.T, of, quickOf func(*servertest.World) mail.Grant) (*servertest.World, *slow) {
	t.Helper()
	e := &slow{next: make(chan bool)}
	w := servertest.New(t, func(o *server.Options) { o.Poster = e })
	t.Cleanup(func() { close(e.next) })
	hook := func(g mail.Grant, url string) {
		if _, err := w.Server.CreateWebhook(context.Background(), g, server.NewWebhook{URL: url, EventTypes: []string{"message.received"}}); err != nil {
			t.Fatal(err)
		}
	}
	owner := of(w)
	for i := range 20 {
		hook(owner, fmt.Sprintf("http://slow%d.test/", i))
	}
	for i := range 30 {
		w.Deliver(t, w.Inbox(t, owner, fmt.Sprint("slow", i)).InboxID, "From: x@example.org\n\nHello\n")
	}
	tellAll(t, w)
	other := quickOf(w)
	hook(other, quick)
	w.Deliver(t, w.Inbox(t, other, "quick").InboxID, "From: x@example.org\n\nHello\n")
	tellAll(t, w)
	return w, e
}

// tellAll hands all events over, and begins what posts it may.
func tellAll(t *testing.T, w *servertest.World) {
	t.Helper()
	for _, step := range []func(context.Context) (bool, error){w.Server.FanOut, w.Server.PostDue} {
		for more, err := true, error(nil); more; {
			if more, err = step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestWebhooksHaveTheirTurns(t *testing.T) {
	organization := func(w *servertest.World) mail.Grant { return w.Org }
	_, e := slowed(t, organization, organization)
	if n := e.told.Load(); n != 0 {
		t.Fatalf("there was room for %d more", n)
	}
	for n := 0; e.told.Load() == 0; n++ {
		if n == 200 { // each of the others has four posts at a time, and has had its turn twice; together they want 600
			t.Fatal("the last webhook has no turn")
		}
		before := e.begun.Load()
		e.next <- true
		eventually(t, "another has the place", func() bool { return e.begun.Load() > before })
	}
}

func TestAPodLeavesRoomForTheWebhooksOfAnother(t *testing.T) {
	w, e := slowed(t, func(w *servertest.World) mail.Grant { return w.Pod(t, "slow") }, func(w *servertest.World) mail.Grant { return w.Pod(t, "quick") })
	eventually(t, "the other pod's webhook is told", func() bool { tellAll(t, w); return e.told.Load() > 0 })
}

// interrupted is a clock that has something happen when it is looked at for the second time.
type interrupted struct {
	mail.Clock
	looks  atomic.Int64
	second func()
}

func (c *interrupted) Now() time.Time {
	if c.second != nil && c.looks.Add(1) == 2 {
		c.second()
	}
	return c.Clock.Now()
}

// TestAPostThatIsGoneLeavesItsPlace deletes a webhook when a post to it has just begun.
func TestAPostThatIsGoneLeavesItsPlace(t *testing.T) {
	ctx := context.Background()
	registry := prometheus.NewRegistry()
	clock := &interrupted{}
	w := servertest.New(t, func(o *server.Options) {
		o.Poster, o.Metrics = &slow{}, registry
		clock.Clock, o.Clock = o.Clock, clock
	})
	alice := w.Inbox(t, w.Org, "alice")
	hook, err := w.Server.CreateWebhook(ctx, alice, server.NewWebhook{URL: quick, EventTypes: []string{"message.received"}})
	if err != nil {
		t.Fatal(err)
	}
	w.Deliver(t, alice.InboxID, "From: x@example.org\n\nHello\n")
	if _, err := w.Server.FanOut(ctx); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	clock.second = func() {
		err := w.Server.DeleteWebhook(ctx, alice, hook.WebhookID)
		for more := true; more && err == nil; {
			more, err = w.Server.Sweep(ctx)
		}
		gone <- err
	}
	if _, err := w.Server.PostDue(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	eventually(t, "no post is under way", func() bool { return counted(t, registry, "podmail_webhook_open_posts")[""] == 0 })
}
