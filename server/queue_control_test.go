package server_test

import (
	"context"
	"slices"
	"strings"
	"testing"

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
