package server_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// told reads on for a consumer of grant g until there is no more, and returns the events as text.
func told(t *testing.T, w *servertest.World, g mail.Grant, sub mail.Subscription, after int64) (lines []string, last int64) {
	t.Helper()
	ctx := context.Background()
	for more := true; more; {
		var events []mail.Event
		var err error
		if events, after, more, err = w.Server.ListEvents(ctx, sub, after); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			v, ok, err := w.Server.Tell(ctx, g, e)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				lines = append(lines, strings.TrimSpace(fmt.Sprint(v.Type, " ", v.Message.InboxID, v.Domain.Name, " ", strings.TrimSpace(v.Content.Text))))
			}
			if all := fmt.Sprintf("%+v", v); strings.Contains(all, servertest.Poison) && g.Scope.Pod != 0 {
				t.Errorf("the twin's: %s", all)
			}
		}
	}
	return lines, after
}

func subscribe(t *testing.T, w *servertest.World, g mail.Grant, wanted server.Wanted) mail.Subscription {
	t.Helper()
	sub, err := w.Server.Subscribe(context.Background(), g, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func post(t *testing.T, w *servertest.World, to, text string) {
	t.Helper()
	w.Deliver(t, to+"@podmail.test", "From: eve@elsewhere.test\nTo: "+to+"@podmail.test\nSubject: s\n\n"+text+"\n")
}

func check(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestEventsAreToldInOrderToWhoMayKnow: each consumer is told what happens in its places, once, in order, and what its
// key may read.
func TestEventsAreToldInOrderToWhoMayKnow(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	alice, bob := w.Inbox(t, pod, "alice"), w.Inbox(t, pod, "bob")
	start, err := w.Server.LastEvent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	post(t, w, "alice", "one")
	post(t, w, "bob", "two")
	post(t, w, "poison.alice", servertest.Poison)
	if _, err := w.Server.CreateListEntry(ctx, bob, server.List{Direction: mail.DirectionReceive, Type: mail.ListBlock}, server.NewListEntry{Entry: "eve@elsewhere.test"}); err != nil {
		t.Fatal(err)
	}
	post(t, w, "bob", "three")

	lines, _ := told(t, w, pod, subscribe(t, w, pod, server.Wanted{}), start)
	check(t, "pod", lines, "message.received alice@podmail.test one", "message.received bob@podmail.test two")
	lines, _ = told(t, w, alice, subscribe(t, w, alice, server.Wanted{}), start)
	check(t, "inbox", lines, "message.received alice@podmail.test one")
	lines, _ = told(t, w, pod, subscribe(t, w, pod, server.Wanted{InboxIDs: []string{"BOB@podmail.test", "bob@podmail.test"}, PodIDs: []string{pod.PodID}}), start)
	check(t, "pod, and an inbox of it", lines, "message.received alice@podmail.test one", "message.received bob@podmail.test two")
	lines, last := told(t, w, pod, subscribe(t, w, pod, server.Wanted{EventTypes: []string{"message.received.blocked"}, InboxIDs: []string{bob.InboxID, alice.InboxID}}), start)
	check(t, "blocked", lines, "message.received.blocked bob@podmail.test three")

	post(t, w, "alice", "four")
	lines, _ = told(t, w, pod, subscribe(t, w, pod, server.Wanted{}), last)
	check(t, "later", lines, "message.received alice@podmail.test four")
	restricted := pod
	restricted.Permissions = mail.Permissions{mail.MessageRead: true}
	shown, _, err := w.Server.ListMessages(ctx, alice, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Server.UpdateMessage(ctx, alice, shown[0].MessageID, []string{mail.LabelTrash}, nil); err != nil {
		t.Fatal(err)
	}
	lines, _ = told(t, w, restricted, subscribe(t, w, restricted, server.Wanted{}), last)
	check(t, "trashed, to a key that may not read trash", lines)
	if err := w.Server.DeleteMessage(ctx, alice, shown[0].MessageID); err != nil {
		t.Fatal(err)
	}
	lines, _ = told(t, w, pod, subscribe(t, w, pod, server.Wanted{}), last)
	check(t, "deleted", lines)
}

// TestEventsOfManyInboxesAreToldWhole: however many happen in whichever of a subscription's places, each is told once.
func TestEventsOfManyInboxesAreToldWhole(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	names, want := []string{}, []string{}
	for _, name := range []string{"alice", "bob", "carol"} {
		names = append(names, w.Inbox(t, pod, name).InboxID)
	}
	for i := range 260 {
		to := []string{"alice", "alice", "alice", "bob"}[i%4]
		post(t, w, to, fmt.Sprint(i))
		want = append(want, fmt.Sprintf("message.received %s@podmail.test %d", to, i))
	}
	lines, _ := told(t, w, pod, subscribe(t, w, pod, server.Wanted{InboxIDs: names}), 0)
	check(t, "inboxes", lines, want...)
	lines, _ = told(t, w, pod, subscribe(t, w, pod, server.Wanted{}), 0)
	check(t, "pod", lines, want...)
}

// TestSentMailIsToldAsItGoes: what was sent, and what became of it at each recipient.
// TestChangesOfLabelsArePassedOnce: a consumer who is told nothing of them does not have them read again at every look.
func TestChangesOfLabelsArePassedOnce(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "acme"), "alice")
	post(t, w, "alice", "one")
	sub := subscribe(t, w, alice, server.Wanted{})
	_, last := told(t, w, alice, sub, 0)
	if _, err := w.Server.UpdateMessage(ctx, alice, lastMessage(t, w, alice), []string{"a"}, nil); err != nil {
		t.Fatal(err)
	}
	newest, err := w.Server.LastEvent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	lines, now := told(t, w, alice, sub, last)
	check(t, "labels", lines)
	if now < newest {
		t.Errorf("reads on from %d, where %d is the last event", now, newest)
	}
	post(t, w, "alice", "two")
	lines, _ = told(t, w, alice, sub, now)
	check(t, "after", lines, "message.received alice@podmail.test two")
}

func TestSentMailIsToldAsItGoes(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	alice := w.Inbox(t, pod, "alice")
	w.Inbox(t, pod, "bob")
	if _, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"bob@podmail.test", "nobody@podmail.test"}, Subject: "Question"}); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for len(lines) < 4 {
		if _, err := w.Server.DeliverDue(ctx); err != nil {
			t.Fatal(err)
		}
		lines, _ = told(t, w, pod, subscribe(t, w, pod, server.Wanted{}), 0)
	}
	slices.Sort(lines)
	check(t, "sent", lines, "message.bounced alice@podmail.test", "message.delivered alice@podmail.test", "message.received bob@podmail.test",
		"message.sent alice@podmail.test")
}

