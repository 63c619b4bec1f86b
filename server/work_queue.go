package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/storage"
)

// Courier carries messages to other hosts: smtp/deliver, or what a test puts in its place. It returns one result for
// each recipient, and knows nothing of queues.
type Courier interface {
	Carry(ctx context.Context, t mail.Transfer) []mail.TransferResult
}

const (
	queueBatch       = 100              // recipients of one transfer (RFC 5321 4.5.3.1.8)
	podsAtATime      = 200              // whose queues are looked at in one step
	destinationsSoon = 5                // of a pod that are looked at first in one turn: mostly one of them can be reached …
	destinationsEach = 50               // … and if none can, so many more
	lastWords        = 10 * time.Second // that transfers have to finish when the server stops
)

// load is a transfer that may begin: deliveries of one message to one destination.
type load struct {
	pod         int64
	destination string
	jobs        []storage.Job
	own         bool // it takes a route of its own, which tells nothing of how the destination does for others
}

// CarryDue begins as many transfers to other hosts as there is room for, in turns between the pods whose mail is due, and
// does not wait for them: each wakes the next step when it ends. It is a step of Run.
func (s *Server) CarryDue(ctx context.Context) (more bool, err error) {
	s.turns.step.Lock()
	defer s.turns.step.Unlock()
	if s.courier == nil || s.turns.full() {
		return false, nil
	}
	pods, paused, wrapped, err := s.queuedPods(ctx)
	if err != nil {
		return false, err
	}
	if err := s.carryUrgent(ctx); err != nil {
		return false, err
	}
	for len(pods) > 0 && !s.turns.full() {
		still := pods[:0]
		for _, pod := range pods {
			l, err := s.nextLoad(ctx, pod, paused)
			if err != nil {
				return false, err
			}
			if l == nil {
				continue
			}
			still = append(still, pod)
			s.begin(ctx, l)
		}
		pods = still
	}
	return !wrapped && !s.turns.full(), nil
}

func (s *Server) begin(ctx context.Context, l *load) {
	s.turns.begin(l.pod, l.destination, l.jobs, s.clock.Now())
	s.transfers.Go(func() { s.carryAway(ctx, l) })
}

// carryUrgent begins what somebody wants tried, whatever is known of its destination.
func (s *Server) carryUrgent(ctx context.Context) error {
	var loads []*load
	err := s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		urgent, err := sys.ListUrgent(queueBatch)
		if err != nil {
			return err
		}
		for _, job := range s.turns.free(urgent) {
			d, err := sys.For(job.Scope).FindDelivery(job.ID)
			if err != nil {
				return err
			}
			loads = append(loads, &load{pod: job.Scope.Pod, destination: d.Destination, jobs: []storage.Job{job}})
		}
		return nil
	})
	for _, l := range loads {
		if !s.turns.full() {
			s.begin(ctx, l)
		}
	}
	return err
}

// queuedPods are the pods whose turn is next and whose mail is due and not stopped, with all that is stopped. wrapped:
// there is none beyond them.
func (s *Server) queuedPods(ctx context.Context) (pods []int64, paused mail.Pauses, wrapped bool, err error) {
	now := s.clock.Now()
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		pauses, err := sys.ListPauses()
		if err != nil {
			return err
		}
		paused = mail.PausesOf(pauses)
		queued, err := sys.ListQueuedPods(s.turns.lastPod, podsAtATime)
		if err != nil {
			return err
		}
		wrapped = len(queued) < podsAtATime
		if wrapped { // go on from the first
			first, err := sys.ListQueuedPods(0, podsAtATime-len(queued))
			if err != nil {
				return err
			}
			for _, j := range first {
				if j.Scope.Pod <= s.turns.lastPod {
					queued = append(queued, j)
				}
			}
		}
		for _, j := range queued {
			due, err := sys.For(j.Scope).HasDue(now)
			if err != nil {
				return err
			}
			if due && !paused.Pods[j.Scope.Pod] {
				pods = append(pods, j.Scope.Pod)
			}
		}
		if len(queued) > 0 {
			s.turns.lastPod = queued[len(queued)-1].Scope.Pod
		}
		return nil
	})
	return pods, paused, wrapped, err
}

// nextLoad finds what a pod may send next: to the destination after the one that it sent to last. Nil if there is nothing.
func (s *Server) nextLoad(ctx context.Context, pod int64, paused mail.Pauses) (l *load, err error) {
	if !s.turns.mayServe(pod) {
		return nil, nil
	}
	err = s.store.For(mail.Scope{Pod: pod}).Read(ctx, func(tx storage.Tx) error {
		for _, n := range []int{destinationsSoon, destinationsEach} {
			var all bool
			if l, all, err = s.loadOf(tx, pod, n, paused); l != nil || err != nil {
				return err
			}
			if all {
				delete(s.turns.lastDestination, pod)
				return nil
			}
		}
		return nil // the next turn goes on from there
	})
	return l, err
}

// loadOf finds what a pod may send to the next n of its destinations; all: it has no others.
func (s *Server) loadOf(tx storage.Tx, pod int64, n int, paused mail.Pauses) (l *load, all bool, err error) {
	now := s.clock.Now()
	last := s.turns.lastDestination[pod]
	names, err := tx.ListDestinations(last, n)
	if err != nil {
		return nil, false, err
	}
	if all = len(names) < n; all && last != "" {
		first, err := tx.ListDestinations("", n-len(names))
		if err != nil {
			return nil, false, err
		}
		all = len(first) < n-len(names) || first[len(first)-1] >= last
		names = append(names, first...) // some may be there twice, which does no harm
	}
	for _, name := range names {
		s.turns.lastDestination[pod] = name
		if paused.Destinations[name] || !s.turns.mayReach(name, pod, now) {
			continue
		}
		jobs, err := s.dueTo(tx, name, now, paused.Domains)
		if err != nil {
			return nil, false, err
		}
		if len(jobs) > 0 {
			return &load{pod: pod, destination: name, jobs: jobs}, false, nil
		}
	}
	return nil, all, nil
}

