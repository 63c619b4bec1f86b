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
		"podmail_queue_waiting":                    {"now": 0, "later": 2},
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
