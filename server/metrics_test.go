package server_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// happened is how many events of each type a scope had in the last 24 hours.
func happened(t *testing.T, s *server.Server, g mail.Grant, period time.Duration) map[mail.EventType]int64 {
	t.Helper()
	series, err := s.QueryEvents(context.Background(), g, nil, server.MetricsQuery{Period: period})
	if err != nil {
		t.Fatal(err)
	}
	n := map[mail.EventType]int64{}
	for typ, points := range series {
		for _, p := range points {
			n[typ] += p.Value
		}
	}
	return n
}

// used is how much there is in a scope now.
func used(t testing.TB, s *server.Server, g mail.Grant) map[mail.UsageType]int64 {
	t.Helper()
	series, err := s.QueryUsage(context.Background(), g, nil, server.MetricsQuery{Limit: 1, Descending: true})
	if err != nil {
		t.Fatal(err)
	}
	now := map[mail.UsageType]int64{}
	for typ, points := range series {
		now[typ] = points[0].Value
	}
	return now
}

// TestMetrics counts a small story at each scope.
func TestMetrics(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	s := w.Server
	before, past := used(t, s, w.Org), happened(t, s, w.Org, time.Hour)
	pod := w.Pod(t, "acme")
	alice, bob := w.Inbox(t, pod, "alice"), w.Inbox(t, pod, "bob")
	w.Deliver(t, "alice@podmail.test", letter("one", ""))
	w.Clock.Step(2 * time.Hour)
	w.Deliver(t, "alice@podmail.test", letter("two", "<one@x>"))
	w.Deliver(t, "bob@podmail.test", letter("three", ""))

	if got := happened(t, s, alice, 0)[mail.EventReceived]; got != 2 {
		t.Errorf("alice received %d", got)
	}
	if got := happened(t, s, pod, time.Hour)[mail.EventReceived]; got != 3 {
		t.Errorf("the pod received %d", got)
	}
	if got := happened(t, s, w.Org, 24*time.Hour)[mail.EventReceived] - past[mail.EventReceived]; got != 3 {
		t.Errorf("the organization received %d", got)
	}
	inAlice := used(t, s, alice)
	if inAlice[mail.UsageMessageCount] != 2 || inAlice[mail.UsageThreadCount] != 1 || inAlice[mail.UsageStorageBytes] == 0 || len(inAlice) != 3 {
		t.Errorf("alice has %v", inAlice)
	}
	inPod := used(t, s, pod)
	if inPod[mail.UsageMessageCount] != 3 || inPod[mail.UsageInboxCount] != 2 || inPod[mail.UsageDomainCount] != 0 || len(inPod) != 5 {
		t.Errorf("the pod has %v", inPod)
	}
	if err := s.DeleteInbox(ctx, w.Org, bob.InboxID); err != nil {
		t.Fatal(err)
	}
	for more, err := true, error(nil); more; {
		if more, err = s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got := happened(t, s, pod, time.Hour)[mail.EventReceived]; got != 3 {
		t.Errorf("the pod received %d, with what the deleted inbox did", got)
	}
	inAlice[mail.UsageInboxCount], inAlice[mail.UsageDomainCount] = 1, 0
	if diff := cmp.Diff(inAlice, used(t, s, pod)); diff != "" {
		t.Error("the pod without bob:", diff)
	}
	w.Deliver(t, "alice@podmail.test", letter("four", "")) // which nobody has added up when the inbox goes
	if err := s.DeleteInbox(ctx, w.Org, alice.InboxID); err != nil {
		t.Fatal(err)
	}
	if err := s.DeletePod(ctx, w.Org, pod.PodID); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, used(t, s, w.Org)); diff != "" {
		t.Error("the organization when all is over:", diff)
	}
	series, err := s.QueryUsage(ctx, w.Org, []mail.UsageType{mail.UsageMessageCount}, server.MetricsQuery{Start: w.Clock.Now().Add(-time.Hour), Period: 30 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	base := before[mail.UsageMessageCount]
	if p := series[mail.UsageMessageCount]; len(p) != 2 || p[0].Value != base+1 || p[1].Value != base {
		t.Errorf("half an hour ago there was one message more: %+v", p)
	}
}

// TestEventBuckets: one for each event without a period; with one, those of the periods from start on in which
// something happened; newest first, and not more than asked for.
func TestEventBuckets(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	alice := w.Inbox(t, w.Org, "alice")
	start := w.Clock.Now().Truncate(time.Millisecond)
	for i, wait := range []time.Duration{0, 30 * time.Second, 45 * time.Second, time.Hour} {
		w.Clock.Step(wait)
		w.Deliver(t, "alice@podmail.test", letter(fmt.Sprint(i), ""))
	}
	of := func(q server.MetricsQuery) (out []string) {
		t.Helper()
		q.Start = start
		series, err := w.Server.QueryEvents(ctx, alice, []mail.EventType{mail.EventReceived, mail.EventDomainVerified}, q)
		if err != nil || len(series) != 1 {
			t.Fatal(series, err)
		}
		for _, p := range series[mail.EventReceived] {
			out = append(out, fmt.Sprint(p.At.Sub(start).Truncate(time.Second), " ", p.Value))
		}
		return out
	}
	for _, c := range []struct {
		query server.MetricsQuery
		want  []string
	}{
		{server.MetricsQuery{}, []string{"0s 1", "30s 1", "1m15s 1", "1h1m15s 1"}},
		{server.MetricsQuery{Period: time.Minute}, []string{"0s 2", "1m0s 1", "1h1m0s 1"}},
		{server.MetricsQuery{Period: time.Minute, Descending: true, Limit: 2}, []string{"1h1m0s 1", "1m0s 1"}},
		{server.MetricsQuery{Period: time.Hour, End: start.Add(time.Hour)}, []string{"0s 3"}},
		{server.MetricsQuery{Period: 24 * time.Hour}, []string{"0s 4"}},
	} {
		if diff := cmp.Diff(c.want, of(c.query)); diff != "" {
			t.Errorf("%+v: %s", c.query, diff)
		}
	}
}

func TestMetricsRanges(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	now := w.Clock.Now()
	for _, c := range []struct {
		query  server.MetricsQuery
		usage  bool
		code   mail.Code
		reason mail.Reason
	}{
		{server.MetricsQuery{Start: now.Add(-91 * 24 * time.Hour)}, false, mail.CodeInvalid, ""},
		{server.MetricsQuery{Start: now.Add(-90 * 24 * time.Hour)}, true, "", ""},
		{server.MetricsQuery{Start: now.Add(time.Hour)}, true, mail.CodeInvalid, ""},
		{server.MetricsQuery{Start: now.Add(-time.Hour), End: now.Add(-2 * time.Hour)}, false, mail.CodeInvalid, ""},
		{server.MetricsQuery{End: now.Add(time.Hour), Period: time.Second}, false, "", ""},
		{server.MetricsQuery{Period: time.Second}, true, mail.CodeInvalid, mail.ReasonRangeTooWide},
		{server.MetricsQuery{Start: now.Add(-1000 * time.Hour), Period: time.Hour, End: now}, true, "", ""},
		{server.MetricsQuery{Start: now.Add(-1001 * time.Hour), Period: time.Hour, End: now}, true, mail.CodeInvalid, mail.ReasonRangeTooWide},
	} {
		_, err := w.Server.QueryEvents(ctx, w.Org, nil, c.query)
		if c.usage {
			_, err = w.Server.QueryUsage(ctx, w.Org, nil, c.query)
		}
		if e, _ := err.(*mail.Error); (err == nil) != (c.code == "") || (e != nil && (e.Code != c.code || e.Reason != c.reason)) {
			t.Errorf("%+v: %v", c.query, err)
		}
	}
}

// TestUsageAgreesWithRows does random things and compares the running totals with what there is.
func TestUsageAgreesWithRows(t *testing.T) {
	w := servertest.New(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		ctx := context.Background()
		g := w.Inbox(t, w.Org, fmt.Sprintf("box%d", n))
		boxes, err := w.Server.ListMailboxes(ctx, g)
		if err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			disturb(rt, w, g, boxes)
		}
		messages, _, err := w.Server.ListMessages(ctx, g, mail.MessageFilter{Include: 0xff}, mail.Page{Limit: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		threads, _, err := w.Server.ListThreads(ctx, g, mail.MessageFilter{Include: 0xff}, mail.Page{Limit: 1000})
		if err != nil {
			rt.Fatal(err)
		}
		got := used(t, w.Server, g)
		if got[mail.UsageMessageCount] != int64(len(messages)) || got[mail.UsageThreadCount] != int64(len(threads)) {
			rt.Fatalf("there are %d messages in %d threads; %v", len(messages), len(threads), got)
		}
	})
}

// withReadings is a server whose organization has so many readings so far apart, up to now: of a message received each,
// and of its bytes.
func withReadings(t testing.TB, n int, apart time.Duration) *server.Server {
	t.Helper()
	dir := t.TempDir()
	s, store, err := openServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateInbox(context.Background(), s.Operator(), server.NewInbox{Username: "alice"}); err != nil {
		t.Fatal(err)
	}
	used(t, s, s.Operator())
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "podmail.db"))
	if err != nil {
		t.Fatal(err)
	}
	const insert = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO metrics SELECT 1000 + n.i, NULL, NULL, (SELECT min(at) FROM metrics) - (?1 - n.i) * ?2 - 1000, n.i * 1000, n.i, n.i, 0, 0, 0, n.i, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM n`
	if _, err := db.Exec(insert, n, apart.Microseconds()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if s, store, err = openServer(dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return s
}

// TestPeriodsOfOtherThingsAreBounded asks for what never happened among very many things that did.
func TestPeriodsOfOtherThingsAreBounded(t *testing.T) {
	s := withReadings(t, 60_000, time.Second)
	now := (&servertest.Clock{}).Now() // as openServer has it
	for hours, want := range map[time.Duration]mail.Reason{10: "", 16: mail.ReasonRangeTooWide} {
		_, err := s.QueryEvents(context.Background(), s.Operator(), []mail.EventType{mail.EventBounced}, server.MetricsQuery{Start: now.Add(-hours * time.Hour), Period: time.Second})
		if reasonOf(err) != want {
			t.Errorf("%d hours: %v", hours, err)
		}
	}
}

// BenchmarkMetrics asks for a day and for all ninety, of an organization with a million messages in that time.
func BenchmarkMetrics(b *testing.B) {
	ctx := context.Background()
	s := withReadings(b, 1_000_000, 7*time.Second)
	now := (&servertest.Clock{}).Now() // as openServer has it
	for name, q := range map[string]server.MetricsQuery{"day by hours": {Period: time.Hour}, "ninety days by days": {Start: now.Add(-80 * 24 * time.Hour), Period: 24 * time.Hour}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				series, err := s.QueryEvents(ctx, s.Operator(), nil, q)
				if err != nil || len(series[mail.EventReceived]) < 20 {
					b.Fatal(series, err)
				}
				if _, err := s.QueryUsage(ctx, s.Operator(), nil, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
