package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// keys are grants of API keys of alice's inbox, her pod and the organization, widest last.
func (w *sending) keys(t *testing.T) []mail.Grant {
	t.Helper()
	pod, err := w.Server.InPod(t.Context(), w.Org, w.alice.PodID)
	if err != nil {
		t.Fatal(err)
	}
	var keys []mail.Grant
	for _, g := range []mail.Grant{w.alice, pod, w.Org} {
		key, err := w.Server.Authenticate(t.Context(), w.Key(t, g))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

// TestWhatAWiderKeyHoldsNoNarrowerLetsGo has each kind of key hold a delivery, and each of them try to let it go.
func TestWhatAWiderKeyHoldsNoNarrowerLetsGo(t *testing.T) {
	ctx := t.Context()
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Text: "connection refused"})
	})
	w.send(t, w.alice, "a@dead.test")
	w.carry(t, "it was tried", func() bool { return w.waiting(t)[0].Attempts == 1 })
	id := w.waiting(t)[0].ID
	keys := w.keys(t)
	ways := map[string]func(mail.Grant) error{
		"release": func(g mail.Grant) error { return w.Server.ReleaseDelivery(ctx, g, id) },
		"retry":   func(g mail.Grant) error { return w.Server.RetryDelivery(ctx, g, id) },
		"hold and release": func(g mail.Grant) error {
			if err := w.Server.HoldDelivery(ctx, g, id); err != nil {
				return err
			}
			return w.Server.ReleaseDelivery(ctx, g, id)
		},
	}
	for holder := range keys {
		for other := range keys {
			for what, let := range ways {
				if err := w.Server.HoldDelivery(ctx, keys[holder], id); err != nil {
					t.Fatal(err)
				}
				err := let(keys[other])
				if d := w.waiting(t)[0]; (d.State == mail.DeliveryHeld) != (other < holder) || (mail.CodeOf(err) == mail.CodeForbidden) != (other < holder) || other >= holder && err != nil {
					t.Errorf("%s by %s of what %s holds: %s, %v", what, keys[other].KeyScope.Type(), keys[holder].KeyScope.Type(), d.State, err)
				}
				if err := w.Server.ReleaseDelivery(ctx, w.Org, id); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := w.Server.HoldDelivery(ctx, keys[0], id); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.HoldDelivery(ctx, w.Org, id); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.ReleaseDelivery(ctx, keys[0], id); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("what the operator holds too:", err)
	}
}

// TestWhatIsStoppedIsNotTriedAtOnce: a pause stands until it is lifted, whoever asks for what.
func TestWhatIsStoppedIsNotTriedAtOnce(t *testing.T) {
	ctx := t.Context()
	w := newSending(t, server.QueueLimits{}, nil)
	for kind, name := range map[mail.PauseKind]string{mail.PausePod: w.alice.PodID, mail.PauseDomain: "podmail.test", mail.PauseDestination: "one.test"} {
		if _, err := w.Server.Pause(ctx, w.Org, kind, name, "spam"); err != nil {
			t.Fatal(err)
		}
		seen := len(w.hosts.Seen())
		w.send(t, w.alice, "a@one.test")
		id := w.waiting(t)[0].ID
		for _, g := range w.keys(t) {
			err := w.Server.RetryDelivery(ctx, g, id)
			if mail.CodeOf(err) != mail.CodeConflict || !strings.Contains(err.Error(), "The "+string(kind)+" "+name+" is stopped") {
				t.Errorf("a retry by %s while the %s is stopped: %v", g.KeyScope.Type(), kind, err)
			}
			if err := w.Server.HoldDelivery(ctx, g, id); err != nil {
				t.Error(err)
			}
			if err := w.Server.ReleaseDelivery(ctx, g, id); err != nil {
				t.Error("a release lets it wait with the others:", err)
			}
		}
		for range 3 {
			w.Server.CarryDue(ctx)
		}
		if n := len(w.hosts.Seen()); n != seen {
			t.Errorf("%d left while the %s was stopped", n-seen, kind)
		}
		if err := w.Server.Resume(ctx, w.Org, kind, name); err != nil {
			t.Fatal(err)
		}
		w.carry(t, "it goes on", func() bool { return len(w.waiting(t)) == 0 })
	}
}

// TestAPauseStopsWhatIsToBeTriedAtOnce pauses where a retry was asked for that had no room yet.
func TestAPauseStopsWhatIsToBeTriedAtOnce(t *testing.T) {
	ctx := t.Context()
	goOn := make(chan bool)
	w := newSending(t, server.QueueLimits{Transfers: 1}, func(tr mail.Transfer) []mail.TransferResult {
		if tr.Destination == "slow.test" {
			<-goOn
		}
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	w.send(t, w.alice, "a@slow.test")
	w.carry(t, "the room is taken", func() bool { return len(w.hosts.Seen()) == 1 })
	w.send(t, w.alice, "b@one.test", "c@two.test")
	for _, d := range w.waiting(t) {
		if d.Destination != "slow.test" {
			if err := w.Server.RetryDelivery(ctx, w.alice, d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := w.Server.Pause(ctx, w.Org, mail.PauseDestination, "one.test", ""); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	w.carry(t, "the others are delivered", func() bool { return len(w.waiting(t)) == 1 })
	for range 3 {
		w.Server.CarryDue(context.Background())
	}
	if slices.ContainsFunc(w.hosts.Seen(), func(tr mail.Transfer) bool { return tr.Destination == "one.test" }) {
		t.Error("it was tried in spite of the pause")
	}
	if err := w.Server.Resume(ctx, w.Org, mail.PauseDestination, "one.test"); err != nil {
		t.Fatal(err)
	}
	w.carry(t, "it goes on", func() bool { return len(w.waiting(t)) == 0 })
}

// TestADeletedMessageIsTraced: who deletes what he sent does not hide what becomes of it, for as long as events are kept.
func TestADeletedMessageIsTraced(t *testing.T) {
	ctx := t.Context()
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		if tr.Destination == "grey.test" {
			return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Code: 450, Enhanced: "4.2.0", Text: "450 4.2.0 greylisted"})
		}
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	m := w.send(t, w.alice, "a@grey.test", "b@quick.test")
	w.carry(t, "one is delivered, the other was tried", func() bool { q := w.waiting(t); return len(q) == 1 && q[0].Attempts == 1 })
	if err := w.Server.DeleteMessage(ctx, w.alice, m.MessageID); err != nil {
		t.Fatal(err)
	}
	is := func(what, want string) {
		t.Helper()
		traced, err := w.Server.Trace(ctx, w.Org, m.MessageID)
		if err != nil || len(traced) != 1 || !traced[0].Deleted || traced[0].Message.InboxID != "alice@podmail.test" || traced[0].Message.TraceID != m.TraceID {
			t.Fatalf("%s: %+v, %v", what, traced, err)
		}
		var got []string
		for _, d := range traced[0].Deliveries {
			got = append(got, d.Recipient+" "+string(d.State))
			for _, a := range traced[0].Attempts[d.ID] {
				got = append(got, a.Reply)
			}
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: %s, want %s", what, text, want)
		}
	}
	is("deleted", "a@grey.test queued, 450 4.2.0 greylisted, b@quick.test delivered, 250 OK")
	w.hosts.Answer(nil)
	w.Clock.Step(10 * time.Minute)
	w.carry(t, "both are delivered", func() bool { return len(w.waiting(t)) == 0 })
	is("delivered", "a@grey.test delivered, 450 4.2.0 greylisted, 250 OK, b@quick.test delivered, 250 OK")
	for _, g := range w.keys(t)[:2] {
		if _, err := w.Server.Trace(ctx, g, m.MessageID); mail.CodeOf(err) != mail.CodeForbidden {
			t.Errorf("a key of the %s traces: %v", g.KeyScope.Type(), err)
		}
		if _, _, err := w.Server.DeliveriesOf(ctx, g, m.MessageID); mail.CodeOf(err) != mail.CodeNotFound {
			t.Errorf("the message is still there for a key of the %s: %v", g.KeyScope.Type(), err)
		}
	}
	sweep := func(what string) {
		t.Helper()
		w.carry(t, what, func() bool {
			if _, err := w.Server.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
			_, err := w.Server.Trace(ctx, w.Org, m.MessageID)
			return mail.CodeOf(err) == mail.CodeNotFound
		})
	}
	w.Clock.Step(29 * 24 * time.Hour)
	if _, err := w.Server.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	is("four weeks later", "a@grey.test delivered, 450 4.2.0 greylisted, 250 OK, b@quick.test delivered, 250 OK")
	w.Clock.Step(2 * 24 * time.Hour)
	sweep("it is forgotten")

	m = w.send(t, w.alice, "c@quick.test")
	w.carry(t, "it is delivered", func() bool { return len(w.waiting(t)) == 0 })
	if err := w.Server.DeleteMessage(ctx, w.alice, m.MessageID); err != nil {
		t.Fatal(err)
	}
	is("another", "c@quick.test delivered, 250 OK")
	if err := w.Server.DeleteInbox(ctx, w.Org, w.alice.InboxID); err != nil {
		t.Fatal(err)
	}
	sweep("it goes with its inbox")
}

// TestADroppedDeliveryTellsByWhom: the last word on it is not the host's.
func TestADroppedDeliveryTellsByWhom(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Code: 450, Enhanced: "4.2.0", Text: "450 4.2.0 greylisted"})
	})
	for i, by := range []string{"a key of the inbox", "a key of the pod", "the operator"} {
		m := w.send(t, w.alice, "a"+by[len(by)-3:]+"@grey.test")
		w.carry(t, "it was tried", func() bool { q := w.waiting(t); return len(q) == 1 && q[0].Attempts == 1 })
		at := w.Clock.Now()
		if err := w.Server.DropDelivery(t.Context(), w.keys(t)[i], w.waiting(t)[0].ID); err != nil {
			t.Fatal(err)
		}
		traced, err := w.Server.Trace(t.Context(), w.Org, m.MessageID)
		if err != nil || len(traced) != 1 {
			t.Fatal(traced, err)
		}
		if d := traced[0].Deliveries[0]; d.State != mail.DeliveryRejected || d.LastReply != "dropped from the queue by "+by || d.UpdatedAt.Before(at) || len(traced[0].Attempts[d.ID]) != 1 {
			t.Errorf("%+v", d)
		}
	}
}
