package server_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// sending is a world with an inbox that writes to other hosts.
type sending struct {
	*servertest.World
	hosts *servertest.Courier
	alice mail.Grant
}

func newSending(t *testing.T, limits server.QueueLimits, answer func(mail.Transfer) []mail.TransferResult) *sending {
	t.Helper()
	hosts := servertest.NewCourier(answer)
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Queue = hosts, limits })
	return &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
}

func (w *sending) send(t *testing.T, g mail.Grant, to ...string) mail.Message {
	t.Helper()
	m, err := w.Server.Send(context.Background(), g, server.SendRequest{To: to, Subject: "Hello", Text: str("Hi.")})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// labels are those of a sent message.
func (w *sending) labels(t *testing.T, m mail.Message) string {
	t.Helper()
	got, _, err := w.Server.GetMessage(context.Background(), w.alice, m.MessageID)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got.Labels, " ")
}

// carry lets the queue take a step until ok.
func (w *sending) carry(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		if _, err := w.Server.CarryDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		return ok()
	})
}

// waiting is what waits in the queue of all pods.
func (w *sending) waiting(t *testing.T) []mail.Delivery {
	t.Helper()
	queued, _, err := w.Server.ListDeliveries(context.Background(), w.Org, mail.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return queued
}

// events are the types of the events of alice's inbox with the bounces' types, in order.
func (w *sending) events(t *testing.T) (types []string) {
	t.Helper()
	err := w.Store.For(w.alice.Scope).Read(context.Background(), func(tx storage.Tx) error {
		events, err := tx.ListEvents(0, 1000)
		for _, e := range events {
			if strings.HasPrefix(string(e.Type), "label.") {
				continue
			}
			text := strings.TrimPrefix(string(e.Type), "message.")
			if e.Type == mail.EventBounced {
				text += fmt.Sprintf(" %v/%v", e.Details["type"], e.Details["sub_type"])
			}
			types = append(types, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func TestWhatBecomesOfMailToOtherHosts(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) (results []mail.TransferResult) {
		raw, err := io.ReadAll(io.NewSectionReader(tr.Message, 0, tr.Size))
		if err != nil || !strings.Contains(string(raw), "Subject: Hello\r\n") || int64(len(raw)) != tr.Size {
			t.Errorf("the message: %v %q", err, raw)
		}
		for _, to := range tr.Recipients {
			r := mail.TransferResult{Recipient: to.Address, Code: 250, Text: "250 2.0.0 taken"}
			switch {
			case strings.HasPrefix(to.Address, "nobody@"):
				r = mail.TransferResult{Recipient: to.Address, Failure: mail.TransferReply, Permanent: true, Personal: true, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no such user"}
			case strings.HasPrefix(to.Address, "later@"):
				r = mail.TransferResult{Recipient: to.Address, Failure: mail.TransferReply, Code: 451, Enhanced: "4.2.0", Text: "451 4.2.0 come back"}
			}
			results = append(results, r)
		}
		return results
	})
	m := w.send(t, w.alice, "bob@other.test", "Nobody <nobody@OTHER.test>", "later@other.test", "carol@elsewhere.test")
	w.carry(t, "all but one are settled", func() bool { return len(w.hosts.Seen()) == 2 && len(w.waiting(t)) == 1 })
	if got := w.labels(t, m); got != "bounced delayed delivered sent" {
		t.Error("labels:", got)
	}
	seen := w.hosts.Seen()
	slices.SortFunc(seen, func(a, b mail.Transfer) int { return strings.Compare(a.Destination, b.Destination) })
	if len(seen) != 2 || seen[0].Destination != "elsewhere.test" || seen[1].Destination != "other.test" || len(seen[1].Recipients) != 3 {
		t.Fatalf("transfers: %+v", seen)
	}
	if tr := seen[1]; !strings.HasPrefix(tr.ReversePath, "alice+bounce-") || !strings.HasSuffix(tr.ReversePath, "@podmail.test") || tr.HELO != "mx.podmail.test" || tr.TraceID != m.TraceID || tr.Size != m.Size {
		t.Errorf("transfer: %+v", tr)
	}
	late := w.waiting(t)[0]
	if wait := late.NextAttemptAt.Sub(w.Clock.Now()); late.Attempts != 1 || late.LastReply != "451 4.2.0 come back" || wait < 3*time.Minute || wait > 7*time.Minute {
		t.Errorf("late: %+v in %v", late, wait)
	}
	got := w.events(t)
	slices.Sort(got)
	if want := []string{"bounced Permanent/NoEmail", "delivered", "delivered", "sent"}; !slices.Equal(got, want) {
		t.Errorf("events: %q", got)
	}

	w.hosts.Answer(nil)
	w.Clock.Step(4 * time.Minute)
	w.Clock.Step(4 * time.Minute)
	w.carry(t, "the late one is delivered", func() bool { return len(w.waiting(t)) == 0 })
	if got := w.labels(t, m); got != "bounced delivered sent" {
		t.Error("labels in the end:", got)
	}
}

func TestAfterFiveDaysItIsGivenUp(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Text: "connection refused"})
	})
	m := w.send(t, w.alice, "bob@dead.test")
	began := w.Clock.Now()
	for attempts := 1; len(w.waiting(t)) > 0 && attempts < 60; attempts++ {
		w.carry(t, fmt.Sprint("attempt ", attempts), func() bool { q := w.waiting(t); return len(q) == 0 || q[0].Attempts == attempts })
		if q := w.waiting(t); len(q) > 0 {
			w.Clock.Step(q[0].NextAttemptAt.Sub(w.Clock.Now()))
		}
	}
	lasted := w.Clock.Now().Sub(began)
	if n := len(w.hosts.Seen()); n < 30 || n > 50 || lasted < 100*time.Hour || lasted > 121*time.Hour {
		t.Errorf("%d attempts in %v", n, lasted)
	}
	if got := w.labels(t, m); got != "bounced sent" {
		t.Error("labels:", got)
	}
	if got := w.events(t); !slices.Equal(got, []string{"sent", "bounced Transient/General"}) {
		t.Errorf("events: %q", got)
	}
}

// TestAFloodHoldsUpNobodyElse has one pod send much to a host that takes one message at a time, and another one message.
func TestAFloodHoldsUpNobodyElse(t *testing.T) {
	release := make(chan bool)
	w := newSending(t, server.QueueLimits{Transfers: 8, PerDestination: 4}, func(tr mail.Transfer) []mail.TransferResult {
		<-release
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	for i := range 40 {
		w.send(t, w.alice, fmt.Sprintf("u%d@slow.test", i))
	}
	w.carry(t, "the flood has its places", func() bool { return len(w.hosts.Seen()) == 3 }) // three quarters
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	w.send(t, bob, "friend@slow.test")
	w.send(t, w.alice, "else@other.test")
	w.carry(t, "the others go at once", func() bool { return len(w.hosts.Seen()) == 5 })
	seen := w.hosts.Seen()[3:]
	slices.SortFunc(seen, func(a, b mail.Transfer) int { return strings.Compare(a.Destination, b.Destination) })
	if seen[0].Destination != "other.test" || !strings.HasPrefix(seen[1].ReversePath, "bob+bounce-") {
		t.Errorf("%+v", seen)
	}
	close(release)
	w.carry(t, "everything is delivered", func() bool { return len(w.waiting(t)) == 0 })
	if n, most := len(w.hosts.Seen()), w.hosts.Most("slow.test"); n != 42 || most > 4 {
		t.Errorf("%d transfers, %d at a time", n, most)
	}
}

// TestADestinationThatAsksForLessIsLeftAlone, whichever way it does: one that says "later" of a message is not.
func TestADestinationThatAsksForLessIsLeftAlone(t *testing.T) {
	for _, c := range []struct {
		result mail.TransferResult
		asked  int
	}{
		{mail.TransferResult{Failure: mail.TransferReply, Code: 421, Enhanced: "4.3.2", Text: "421 4.3.2 too fast"}, 1},
		{mail.TransferResult{Failure: mail.TransferReply, Code: 450, Enhanced: "4.7.1", Text: "450 4.7.1 who are you"}, 1},
		{mail.TransferResult{Failure: mail.TransferConnection, Enhanced: "4.4.1", Text: "connection refused"}, 1},
		{mail.TransferResult{Failure: mail.TransferDNS, Enhanced: "4.4.3", Text: "no answer"}, 1},
		{mail.TransferResult{Failure: mail.TransferReply, Code: 452, Enhanced: "4.2.2", Text: "452 4.2.2 full"}, 5},
		{mail.TransferResult{Failure: mail.TransferTLS, Enhanced: "4.7.5", Text: "a wrong certificate"}, 5},
	} {
		t.Run(c.result.Text, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{PerDestination: 1}, func(tr mail.Transfer) []mail.TransferResult { return servertest.ForEach(tr, c.result) })
			for i := range 5 {
				w.send(t, w.alice, fmt.Sprintf("u%d@busy.test", i))
			}
			w.carry(t, "it was asked", func() bool {
				asked := 0
				for _, q := range w.waiting(t) {
					asked += q.Attempts
				}
				return asked == c.asked
			})
			for range 3 {
				w.Server.CarryDue(context.Background())
			}
			if n := len(w.hosts.Seen()); n != c.asked {
				t.Errorf("asked %d times", n)
			}
			w.hosts.Answer(nil)
			w.Clock.Step(31 * time.Second)
			w.carry(t, "the others are delivered then", func() bool { return len(w.waiting(t)) == c.asked })
		})
	}
}

func TestADestinationGetsSoMuchAMinute(t *testing.T) {
	w := newSending(t, server.QueueLimits{PerMinute: 3}, nil)
	w.Clock.Step(w.Clock.Now().Truncate(time.Minute).Add(time.Minute).Sub(w.Clock.Now()))
	for i := range 8 {
		w.send(t, w.alice, fmt.Sprintf("u%d@counting.test", i))
	}
	for minute := range 3 {
		want := min(3*(minute+1), 8)
		w.carry(t, "its share goes", func() bool { return len(w.hosts.Seen()) == want && len(w.waiting(t)) == 8-want })
		for range 3 {
			w.Server.CarryDue(context.Background())
		}
		if n := len(w.hosts.Seen()); n != want {
			t.Errorf("%d in minute %d", n, minute)
		}
		w.Clock.Step(time.Minute)
	}
}

func TestDeletedMessagesAreDeliveredAllTheSame(t *testing.T) {
	ctx := context.Background()
	var once sync.Once
	var hash [sha256.Size]byte
	began, release := make(chan bool), make(chan bool)
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		once.Do(func() { close(began); <-release })
		raw, err := io.ReadAll(io.NewSectionReader(tr.Message, 0, tr.Size))
		if tr.Destination == "one.test" {
			hash = sha256.Sum256(raw)
		}
		if err != nil || !strings.Contains(string(raw), "Subject: Hello") {
			t.Errorf("%v %q", err, raw)
		}
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	m := w.send(t, w.alice, "a@one.test", "b@two.test")
	<-began
	if err := w.Server.DeleteMessage(ctx, w.alice, m.MessageID); err != nil {
		t.Fatal(err)
	}
	close(release)
	w.carry(t, "both are delivered", func() bool { return len(w.waiting(t)) == 0 && len(w.events(t)) == 3 })
	err := w.Store.For(mail.Scope{Pod: w.alice.Scope.Pod}).Read(ctx, func(tx storage.Tx) error {
		_, err := tx.FindBlob(hash[:])
		return err
	})
	if !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("the bytes are still there: %v", err)
	}
}