// dueTo finds the message that waits longest for a destination, with all its recipients there, but for those from some
// domains.
func (s *Server) dueTo(tx storage.Tx, destination string, now time.Time, but []string) ([]storage.Job, error) {
	due, err := tx.ListDueTo(destination, now, but, s.turns.carrying(destination)+1)
	if err != nil {
		return nil, err
	}
	if due = s.turns.free(due); len(due) == 0 {
		return nil, nil
	}
	d, err := tx.FindDelivery(due[0].ID)
	if err != nil {
		return nil, err
	}
	with, err := tx.ListDueWith(d, now, queueBatch)
	return s.turns.free(with), err
}

// carryAway hands a load to the courier and notes what became of it. Work that the end of the server cuts off is as if
// it had never begun.
func (s *Server) carryAway(ctx context.Context, l *load) {
	defer poke(s.outbound)
	defer s.turns.end(l.pod, l.destination, l.jobs)
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, stop) })()
	if err := s.carryLoad(working, l); err != nil && working.Err() == nil {
		s.log.Error("a transfer failed on our side; it is tried again", "destination", l.destination, "error", err)
		for _, job := range l.jobs {
			if err := s.postpone(working, job, err); err != nil {
				s.log.Error("a delivery could not be postponed", "delivery", job.ID, "error", err)
			}
		}
	}
}

// carryLoad carries a load and notes the results.
func (s *Server) carryLoad(ctx context.Context, l *load) error {
	ds, raw, err := s.findLoad(ctx, l)
	s.turns.giveBack(l.destination, len(l.jobs)-len(ds))
	if err != nil || len(ds) == 0 {
		return err
	}
	ctx = mail.WithTrace(ctx, ds[0].TraceID)
	t, err := s.transferOf(ctx, l, ds, raw)
	if err != nil {
		return err
	}
	results := s.courier.Carry(ctx, t)
	if ctx.Err() != nil && !anyTaken(results) {
		return nil
	}
	return s.noteSurely(ctx, l, ds, results)
}

// findLoad finds the deliveries of a load that are still due, and their message.
func (s *Server) findLoad(ctx context.Context, l *load) (ds []mail.Delivery, raw storage.RawMessage, err error) {
	now := s.clock.Now()
	err = s.store.For(l.jobs[0].Scope).Read(ctx, func(tx storage.Tx) error {
		for _, job := range l.jobs {
			d, err := tx.FindDelivery(job.ID)
			if errors.Is(err, storage.ErrNotFound) {
				continue // its inbox was deleted meanwhile
			} else if err != nil {
				return err
			}
			if d.State == mail.DeliveryQueued && !d.NextAttemptAt.After(now) { // else who found it looked at an older snapshot
				ds = append(ds, d)
			}
		}
		if len(ds) == 0 {
			return nil
		}
		raw, err = tx.FindCarried(ds[0].ID)
		return err
	})
	return ds, raw, err
}

// transferOf is what the courier is to do with a load. It notes on the load whether that takes a route of its own.
func (s *Server) transferOf(ctx context.Context, l *load, ds []mail.Delivery, raw storage.RawMessage) (t mail.Transfer, err error) {
	first := &ds[0]
	_, domain, _ := mail.SplitAddress(first.Sender)
	var route mail.Route
	route, l.own, err = s.routeOf(ctx, mail.Scope{Pod: first.Pod}, strings.ToLower(domain))
	if err != nil {
		return t, err
	}
	t = mail.Transfer{TraceID: first.TraceID, ReversePath: s.reversePath(first, route), Destination: l.destination, Message: s.store.For(first.Scope()).Reader(ctx, raw), Size: raw.Size,
		HELO: route.HELO, Source: route.Source, Relay: route.Relay, RequireTLS: first.RequireTLS, EnvelopeID: first.EnvelopeID, Return: first.Return}
	for _, d := range ds {
		t.Recipients = append(t.Recipients, mail.TransferRecipient{Address: d.Recipient, Notify: d.Notify, OriginalRecipient: originalRecipient(&d)})
	}
	switch {
	case first.Purpose.HandsOn():
		err = s.handOn(ctx, &t, first, raw)
	case first.Purpose == mail.PurposeNotice:
		_, t.Keys, err = s.reporter(ctx)
	default:
		t.Keys, err = s.keysOf(ctx, first.Scope(), first.Sender)
	}
	return t, err
}

// originalRecipient is ORCPT as it is handed on (RFC 3461 4.2).
func originalRecipient(d *mail.Delivery) string {
	kind, address, ok := strings.Cut(d.OriginalRecipient, ";")
	if !ok {
		return ""
	}
	return kind + ";" + dsn.Xtext(address)
}

func anyTaken(results []mail.TransferResult) bool {
	for _, r := range results {
		if r.Failure == "" {
			return true
		}
	}
	return false
}

// keysOf are the keys that sign what a sender sends.
func (s *Server) keysOf(ctx context.Context, scope mail.Scope, sender string) ([]mail.SigningKey, error) {
	_, domain, ok := mail.SplitAddress(sender)
	if !ok {
		return nil, nil
	}
	return s.SigningKeys(ctx, scope, domain)
}