func TestDomainsAreToldWhenVerified(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	w.PoisonDomain(t)
	w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	w.Verified(t, w.Org, server.NewDomain{Name: "overall.example"})
	for _, wanting := range []bool{true, false} { // a key of the organization changes what the pod's domain has to publish
		if _, err := w.Server.UpdateDomain(context.Background(), w.Org, "acme.example", server.DomainUpdate{SubdomainsEnabled: &wanting}); err != nil {
			t.Fatal(err)
		}
	}
	lines, _ := told(t, w, pod, subscribe(t, w, pod, server.Wanted{EventTypes: []string{"domain.verified"}}), 0)
	check(t, "pod", lines, "domain.verified acme.example", "domain.verified acme.example")
	lines, _ = told(t, w, w.Org, subscribe(t, w, w.Org, server.Wanted{EventTypes: []string{"domain.verified"}}), 0)
	check(t, "organization", lines, "domain.verified poison.example", "domain.verified acme.example", "domain.verified overall.example", "domain.verified acme.example")
}

// TestSubscriptionsAreChecked: nobody subscribes to what he may not read, and what is elsewhere is as if it were not.
func TestSubscriptionsAreChecked(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	alice := w.Inbox(t, pod, "alice")
	reader := pod
	reader.Permissions = mail.Permissions{mail.MessageRead: true}
	writer := pod
	writer.Permissions = mail.Permissions{mail.MessageSend: true}
	key := alice
	key.KeyScope = alice.Scope
	for _, c := range []struct {
		name   string
		g      mail.Grant
		wanted server.Wanted
		code   mail.Code
	}{
		{"everything", pod, server.Wanted{}, ""},
		{"spam by name", pod, server.Wanted{EventTypes: []string{"message.received.spam"}}, ""},
		{"unknown type", pod, server.Wanted{EventTypes: []string{"message.read"}}, mail.CodeInvalid},
		{"labels", pod, server.Wanted{EventTypes: []string{"label.added"}}, mail.CodeInvalid},
		{"spam without its permission", reader, server.Wanted{EventTypes: []string{"message.received.spam"}}, mail.CodeForbidden},
		{"blocked without its permission", reader, server.Wanted{EventTypes: []string{"message.received.blocked"}}, mail.CodeForbidden},
		{"domains without their permission", reader, server.Wanted{EventTypes: []string{"domain.verified"}}, mail.CodeForbidden},
		{"nothing to read", writer, server.Wanted{}, mail.CodeForbidden},
		{"another's inbox", pod, server.Wanted{InboxIDs: []string{"poison.alice@podmail.test"}}, mail.CodeNotFound},
		{"no inbox", pod, server.Wanted{InboxIDs: []string{"nobody@podmail.test"}}, mail.CodeNotFound},
		{"an inbox by an inbox's key", key, server.Wanted{InboxIDs: []string{"alice@podmail.test"}}, ""},
		{"a neighbour by an inbox's key", key, server.Wanted{InboxIDs: []string{"poison.bob@podmail.test"}}, mail.CodeNotFound},
		{"a pod by an inbox's key", key, server.Wanted{PodIDs: []string{pod.PodID}}, mail.CodeForbidden},
		{"no pod", pod, server.Wanted{PodIDs: []string{"nowhere"}}, mail.CodeNotFound},
		{"too many", pod, server.Wanted{InboxIDs: make([]string, 101)}, mail.CodeInvalid},
	} {
		_, err := w.Server.Subscribe(ctx, c.g, c.wanted)
		if got := mail.CodeOf(err); err == nil && c.code != "" || err != nil && got != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	sub := subscribe(t, w, reader, server.Wanted{})
	if want := mail.EventTypes()[4:10]; !slices.Equal(sub.Types, append([]mail.EventType{mail.EventReceived}, want...)) {
		t.Error(sub.Types)
	}
}

// TestEventIDs: they lead back to where they came from, look like nothing, and cannot be made up.
func TestEventIDs(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	other := servertest.New(t)
	seen := map[string]bool{}
	for _, seq := range []int64{0, 1, 2, 3, 255, 256, 1 << 40, 1<<55 + 1} {
		id := w.Server.EventID(seq)
		if u, err := uuid.Parse(id); err != nil || u.Version() != 8 || u.Variant() != uuid.RFC4122 || seen[id] || id != w.Server.EventID(seq) {
			t.Errorf("%d: %s, %v", seq, id, err)
		}
		seen[id] = true
		if got, err := w.Server.AfterEvent(ctx, id); got != seq || err != nil {
			t.Errorf("%s: %d, %v, want %d", id, got, err, seq)
		}
		if _, err := other.Server.AfterEvent(ctx, id); mail.CodeOf(err) != mail.CodeInvalid {
			t.Errorf("another installation takes %s: %v", id, err)
		}
	}
}

func FuzzEventID(f *testing.F) {
	w := servertest.New(f)
	f.Add(w.Server.EventID(7))
	f.Add("00000000-0000-8000-8000-000000000007")
	f.Add("{0199b2f4-0000-8000-8000-000000000007}")
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		if seq, err := w.Server.AfterEvent(context.Background(), id); err == nil && !strings.EqualFold(w.Server.EventID(seq), id) {
			t.Errorf("%q is taken for %d", id, seq)
		}
	})
}

