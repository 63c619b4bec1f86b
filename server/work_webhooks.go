package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// Poster tells endpoints what happened: web/webhook, or what a test puts in its place. It never fails otherwise than by
// its answer.
type Poster interface {
	Post(ctx context.Context, w *mail.Webhook, e *Event) mail.WebhookAnswer
}

const (
	fanBatch      = 100                 // events handed to webhooks at a time
	hooksAtATime  = 200                 // that are looked at in one step
	maxPosts      = 64                  // on their way
	maxPostsOfOne = maxPosts / 2        // pod, so that there is always room for another
	maxPostsToOne = 4                   // endpoint
	postPatience  = 20 * time.Second    // for a post with all that is around it; its answer has 15 s
	postRetention = 30 * 24 * time.Hour // of what is settled
)

// posting knows which posts are on their way.
type posting struct {
	step sync.Mutex // of who looks for the next ones, alone
	last int64      // webhook that was looked at last

	mu    sync.Mutex
	posts map[int64]bool // deliveries
	hooks map[int64]int  // how many of each
	pods  map[int64]int  // how many of each pod's webhooks; 0: the organization's, which are the operator's own
}

func newPosting() posting {
	return posting{posts: map[int64]bool{}, hooks: map[int64]int{}, pods: map[int64]int{}}
}

func (p *posting) begin(d *mail.WebhookDelivery) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod := d.Scope.Pod
	if p.posts[d.ID] || p.hooks[d.Webhook] >= maxPostsToOne || pod != 0 && p.pods[pod] >= maxPostsOfOne || len(p.posts) >= maxPosts {
		return false
	}
	p.posts[d.ID] = true
	p.hooks[d.Webhook]++
	p.pods[pod]++
	return true
}

// end takes a copy: what became of the delivery since, and whether it is still there, makes no difference.
func (p *posting) end(d mail.WebhookDelivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.posts, d.ID)
	if p.hooks[d.Webhook]--; p.hooks[d.Webhook] == 0 {
		delete(p.hooks, d.Webhook)
	}
	if p.pods[d.Scope.Pod]--; p.pods[d.Scope.Pod] == 0 {
		delete(p.pods, d.Scope.Pod)
	}
}

func (p *posting) full() bool { return p.underWay() >= maxPosts }

func (p *posting) underWay() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.posts)
}

// FanOut hands events to the webhooks that want them: a row for each, in the transaction that notes how far this has come.
// It is a step of Run. Deliveries of mail write nothing for webhooks themselves.
func (s *Server) FanOut(ctx context.Context) (more bool, err error) {
	if !s.hooks.Load() {
		return false, nil
	}
	n := 0
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		events, err := sys.ListFanning(1)
		n = len(events)
		return err
	})
	if err != nil || n == 0 {
		return false, err
	}
	now := s.clock.Now()
	queued := false
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error {
		events, err := sys.ListFanning(fanBatch)
		if n = len(events); err != nil || n == 0 {
			return err
		}
		listening := map[mail.Scope][]mail.Webhook{}
		for i := range events {
			told, err := s.fan(sys, &events[i], listening, now)
			if err != nil {
				return err
			}
			queued = queued || told
		}
		return sys.SetFanned(events[n-1].Seq)
	})
	if queued {
		poke(s.posts)
	}
	return n == fanBatch, err
}

// fan queues one event. listening is what is known of the scopes of the events before.
func (s *Server) fan(sys storage.SystemTx, e *mail.Event, listening map[mail.Scope][]mail.Webhook, now time.Time) (queued bool, err error) {
	if e.Label != "" {
		return false, nil
	}
	hooks, known := listening[e.Scope()]
	if !known {
		if hooks, err = sys.For(e.Scope()).ListListening(); err != nil {
			return false, err
		}
		listening[e.Scope()] = hooks
	}
	for i := range hooks {
		if !hooks[i].Wants(e) {
			continue
		}
		if err := sys.For(hooks[i].Scope).InsertWebhookDelivery(hooks[i].ID, e, now); err != nil {
			return false, err
		}
		queued = true
	}
	return queued, nil
}

// PostDue begins as many posts to webhooks as there is room for, in turns between them, and does not wait: each wakes the
// next step when it ends. It is a step of Run.
func (s *Server) PostDue(ctx context.Context) (more bool, err error) {
	s.posting.step.Lock()
	defer s.posting.step.Unlock()
	if s.poster == nil || !s.hooks.Load() || s.posting.full() {
		return false, nil
	}
	began := s.posting.last
	var due []storage.Job
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		due, s.posting.last, err = sys.ListDueWebhooks(s.posting.last, hooksAtATime)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, job := range due {
		if err := s.postTo(ctx, job); err != nil {
			return false, err
		}
		if s.posting.full() {
			s.posting.last = job.ID // the next turn is that of the one behind it
			return false, nil
		}
	}
	return s.posting.last != 0 || began != 0, nil
}

// postTo begins what may be posted to one webhook.
func (s *Server) postTo(ctx context.Context, job storage.Job) error {
	var ds []mail.WebhookDelivery
	err := s.store.For(job.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		ds, err = tx.ListDueWebhookDeliveries(job.ID, s.clock.Now(), 2*maxPostsToOne)
		return err
	})
	if err != nil {
		return err
	}
	for i := range ds {
		d := &ds[i]
		if s.posting.begin(d) {
			s.posted.Go(func() {
				defer poke(s.posts)
				defer s.posting.end(*d)
				if err := s.post(ctx, d); err != nil && ctx.Err() == nil {
					s.log.Error("a webhook could not be told; it is tried again", "delivery", d.ID, "error", err)
				}
			})
		}
	}
	return nil
}

