package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// limited is a world in which sending is limited.
type limited struct {
	*servertest.World
	pod, alice mail.Grant
}

func newLimited(t *testing.T, l server.SendingLimits) *limited {
	t.Helper()
	w := servertest.New(t, func(o *server.Options) { o.Sending = l })
	pod := w.Pod(t, "a")
	return &limited{w, pod, w.Inbox(t, pod, "alice")}
}

// send sends to so many recipients, and returns after how long it may be tried again if it is limited: 0 if it was sent.
func (w *limited) send(t *testing.T, s *server.Server, g mail.Grant, recipients int) time.Duration {
	t.Helper()
	var to []string
	for i := range recipients {
		to = append(to, fmt.Sprintf("u%d@elsewhere.test", i))
	}
	_, err := s.Send(context.Background(), g, server.SendRequest{To: to, Subject: "Hello", Text: str("Hi.")})
	if err == nil {
		return 0
	}
	e, ok := errors.AsType[*mail.Error](err)
	if !ok || e.Code != mail.CodeRateLimited || e.RetryAfter <= 0 || e.Fix == "" {
		t.Fatalf("%+v", err)
	}
	return e.RetryAfter
}

func near(got, want time.Duration) bool { return got <= want && got > want-time.Second }

func TestSendingIsLimited(t *testing.T) {
	for what, c := range map[string]struct {
		limits           server.SendingLimits
		sister, stranger bool // whether another inbox of the pod, and one of another pod, may send then
	}{
		"an inbox":         {server.SendingLimits{Inbox: mail.Rate{PerHour: 5}}, true, true},
		"a pod":            {server.SendingLimits{Pod: mail.Rate{PerHour: 5}}, false, true},
		"the organization": {server.SendingLimits{Organization: mail.Rate{PerHour: 5}}, false, false},
	} {
		t.Run(what, func(t *testing.T) {
			w := newLimited(t, c.limits)
			sister, other := w.Inbox(t, w.pod, "sister"), w.Inbox(t, w.Pod(t, "b"), "other")
			if w.send(t, w.Server, w.alice, 3) != 0 || w.send(t, w.Server, w.alice, 2) != 0 {
				t.Fatal("what is allowed was refused")
			}
			w.Clock.Step(20 * time.Minute)
			for range 3 { // what is refused does not count
				if wait := w.send(t, w.Server, w.alice, 1); !near(wait, 40*time.Minute) {
					t.Errorf("wait %v", wait)
				}
			}
			if after := server.New(w.Options); w.send(t, after, w.alice, 1) == 0 {
				t.Error("a restart forgets what was sent")
			}
			if (w.send(t, w.Server, sister, 5) == 0) != c.sister || (w.send(t, w.Server, other, 5) == 0) != c.stranger {
				t.Error("others")
			}
			w.Clock.Step(40 * time.Minute)
			if w.send(t, w.Server, w.alice, 5) != 0 {
				t.Error("the hour is over")
			}
		})
	}
}

func TestTheDayCountsToo(t *testing.T) {
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerHour: 10, PerDay: 25}})
	for _, n := range []int{10, 10} {
		if w.send(t, w.Server, w.alice, n) != 0 {
			t.Fatal("refused")
		}
		w.Clock.Step(2 * time.Hour)
	}
	if wait := w.send(t, w.Server, w.alice, 6); !near(wait, 20*time.Hour) {
		t.Errorf("wait %v", wait)
	}
	if w.send(t, w.Server, w.alice, 5) != 0 {
		t.Error("the rest of the day")
	}
	w.Clock.Step(20 * time.Hour)
	if w.send(t, w.Server, w.alice, 10) != 0 {
		t.Error("the day is over")
	}
}

func TestWhatNeverFitsIsRefusedForGood(t *testing.T) {
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerHour: 2}})
	_, err := w.Server.Send(context.Background(), w.alice, server.SendRequest{To: []string{"a@x.test", "b@x.test", "c@x.test"}})
	if e, ok := errors.AsType[*mail.Error](err); !ok || e.Code != mail.CodeInvalid || e.Reason != mail.ReasonUnprocessable {
		t.Error(err)
	}
}