// TestOldEventsGo: after thirty days, however many there are; whoever would go on behind one that is gone is told so.
func TestOldEventsGo(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	alice := w.Inbox(t, pod, "alice")
	sweep := func() {
		t.Helper()
		for more := true; more; {
			var err error
			if more, err = w.Server.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	start, err := w.Server.LastEvent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	post(t, w, "alice", "old")
	if _, err := w.Server.UpdateMessage(ctx, alice, lastMessage(t, w, alice), []string{"a"}, nil); err != nil {
		t.Fatal(err)
	}
	w.Clock.Step(29 * 24 * time.Hour)
	sub := subscribe(t, w, pod, server.Wanted{})
	sweep()
	lines, old := told(t, w, pod, sub, start) // the change of a label is the last event
	check(t, "after 29 days", lines, "message.received alice@podmail.test old")
	post(t, w, "alice", "new")
	for upTo, want := range map[int64]int64{start: start, math.MaxInt64: old} { // what webhooks were not handed yet stays
		err := w.Store.System().Read(ctx, func(tx storage.SystemTx) error {
			seq, err := tx.FindOldEvent(w.Clock.Now().Add(-time.Hour), upTo, 1000)
			if seq != want {
				t.Errorf("up to %d: %d, want %d", upTo, seq, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Clock.Step(2 * 24 * time.Hour)
	sweep()
	lines, last := told(t, w, pod, sub, start)
	check(t, "after 31 days", lines, "message.received alice@podmail.test new")
	if events, _, err := w.Server.ListInboxEvents(ctx, alice, mail.Page{Limit: 10}); err != nil || len(events) > 0 {
		t.Error("changes of labels:", events, err)
	}
	if _, err := w.Server.AfterEvent(ctx, w.Server.EventID(old-1)); mail.CodeOf(err) != mail.CodeInvalid {
		t.Error("behind what is gone:", err)
	}
	if seq, err := w.Server.AfterEvent(ctx, w.Server.EventID(last)); seq != last || err != nil {
		t.Error(seq, err)
	}
	w.Clock.Step(31 * 24 * time.Hour)
	sweep()
	end, err := w.Server.LastEvent(ctx)
	if err != nil || end != last {
		t.Error("when all are gone:", end, last, err)
	}
	if _, err := w.Server.AfterEvent(ctx, w.Server.EventID(end)); err != nil {
		t.Error(err)
	}
}

func lastMessage(t *testing.T, w *servertest.World, g mail.Grant) string {
	t.Helper()
	messages, _, err := w.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	return messages[0].MessageID
}
