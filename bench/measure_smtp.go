package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// smtpSessions is how many clients deliver at once, and to how many inboxes.
const smtpSessions = 20

const warmUp = smtpSessions * 5

// measureSMTP has sessions deliver as fast as answers come, each over one connection that stays open, and counts what
// was answered with 250. The clock of the rate stops when all of it is in the mailboxes, as IMAP sees them: a server
// that queues first and delivers later has not delivered yet.
func measureSMTP(b *bench, s *side) error {
	inboxes, err := s.accounts(b.ctx, b.name("smtp"), smtpSessions)
	if err != nil {
		return err
	}
	n := b.messagesFor(s)
	// Some mail first, so that processes are forked and caches filled on both sides.
	if _, _, err := b.load(s, inboxes, warmUp); err != nil {
		return err
	}
	if _, err := s.settle(inboxes, warmUp, time.Minute); err != nil {
		return err
	}
	cpu := s.watchCPU()
	start := time.Now()
	took, answered, err := b.load(s, inboxes, n)
	if err != nil {
		return err
	}
	there, err := s.settle(inboxes, warmUp+len(took), 3*time.Minute)
	if err != nil {
		return err
	}
	if there.Sub(answered) < 150*time.Millisecond {
		there = answered // the first look found everything: it was there when it was answered
	}
	rate := func(end time.Time) float64 { return float64(len(took)) / end.Sub(start).Seconds() }
	b.record(s, "smtp.rate", rate(there), len(took))
	b.record(s, "smtp.answered", rate(answered), len(took))
	b.record(s, "smtp.p50", milliseconds(took.percentile(50)), len(took))
	b.record(s, "smtp.p99", milliseconds(took.percentile(99)), len(took))
	if server, client, ok := cpu(); ok {
		b.record(s, "smtp.cpu", milliseconds(server)/float64(len(took)), len(took))
		b.record(s, "smtp.client", milliseconds(client)/float64(len(took)), len(took))
	}
	return nil
}

// load delivers n messages over smtpSessions sessions, and returns once all are answered and seen by nobody yet.
func (b *bench) load(s *side, inboxes []account, n int) (took durations, answered time.Time, err error) {
	var mu sync.Mutex
	var left atomic.Int64 // no session stands idle while there is mail to deliver
	left.Store(int64(n))
	work, ctx := errgroup.WithContext(b.ctx)
	for i := range smtpSessions {
		work.Go(func() error {
			mine, err := b.session(ctx, s, inboxes[i%len(inboxes)], &left)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			return err
		})
	}
	if err = work.Wait(); err != nil {
		err = fmt.Errorf("delivering: %w", err)
	}
	return took, time.Now(), err
}

// session is one client. It delivers as long as anything is left.
func (b *bench) session(ctx context.Context, s *side, to account, left *atomic.Int64) (durations, error) {
	c, err := dialSMTP(s.smtp, false)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close() // a polite QUIT would be on the clock
	var took durations
	for left.Add(-1) >= 0 {
		if err := ctx.Err(); err != nil {
			return took, err
		}
		header, body := b.mail.make(to.address)
		t, err := c.send(sender, to.address, header, body)
		if err != nil {
			return took, err
		}
		took = append(took, t.took())
	}
	return took, nil
}