// TestEveryWayOfSendingIsLimited sends in each way what is one recipient too many, and then repeats what was sent.
func TestEveryWayOfSendingIsLimited(t *testing.T) {
	ctx := context.Background()
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerHour: 2}})
	w.Deliver(t, "alice@podmail.test", "From: bob@example.org\nTo: alice@podmail.test\nSubject: Hello\nMessage-ID: <hello@example.org>\n\nhello\n")
	d, _, err := w.Server.CreateDraft(ctx, w.alice, server.NewDraft{SendRequest: server.SendRequest{To: []string{"x@elsewhere.test"}, Subject: "Draft"}})
	if err != nil {
		t.Fatal(err)
	}
	request := server.SendRequest{To: []string{"a@x.test", "b@x.test"}, Once: server.Once{Key: "k", Request: []byte("r")}}
	first, err := w.Server.Send(ctx, w.alice, request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Server.Send(ctx, w.alice, request)
	if err != nil || again.MessageID != first.MessageID {
		t.Error("a repeat is limited:", err)
	}
	one := server.SendRequest{To: []string{"c@x.test"}}
	for way, send := range map[string]func() error{
		"send": func() error { _, err := w.Server.Send(ctx, w.alice, one); return err },
		"reply": func() error {
			_, err := w.Server.Reply(ctx, w.alice, "<hello@example.org>", server.SendRequest{}, false)
			return err
		},
		"forward": func() error { _, err := w.Server.Forward(ctx, w.alice, "<hello@example.org>", one); return err },
		"draft":   func() error { _, err := w.Server.SendDraft(ctx, w.alice, d.DraftID, server.DraftSend{}); return err },
		"submit": func() error {
			_, err := w.Server.Submit(ctx, w.alice, server.Incoming{ReversePath: "alice@podmail.test", Recipients: []string{"c@x.test"},
				Body: strings.NewReader("From: alice@podmail.test\r\nSubject: Hello\r\n\r\nhello\r\n")})
			return err
		},
	} {
		if err := send(); mail.CodeOf(err) != mail.CodeRateLimited {
			t.Errorf("%s: %v", way, err)
		}
	}
	if drafts, sent := draftsAndSent(t, w.World, w.alice); len(drafts) != 1 || len(sent) != 1 {
		t.Errorf("%d drafts, %d sent", len(drafts), len(sent))
	}
	original, _, err := w.Server.GetMessage(ctx, w.alice, "<hello@example.org>")
	if err != nil || strings.Contains(strings.Join(original.Labels, " "), "replied") {
		t.Errorf("%v, %v", original.Labels, err)
	}
}

