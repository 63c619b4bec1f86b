package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// counted is what a registry shows of a metric: labels and value of each series.
func counted(t *testing.T, r *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			series[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return series
}

// TestWhatIsCountedOfTheQueue: attempts, outcomes, what waits; and by name only destinations that get much mail.
func TestWhatIsCountedOfTheQueue(t *testing.T) {
	r := prometheus.NewRegistry()
	hosts := servertest.NewCourier(func(tr mail.Transfer) []mail.TransferResult {
		switch tr.Destination {
		case "later.test":
			return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Text: "refused"})
		case "never.test":
			return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no"})
		}
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Metrics = hosts, r })
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	to := []string{"nobody@podmail.test", "alice@podmail.test", "a@never.test", "a@later.test", "b@later.test"}
	for i := range 12 {
		to = append(to, fmt.Sprintf("u%d@much.test", i))
	}
	s.send(t, s.alice, to...)
	s.carry(t, "all but two are settled", func() bool { return len(s.waiting(t)) == 2 && counted(t, r, "podmail_queue_transfers")[""] == 0 })
	for name, want := range map[string]map[string]float64{
		"podmail_queue_attempts_total":             {"taken": 12, "connection": 2, "reply": 1},
		"podmail_queue_destination_attempts_total": {"much.test taken": 3, "other taken": 9, "other later": 2, "other refused": 1},
		"podmail_queue_outcomes_total":             {"local bounced": 1, "local delivered": 1, "smtp bounced": 1, "smtp delivered": 12},
		"podmail_queue_waiting":                    {"now": 0, "later": 2, "held": 0},
		"podmail_queue_resting_destinations":       {"": 1},
		"podmail_webhook_open_posts":               {"": 0},
	} {
		if got := counted(t, r, name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestWhatIsCountedOfWebhooks: posts by the class of what the endpoint answered.
func TestWhatIsCountedOfWebhooks(t *testing.T) {
	r := prometheus.NewRegistry()
	e := &endpoints{down: map[string]bool{"https://down.test/": true}}
	w := servertest.New(t, func(o *server.Options) { o.Poster, o.Metrics = e, r })
	h := &hooked{World: w, endpoints: e, pod: w.Pod(t, "a")}
	w.Inbox(t, h.pod, "alice")
	h.hook(t, h.pod, server.NewWebhook{URL: "https://up.test/"})
	h.hook(t, h.pod, server.NewWebhook{URL: "https://down.test/"})
	h.receive(t, "alice", "one")
	h.until(t, "both were asked", func() bool {
		return fmt.Sprint(counted(t, r, "podmail_webhook_posts_total")) == "map[2xx:1 5xx:1]"
	})
}

// TestDestinationsOfOutcomes: what became of mail is counted by destination, for those that get much.
func TestDestinationsOfOutcomes(t *testing.T) {
	r := prometheus.NewRegistry()
	hosts := servertest.NewCourier(func(tr mail.Transfer) []mail.TransferResult {
		if tr.Destination == "dead.test" {
			return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Code: 550, Enhanced: "5.7.1", Text: "550 5.7.1 no"})
		}
		return servertest.ForEach(tr, mail.TransferResult{Text: "250 OK"})
	})
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Metrics = hosts, r })
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	for _, destination := range []string{"well.test", "dead.test", "well.test", "dead.test", "quiet.test"} {
		n := 10
		if destination == "quiet.test" {
			n = 2
		}
		var to []string
		for i := range n {
			to = append(to, fmt.Sprintf("u%d@%s", i, destination))
		}
		s.send(t, s.alice, to...)
		s.carry(t, "all are settled", func() bool { return len(s.waiting(t)) == 0 && counted(t, r, "podmail_queue_transfers")[""] == 0 })
	}
	got := counted(t, r, "podmail_queue_destination_outcomes_total")
	if got["well.test delivered"] < 10 || got["dead.test bounced"] < 10 || got["quiet.test delivered"] != 0 ||
		got["well.test delivered"]+got["dead.test bounced"]+got["other delivered"]+got["other bounced"] != 42 {
		t.Errorf("%v", got)
	}
}