// post tells one event, and notes how that went. What the end of the server cuts off is told again.
func (s *Server) post(ctx context.Context, d *mail.WebhookDelivery) error {
	at := s.store.For(d.Scope)
	now := s.clock.Now()
	var w mail.Webhook
	var e mail.Event
	err := at.Read(ctx, func(tx storage.Tx) (err error) {
		if *d, err = tx.FindWebhookDelivery(d.Webhook, d.ID); err != nil {
			return err
		}
		if w, err = tx.FindWebhookByID(d.Webhook); err != nil {
			return err
		}
		if e, err = tx.FindEvent(d.Event); errors.Is(err, storage.ErrNotFound) {
			return nil // removed for its age
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // the webhook was deleted meanwhile
	} else if err != nil {
		return err
	}
	if d.State != mail.WebhookQueued || !w.Enabled || d.NextAttemptAt.IsZero() || d.NextAttemptAt.After(now) { // who found it looked at an older snapshot
		return nil
	}
	told, ok := Event{}, e.Seq != 0
	if ok {
		if told, ok, err = s.Tell(ctx, w.Grant(), e); err != nil {
			return err
		}
	}
	if !ok {
		d.State, d.NextAttemptAt, d.UpdatedAt = mail.WebhookGone, time.Time{}, now
		return at.Write(ctx, func(tx storage.Tx) error { return tx.UpdateWebhookDelivery(*d) })
	}
	posting, stop := context.WithTimeout(ctx, postPatience)
	defer stop()
	answer := s.poster.Post(posting, &w, &told)
	if ctx.Err() != nil && !answer.OK() {
		return nil
	}
	answer.At = s.clock.Now()
	s.counters.posted(answer)
	return s.noteAnswer(context.WithoutCancel(ctx), d.Webhook, d.ID, answer)
}

// noteAnswer settles a delivery, or says when it is tried again, and disables an endpoint that has failed for days.
func (s *Server) noteAnswer(ctx context.Context, webhook, delivery int64, a mail.WebhookAnswer) error {
	var d mail.WebhookDelivery
	var w mail.Webhook
	err := s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if w, err = sys.FindWebhookByID(webhook); err != nil {
			return err
		}
		tx := sys.For(w.Scope)
		if d, err = tx.FindWebhookDelivery(webhook, delivery); err != nil {
			return err
		}
		if err := tx.InsertWebhookAttempt(d, a); err != nil {
			return err
		}
		d.Attempts++
		d.Status, d.UpdatedAt = a.Status, a.At
		s.judgeAnswer(&d, a)
		if err := tx.UpdateWebhookDelivery(d); err != nil {
			return err
		}
		if a.OK() && w.FailingSince.IsZero() {
			return nil
		}
		return s.noteHealth(tx, &w, a)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // deleted meanwhile
	} else if err != nil {
		return err
	}
	s.log.Info("webhook", "webhook", w.WebhookID, "event", s.EventID(d.Event), "type", d.EventType, "status", a.Status, "error", a.Error, "state", d.State, "attempts", d.Attempts, "took", a.Took)
	if !w.Enabled {
		s.log.Warn("a webhook is disabled: all posts to it have failed for days", "webhook", w.WebhookID, "since", w.FailingSince)
	}
	return nil
}

// judgeAnswer works out where a delivery stands after an attempt.
func (s *Server) judgeAnswer(d *mail.WebhookDelivery, a mail.WebhookAnswer) {
	d.NextAttemptAt = time.Time{}
	wait, again := mail.WebhookRetryAfter(d.Attempts, s.jitter())
	switch {
	case a.OK():
		d.State = mail.WebhookDelivered
	case again:
		d.NextAttemptAt = a.At.Add(wait)
	default:
		d.State = mail.WebhookFailed
	}
}

// noteHealth notes since when an endpoint fails, or that it does not any more.
func (s *Server) noteHealth(tx storage.Tx, w *mail.Webhook, a mail.WebhookAnswer) error {
	switch {
	case a.OK():
		w.FailingSince = time.Time{}
	case w.FailingSince.IsZero():
		w.FailingSince = a.At
	case a.At.Sub(w.FailingSince) >= mail.WebhookPatience:
		w.Enabled, w.UpdatedAt = false, a.At
	default:
		return nil
	}
	return tx.UpdateWebhook(*w)
}

// sweepWebhooks removes some of what is left of deleted webhooks, and of deliveries that were settled long ago. more tells
// that there is more.
func (s *Server) sweepWebhooks(ctx context.Context) (more bool, err error) {
	if !s.hooks.Load() {
		return false, nil
	}
	until := s.clock.Now().Add(-postRetention)
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error {
		hidden, err := sys.ListHiddenWebhooks(1)
		if err != nil {
			return err
		}
		for _, job := range hidden {
			if _, err := sys.For(job.Scope).CleanWebhook(job.ID, sweepBatch); err != nil {
				return err
			}
		}
		n, err := sys.ForgetWebhookDeliveries(until, sweepBatch)
		more = n > 0 || len(hidden) > 0
		return err
	})
	return more, err
}