func TestScheduledDraftsWaitForTheirTurn(t *testing.T) {
	ctx := context.Background()
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerHour: 1}})
	at := w.Clock.Now().Add(time.Minute)
	for _, subject := range []string{"One", "Two"} {
		if _, _, err := w.Server.CreateDraft(ctx, w.alice, server.NewDraft{SendAt: at, SendRequest: server.SendRequest{To: []string{"x@elsewhere.test"}, Subject: subject}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Server.Submit(ctx, w.alice, server.Incoming{ReversePath: "alice@podmail.test", Recipients: []string{"x@elsewhere.test"}, ReleaseAt: at,
		Body: strings.NewReader("From: alice@podmail.test\r\nSubject: Held\r\n\r\nhello\r\n")}); err != nil {
		t.Fatal(err)
	}
	sent := func(want int) {
		t.Helper()
		eventually(t, fmt.Sprint(want, " are sent"), func() bool {
			if _, err := w.Server.SendDueDrafts(ctx); err != nil {
				t.Fatal(err)
			}
			drafts, sent := draftsAndSent(t, w.World, w.alice)
			return len(sent) == want && len(drafts) == 3-want && (want == 3 || drafts[0].SendStatus == mail.SendScheduled && drafts[0].SendAt.Equal(at))
		})
	}
	w.Clock.Step(2 * time.Minute)
	sent(1)
	w.Clock.Step(30 * time.Minute)
	sent(1)
	w.Clock.Step(31 * time.Minute)
	sent(2)
	w.Clock.Step(61 * time.Minute)
	sent(3)
}

func TestNewPodsAreHeldBack(t *testing.T) {
	ctx := context.Background()
	w := newLimited(t, server.SendingLimits{NewPodPerDay: 3})
	for day, most := range []int{3, 6, 12} {
		if w.send(t, w.Server, w.alice, most+1) == 0 {
			t.Errorf("day %d: %d were allowed", day, most+1)
		}
		if w.send(t, w.Server, w.alice, most) != 0 {
			t.Errorf("day %d: %d were refused", day, most)
		}
		w.Clock.Step(24 * time.Hour)
	}
	fresh, four := w.Pod(t, "b"), int64(4)
	bob := w.Inbox(t, fresh, "bob")
	if w.send(t, w.Server, bob, 4) == 0 {
		t.Error("a new pod is as old as the first")
	}
	if _, err := w.Server.LimitPod(ctx, w.Org, fresh.PodID, server.RateChange{PerHour: &four}); err != nil {
		t.Fatal(err)
	}
	if w.send(t, w.Server, bob, 4) != 0 || w.send(t, w.Server, bob, 1) == 0 {
		t.Error("what the operator chose does not hold")
	}
	if got, err := w.Server.GetPodLimit(ctx, w.Org, fresh.PodID); err != nil || !got.Chosen || got.Rate != (mail.Rate{PerHour: 4}) || got.Sent.InHour != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	fresh.KeyScope = fresh.Scope
	if got, err := w.Server.GetPodLimit(ctx, fresh, fresh.PodID); err != nil || got.Rate != (mail.Rate{PerHour: 4}) {
		t.Errorf("a tenant cannot see its own limit: %+v, %v", got, err)
	}
	if _, err := w.Server.GetPodLimit(ctx, fresh, w.pod.PodID); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error("a tenant sees another's limit:", err)
	}
	if err := w.Server.UnlimitPod(ctx, fresh, fresh.PodID); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("a tenant chose his own limit:", err)
	}
	if err := w.Server.UnlimitPod(ctx, w.Org, fresh.PodID); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Server.GetPodLimit(ctx, w.Org, fresh.PodID); err != nil || got.Chosen || !got.WarmUp || got.Rate.PerDay != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCountsThatAreOverAreForgotten(t *testing.T) {
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerHour: 5}, Pod: mail.Rate{PerHour: 5}, Organization: mail.Rate{PerDay: 5}})
	forget := func() (n int64) {
		t.Helper()
		err := w.Store.System().Write(context.Background(), func(sys storage.SystemTx) (err error) {
			n, err = sys.ForgetSent(w.Clock.Now(), 2)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.send(t, w.Server, w.alice, 1)
	w.Clock.Step(23*time.Hour + 30*time.Minute)
	w.send(t, w.Server, w.alice, 1)
	w.Clock.Step(45 * time.Minute) // the day is over, the hour is not
	if n := forget(); n != 0 {
		t.Errorf("%d are forgotten", n)
	}
	w.Clock.Step(time.Hour)
	for _, want := range []int64{2, 1, 0} {
		if n := forget(); n != want {
			t.Errorf("%d are forgotten, want %d", n, want)
		}
	}
}

func TestCountsGoWithWhatTheyCount(t *testing.T) {
	ctx := context.Background()
	w := newLimited(t, server.SendingLimits{Inbox: mail.Rate{PerDay: 5}, Pod: mail.Rate{PerDay: 5}})
	w.send(t, w.Server, w.alice, 1)
	if err := w.Server.DeleteInbox(ctx, w.pod, "alice@podmail.test"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pod can go", func() bool {
		if _, err := w.Server.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		return w.Server.DeletePod(ctx, w.Org, w.pod.PodID) == nil
	})
	eventually(t, "its row is gone", func() bool {
		if _, err := w.Server.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		var hidden int
		if err := w.Store.System().Read(ctx, func(sys storage.SystemTx) error {
			pods, err := sys.ListHiddenPods(10)
			hidden = len(pods)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return hidden == 0
	})
}
