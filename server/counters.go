package server

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"podmail/mail"
	"podmail/storage"
)

// counters are what is counted for the operator of mail that is sent and comes in, and of webhooks. docs/delivery.md and
// docs/receiving.md name them.
type counters struct {
	attempts     *prometheus.CounterVec // result
	destinations *prometheus.CounterVec // destination, result
	outcomes     *prometheus.CounterVec // courier, outcome
	outcomesOf   *prometheus.CounterVec // destination, outcome
	refused      *prometheus.CounterVec // reason
	intake       *prometheus.CounterVec // verdict, reason
	posts        *prometheus.CounterVec // result
	busy         busyDestinations
}

func newCounters(r prometheus.Registerer) *counters {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "podmail_" + name, Help: help}, labels)
	}
	return &counters{
		attempts:     counter("queue_attempts_total", "Attempts to carry mail for a recipient to another host: taken, or where they broke off.", "result"),
		destinations: counter("queue_destination_attempts_total", "The same by destination, of those that get much mail.", "destination", "result"),
		outcomes:     counter("queue_outcomes_total", "What became of recipients in the end, by who carried their mail.", "courier", "outcome"),
		outcomesOf:   counter("queue_destination_outcomes_total", "What became of recipients at other hosts, by destination, of those that get much mail.", "destination", "outcome"),
		refused:      counter("sends_refused_total", "Messages that were not accepted for sending, by what stood against it.", "reason"),
		intake:       counter("intake_total", "What became of messages that came in, and what decided it.", "verdict", "reason"),
		posts:        counter("webhook_posts_total", "Posts to webhooks, by the class of their answer.", "result"),
	}
}

// watch shows what is there at the moment when somebody looks.
func (s *Server) watch(r prometheus.Registerer) {
	f := promauto.With(r)
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Name: "podmail_" + name, Help: help}, value)
	}
	gauge("queue_transfers", "Transfers to other hosts that are under way.", func() float64 { return float64(s.turns.underWay()) })
	gauge("queue_resting_destinations", "Destinations that are left alone for a while, since they do not answer or ask for less.", func() float64 { return float64(s.turns.resting(s.clock.Now())) })
	gauge("webhook_open_posts", "Posts to webhooks that are under way.", func() float64 { return float64(s.posting.underWay()) })
	if r != nil {
		r.MustRegister(queued{s})
	}
}

// attempt counts what came of an attempt for one recipient.
func (c *counters) attempt(destination string, r mail.TransferResult) {
	result, class := string(r.Failure), "later"
	switch {
	case r.Failure == "":
		result, class = "taken", "taken"
	case r.Permanent:
		class = "refused"
	}
	c.attempts.WithLabelValues(result).Inc()
	c.destinations.WithLabelValues(c.busy.label(destination), class).Inc()
}

// settled counts an outcome. What was dropped is counted in rows, by whichever process did it.
func (c *counters) settled(d *mail.Delivery, o outcome) {
	name := string(o.state)
	switch {
	case o.state == mail.DeliveryRejected:
		return
	case o.status == statusExpired:
		name = "expired"
	}
	c.outcomes.WithLabelValues(string(d.Courier), name).Inc()
	if d.Courier == mail.CourierSMTP {
		c.outcomesOf.WithLabelValues(c.busy.known(d.Destination), name).Inc()
	}
}

// What stands against sending a message.
const (
	byLimit       = "limit"
	byList        = "list"        // that somebody keeps, or the lack of an entry on an allow list
	bySuppression = "suppression" // an entry that the server made
)

// refuse counts a message that is not accepted for sending.
func (c *counters) refuse(reason string) { c.refused.WithLabelValues(reason).Inc() }

// takenIn counts a message that was stored in an inbox.
func (c *counters) takenIn(in *mail.Intake) {
	c.intake.WithLabelValues(in.Placement, string(in.Cause)).Inc()
}

// turnedAway counts a message that was not taken, and returns why.
func (c *counters) turnedAway(by mail.IntakeCause, why error) error {
	verdict := "refused"
	if code := mail.CodeOf(why); code == mail.CodeRateLimited || code == mail.CodeUnavailable {
		verdict = "deferred"
	}
	c.intake.WithLabelValues(verdict, string(by)).Inc()
	return why
}

// posted counts an answer of a webhook.
func (c *counters) posted(a mail.WebhookAnswer) {
	result := "failed"
	if a.Status >= 100 && a.Status <= 599 {
		result = string(rune('0'+a.Status/100)) + "xx"
	}
	c.posts.WithLabelValues(result).Inc()
}

// The bounds of destinations that are counted by name: senders choose how many there are.
const (
	maxNamed   = 100    // have a name; all others are "other"
	namedAfter = 10     // attempts
	maxUnnamed = 10_000 // are remembered that have none yet
)

// busyDestinations says which destinations are counted by name.
type busyDestinations struct {
	mu    sync.Mutex
	named map[string]bool
	seen  map[string]int // attempts of those that are not
}

// label is a destination's name in what is counted. A destination keeps its name, so that no count ever goes back.
func (b *busyDestinations) label(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.named[name] {
		return name
	}
	if len(b.named) >= maxNamed {
		return "other"
	}
	if b.seen == nil || len(b.seen) >= maxUnnamed {
		b.seen = map[string]int{}
	}
	if b.seen[name]++; b.seen[name] < namedAfter {
		return "other"
	}
	if b.named == nil {
		b.named = map[string]bool{}
	}
	b.named[name] = true
	delete(b.seen, name)
	return name
}

// known is what label last said of a destination.
func (b *busyDestinations) known(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.named[name] {
		return name
	}
	return "other"
}

// queued counts rows of the queue when it is asked: also what other processes did to them.
type queued struct{ s *Server }

var (
	waitingDeliveries = prometheus.NewDesc("podmail_queue_waiting", "Recipients at other hosts whose mail waits: due now, or later; and all that are held.", []string{"when"}, nil)
	queueControls     = prometheus.NewDesc("podmail_queue_controls_total", "What was done to deliveries by hand, since the database was made.", []string{"action"}, nil)
)

// Describe implements prometheus.Collector.
func (queued) Describe(ch chan<- *prometheus.Desc) { ch <- waitingDeliveries; ch <- queueControls }

// countPatience is how long counting may take.
const countPatience = 5 * time.Second

// Collect implements prometheus.Collector.
func (q queued) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), countPatience)
	defer cancel()
	var due, later, held int
	var controls map[mail.QueueControl]int
	err := q.s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		if due, later, err = sys.CountQueued(q.s.clock.Now()); err != nil {
			return err
		}
		if held, err = sys.CountHeld(); err != nil {
			return err
		}
		controls, err = sys.ListControls()
		return err
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(waitingDeliveries, err)
		return
	}
	for when, n := range map[string]int{"now": due, "later": later, "held": held} {
		ch <- prometheus.MustNewConstMetric(waitingDeliveries, prometheus.GaugeValue, float64(n), when)
	}
	for _, c := range mail.QueueControls() {
		ch <- prometheus.MustNewConstMetric(queueControls, prometheus.CounterValue, float64(controls[c]), string(c))
	}
}