// TestWhatIsDoneByHandIsCounted, whichever process does it: the command line's, or the server's.
func TestWhatIsDoneByHandIsCounted(t *testing.T) {
	ctx := t.Context()
	r := prometheus.NewRegistry()
	hosts := servertest.NewCourier(func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Text: "refused"})
	})
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Metrics = hosts, r })
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	s.send(t, s.alice, "a@dead.test", "b@dead.test", "c@dead.test")
	s.carry(t, "all were tried", func() bool { return counted(t, r, "podmail_queue_attempts_total")["connection"] == 3 })
	options := w.Options
	options.Metrics = nil
	beside := server.New(options)
	ds := s.waiting(t)
	for _, do := range []func() error{
		func() error { return beside.HoldDelivery(ctx, w.Org, ds[0].ID) },
		func() error { return beside.HoldDelivery(ctx, w.Org, ds[0].ID) }, // it is held
		func() error { return w.Server.HoldDelivery(ctx, w.Org, ds[1].ID) },
		func() error { return w.Server.HoldDelivery(ctx, w.Org, ds[2].ID) },
		func() error { return beside.ReleaseDelivery(ctx, w.Org, ds[1].ID) },
		func() error { return beside.ReleaseDelivery(ctx, w.Org, ds[1].ID) }, // it is not held
		func() error { return w.Server.RetryDelivery(ctx, w.Org, ds[1].ID) },
		func() error { return beside.DropDelivery(ctx, w.Org, ds[1].ID) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]map[string]float64{
		"podmail_queue_controls_total": {"held": 3, "released": 1, "retried": 1, "dropped": 1},
		"podmail_queue_waiting":        {"now": 0, "later": 0, "held": 2},
		"podmail_queue_outcomes_total": {},
	} {
		if got := counted(t, r, name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestWhatIsNotSentIsCounted by what stands against it.
func TestWhatIsNotSentIsCounted(t *testing.T) {
	ctx := t.Context()
	r := prometheus.NewRegistry()
	hosts := servertest.NewCourier(func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Personal: true, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no"})
	})
	w := servertest.New(t, func(o *server.Options) {
		o.Courier, o.Metrics, o.Sending = hosts, r, server.SendingLimits{Pod: mail.Rate{PerHour: 5}}
	})
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	if _, err := w.Server.CreateListEntry(ctx, s.alice, server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}, server.NewListEntry{Entry: "no.test"}); err != nil {
		t.Fatal(err)
	}
	s.send(t, s.alice, "gone@other.test")
	s.carry(t, "it bounced", func() bool { return len(s.waiting(t)) == 0 })
	for _, to := range [][]string{{"x@no.test"}, {"x@no.test"}, {"gone@other.test"}, {"1@a.test", "2@a.test", "3@a.test", "4@a.test", "5@a.test"}, {"1@a.test", "2@a.test", "3@a.test", "4@a.test", "5@a.test", "6@a.test"}} {
		if _, err := w.Server.Send(ctx, s.alice, server.SendRequest{To: to}); err == nil {
			t.Errorf("%v: it was sent", to)
		}
	}
	if got := counted(t, r, "podmail_sends_refused_total"); fmt.Sprint(got) != "map[limit:2 list:2 suppression:1]" {
		t.Errorf("%v", got)
	}
}

// TestWhatComesInIsCounted by where it went, and what decided that.
func TestWhatComesInIsCounted(t *testing.T) {
	ctx := t.Context()
	r := prometheus.NewRegistry()
	w := servertest.New(t, func(o *server.Options) { o.Metrics, o.Intake.Greylist = r, true })
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	before := counted(t, r, "podmail_intake_total") // the other tenant's
	for entry, list := range map[string]mail.ListType{"evil.test": mail.ListBlock, "good.test": mail.ListAllow} {
		if _, err := w.Server.CreateListEntry(ctx, alice, server.List{Direction: mail.DirectionReceive, Type: list}, server.NewListEntry{Entry: entry}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	come := func(from string, change func(*mail.Authentication), more func(*server.Incoming)) {
		n++
		in := server.Incoming{ReversePath: "joe@" + from, Recipients: []string{alice.InboxID}, Session: server.Session{Protocol: "ESMTP"},
			Body: strings.NewReader(fmt.Sprintf("From: joe@%s\r\nSubject: s\r\nMessage-ID: <%d@%s>\r\n\r\nHi.\r\n", from, n, from))}
		in.Authenticate = func() mail.Authentication {
			return *found(func(a *mail.Authentication) {
				a.SPF.Result = mail.AuthPass // so that nobody is a stranger
				change(a)
			})
		}
		if more != nil {
			more(&in)
		}
		w.Server.Deliver(ctx, in) // what comes of it is counted
	}
	asItIs := func(*mail.Authentication) {}
	come("good.test", asItIs, nil)
	come("evil.test", asItIs, nil)
	if err := w.Server.DeleteListEntry(ctx, alice, server.List{Direction: mail.DirectionReceive, Type: mail.ListAllow}, "good.test"); err != nil {
		t.Fatal(err)
	}
	come("some.test", asItIs, nil)
	come("some.test", fails(mail.PolicyReject), nil)
	come("some.test", func(a *mail.Authentication) { a.SPF.Result = mail.AuthFail; a.DMARC.Result = mail.AuthPass }, nil)
	come("some.test", func(a *mail.Authentication) { a.SPF.Result = mail.AuthNone }, nil)
	come("some.test", func(a *mail.Authentication) {
		a.BlockLists = []mail.ListedAt{{Zone: "bl.test", Reason: "spam"}}
	}, nil)
	for _, action := range []string{"reject", "soft reject", "add header"} {
		come("some.test", asItIs, func(in *server.Incoming) {
			in.Filter = func() mail.FilterResult { return mail.FilterResult{Action: action} }
		})
	}
	for _, verdict := range []mail.ScanVerdict{mail.ScanInfected, mail.ScanFailed, mail.ScanClean} {
		come("some.test", asItIs, func(in *server.Incoming) {
			in.Scan = func() mail.ScanResult { return mail.ScanResult{Verdict: verdict} }
		})
	}
	got := counted(t, r, "podmail_intake_total")
	for labels, n := range before {
		got[labels] -= n
	}
	want := map[string]float64{"list received": 1, "list blocked": 1, "none received": 3, "dmarc unauthenticated": 1, "greylist deferred": 1, "dnsbl refused": 1,
		"rspamd refused": 1, "rspamd deferred": 1, "rspamd spam": 1, "clamav refused": 1, "clamav deferred": 1}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