func TestTheOperatorControlsTheQueue(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Host: "mx.dead.test [192.0.2.1]", Text: "connection refused"})
	})
	m := w.send(t, w.alice, "a@dead.test", "b@dead.test", "c@dead.test")
	w.carry(t, "all were tried", func() bool {
		return !slices.ContainsFunc(w.waiting(t), func(d mail.Delivery) bool { return d.Attempts != 1 })
	})
	byName := map[string]int64{}
	for _, d := range w.waiting(t) {
		byName[d.Recipient[:1]] = d.ID
	}
	_, attempts, err := w.Server.GetDelivery(ctx, w.Org, byName["a"])
	if err != nil || len(attempts) != 1 || attempts[0].Reply != "connection refused" || attempts[0].Host != "mx.dead.test [192.0.2.1]" {
		t.Errorf("%+v, %v", attempts, err)
	}
	w.hosts.Answer(nil)
	for id, do := range map[string]func(context.Context, mail.Grant, int64) error{"a": w.Server.RetryDelivery, "b": w.Server.HoldDelivery, "c": w.Server.DropDelivery} {
		if err := do(ctx, w.Org, byName[id]); err != nil {
			t.Fatal(id, err)
		}
	}
	w.carry(t, "a is delivered, though its destination is left alone", func() bool { return len(w.waiting(t)) == 1 })
	if got := w.labels(t, m); got != "delayed delivered rejected sent" {
		t.Error("labels:", got)
	}
	w.Clock.Step(24 * time.Hour)
	w.Server.CarryDue(ctx)
	if d := w.waiting(t)[0]; d.State != mail.DeliveryHeld || d.Recipient != "b@dead.test" {
		t.Errorf("held: %+v", d)
	}
	if err := w.Server.ReleaseDelivery(ctx, w.Org, byName["b"]); err != nil {
		t.Fatal(err)
	}
	w.carry(t, "b is delivered", func() bool { return len(w.waiting(t)) == 0 })
	if err := w.Server.RetryDelivery(ctx, w.Org, byName["a"]); mail.CodeOf(err) != mail.CodeConflict {
		t.Error("what is settled cannot be tried again:", err)
	}
	traced, err := w.Server.Trace(ctx, w.Org, strings.Trim(m.MessageID, "<>"))
	if err != nil || len(traced) != 1 || len(traced[0].Deliveries) != 3 || len(traced[0].Attempts[byName["a"]]) != 2 {
		t.Errorf("%+v, %v", traced, err)
	}
}

