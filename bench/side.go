package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// account is an inbox and how to log in to it.
type account struct{ address, password string }

// side is a mail system under test: a black box with ports.
type side struct {
	name string
	smtp string // where mail of other servers comes in
	imap string
	api  *apiClient // nil: it has no API

	// fill is the quickest way in for messages that a measurement needs but does not time.
	fill     string
	fillLMTP bool

	// account makes an inbox.
	account func(ctx context.Context, name string) (account, error)
	// pids are its processes now; nil: unknown.
	pids     func() []int
	stop     func()
	profiler string // address of its profiler; empty: it has none
	// log names the file where it complains.
	log string
}

const (
	podmailName = "podmail"
	peerName    = "postfix+dovecot"
)

// accounts makes n inboxes.
func (s *side) accounts(ctx context.Context, prefix string, n int) ([]account, error) {
	all := make([]account, n)
	for i := range all {
		var err error
		if all[i], err = s.account(ctx, fmt.Sprintf("%s-%d", prefix, i)); err != nil {
			return nil, fmt.Errorf("making an inbox: %w", err)
		}
	}
	return all, nil
}

// deliver brings n messages to an inbox by the quickest way in, and returns when all are there and the server rests.
func (s *side) deliver(ctx context.Context, m *messages, to account, n int) error {
	const sessions = 8
	before, err := s.count(to)
	if err != nil {
		return err
	}
	work, group := errgroup.WithContext(ctx)
	for i := range sessions {
		work.Go(func() error {
			c, err := dialSMTP(s.fill, s.fillLMTP)
			if err != nil {
				return err
			}
			defer c.quit()
			for range share(n, sessions, i) {
				if group.Err() != nil {
					return group.Err()
				}
				header, body := m.make(to.address)
				if _, err := c.send(sender, to.address, header, body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return fmt.Errorf("filling %s: %w", to.address, err)
	}
	_, err = s.settle([]account{to}, before+n, time.Minute)
	s.rest(ctx)
	return err
}

// count returns how many messages are in an inbox.
func (s *side) count(who account) (int, error) {
	c, err := dialIMAP(s.imap, who)
	if err != nil {
		return 0, err
	}
	defer c.close()
	return c.status("INBOX")
}

// settle waits until the inboxes hold want messages together, and returns the moment when they were first seen to.
func (s *side) settle(in []account, want int, patience time.Duration) (time.Time, error) {
	clients := make([]*imapClient, len(in))
	for i, who := range in {
		c, err := dialIMAP(s.imap, who)
		if err != nil {
			return time.Time{}, err
		}
		defer c.close()
		clients[i] = c
	}
	deadline := time.Now().Add(patience)
	for {
		total := 0
		for _, c := range clients {
			n, err := c.status("INBOX")
			if err != nil {
				return time.Time{}, err
			}
			total += n
		}
		now := time.Now()
		switch {
		case total == want:
			return now, nil
		case total > want:
			return now, fmt.Errorf("%d messages are in the mailboxes, more than the %d sent", total, want)
		case now.After(deadline):
			return now, fmt.Errorf("only %d of %d messages are in the mailboxes after %s", total, want, patience)
		}
		time.Sleep(200 * time.Millisecond) // looking is work too for the server that is being measured
	}
}

// share is the part of n that worker i of workers does.
func share(n, workers, i int) int {
	part := n / workers
	if i < n%workers {
		part++
	}
	return part
}