func TestWhatIsStoppedWaits(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	for _, c := range []struct {
		kind mail.PauseKind
		name string
		goes string // what goes on: who sends to where
	}{
		{mail.PausePod, w.alice.PodID, "bob one, bob two"},
		{mail.PauseDestination, "ONE.test", "alice two, bob two"},
		{mail.PauseDomain, "podmail.test", ""},
	} {
		before := len(w.hosts.Seen())
		if _, err := w.Server.Pause(ctx, w.Org, c.kind, c.name, "spam"); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"x@one.test", "x@two.test"} {
			w.send(t, w.alice, to)
			w.send(t, bob, to)
		}
		went := func() string {
			var list []string
			for _, tr := range w.hosts.Seen()[before:] {
				list = append(list, strings.TrimSuffix(tr.ReversePath[:strings.IndexAny(tr.ReversePath, "@+")]+" "+tr.Destination, ".test"))
			}
			slices.Sort(list)
			return strings.Join(list, ", ")
		}
		w.carry(t, fmt.Sprintf("%s is stopped", c.kind), func() bool { return went() == c.goes })
		if err := w.Server.Resume(ctx, w.Org, c.kind, c.name); err != nil {
			t.Fatal(err)
		}
		w.carry(t, "all goes on", func() bool { return len(w.waiting(t)) == 0 })
	}
	tenant := mail.Grant{Scope: bob.Scope, KeyScope: bob.Scope}
	if _, err := w.Server.Pause(ctx, tenant, mail.PauseDestination, "one.test", ""); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("a tenant stopped mail")
	}
	for _, name := range []string{"no domain", "not a domain!", "", ".", "a..b"} {
		for _, kind := range []mail.PauseKind{mail.PauseDestination, mail.PauseDomain} {
			if _, err := w.Server.Pause(ctx, w.Org, kind, name, ""); mail.CodeOf(err) != mail.CodeInvalid {
				t.Errorf("%q, which is no domain, is stopped: %v", name, err)
			}
		}
	}
}

// TestWhoIsStoppedSeesIt: a tenant sees whether its own pod is stopped, and nothing of what else is.
func TestWhoIsStoppedSeesIt(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	for kind, name := range map[mail.PauseKind]string{mail.PausePod: w.alice.PodID, mail.PauseDestination: "Bücher.test.", mail.PauseDomain: "podmail.test"} {
		first, err := w.Server.Pause(ctx, w.Org, kind, name, "late")
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range []string{"unpaid", ""} { // a new reason, and none
			if p, err := w.Server.Pause(ctx, w.Org, kind, name, reason); err != nil || p.Reason != "unpaid" || p.Kind != kind || !p.CreatedAt.Equal(first.CreatedAt) {
				t.Errorf("%s: %+v, %v", kind, p, err)
			}
		}
	}
	for _, c := range []struct {
		who  mail.Grant
		want string
	}{{w.Org, "destination xn--bcher-kva.test, domain podmail.test, pod " + w.alice.PodID}, {w.alice, "pod " + w.alice.PodID}, {bob, ""}} {
		pauses, err := w.Server.ListPauses(ctx, c.who)
		var seen []string
		for _, p := range pauses {
			seen = append(seen, string(p.Kind)+" "+p.Name)
		}
		if got := strings.Join(seen, ", "); err != nil || got != c.want {
			t.Errorf("%s sees %q, %v; want %q", c.who.Scope.Type(), got, err, c.want)
		}
	}
	if err := w.Server.Resume(ctx, w.Org, mail.PauseDestination, "BÜCHER.test"); err != nil {
		t.Error(err)
	}
}

// TestTransfersCutOffAreRepeated stands for a crash: what was on its way is found again by who comes after.
func TestTransfersCutOffAreRepeated(t *testing.T) {
	ctx := context.Background()
	never := make(chan bool)
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult { <-never; return nil })
	defer close(never)
	w.send(t, w.alice, "bob@other.test")
	w.carry(t, "it is on its way", func() bool { return len(w.hosts.Seen()) == 1 })
	hosts := servertest.NewCourier(nil)
	options := w.Options
	options.Courier = hosts
	after := server.New(options)
	eventually(t, "it is delivered", func() bool {
		if _, err := after.CarryDue(ctx); err != nil {
			t.Fatal(err)
		}
		return len(w.waiting(t)) == 0
	})
	if n := len(hosts.Seen()); n != 1 {
		t.Errorf("%d transfers", n)
	}
}
