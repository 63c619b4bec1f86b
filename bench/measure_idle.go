package main

import (
	"fmt"
	"sync"
	"time"
)

// idleConnections is how many clients wait in IDLE while mail comes.
const idleConnections = 20

// measureIdle delivers messages, one at a time, and takes the time until the clients in IDLE are told: all of them in
// one inbox, so that every message wakes all, and then each in its own.
func measureIdle(b *bench, s *side) error {
	if err := b.idling(s, "idle.shared", 1); err != nil {
		return err
	}
	return b.idling(s, "idle.own", idleConnections)
}

// watcher is a client in IDLE.
type watcher struct {
	client *imapClient
	known  int           // messages it knows of
	told   chan sighting // what it was told
}

type sighting struct {
	messages int
	at       time.Time
}

func (b *bench) idling(s *side, id string, inboxes int) error {
	accounts, err := s.accounts(b.ctx, b.name(id), inboxes)
	if err != nil {
		return err
	}
	watchers := make([]*watcher, idleConnections)
	var reading sync.WaitGroup
	defer func() {
		for _, w := range watchers {
			if w != nil {
				w.client.conn.Close()
			}
		}
		reading.Wait()
	}()
	for i := range watchers {
		if watchers[i], err = watch(s, accounts[i%inboxes]); err != nil {
			return err
		}
		reading.Go(watchers[i].read)
	}
	c, err := dialSMTP(s.smtp, false)
	if err != nil {
		return err
	}
	defer c.quit()

	var fromData, fromAnswer durations
	end := time.Now().Add(b.patience)
	for sent := 0; sent < b.deliveries && time.Now().Before(end); sent++ {
		to := sent % inboxes
		header, body := b.mail.make(accounts[to].address)
		t, err := c.send(sender, accounts[to].address, header, body)
		if err != nil {
			return err
		}
		for i := to; i < idleConnections; i += inboxes {
			at, err := watchers[i].sees(b)
			if err != nil {
				return fmt.Errorf("message %d: %w", sent+1, err)
			}
			fromData = append(fromData, at.Sub(t.sent))
			fromAnswer = append(fromAnswer, max(0, at.Sub(t.answered)))
		}
		time.Sleep(time.Duration(sent%7) * time.Millisecond) // not in step with anything in the server
	}
	b.record(s, id+".data.p50", milliseconds(fromData.percentile(50)), len(fromData))
	b.record(s, id+".data.p99", milliseconds(fromData.percentile(99)), len(fromData))
	b.record(s, id+".250.p50", milliseconds(fromAnswer.percentile(50)), len(fromAnswer))
	b.record(s, id+".250.p99", milliseconds(fromAnswer.percentile(99)), len(fromAnswer))
	return nil
}

func watch(s *side, who account) (*watcher, error) {
	c, err := dialIMAPSized(s.imap, who, 4<<10)
	if err != nil {
		return nil, err
	}
	w := &watcher{client: c, told: make(chan sighting, 1000)}
	if w.known, err = c.selected("INBOX"); err == nil {
		err = c.idle()
	}
	if err != nil {
		c.conn.Close()
		return nil, err
	}
	return w, nil
}

// read notes every EXISTS until the connection is closed.
func (w *watcher) read() {
	defer close(w.told)
	for {
		if err := w.client.conn.SetReadDeadline(time.Now().Add(10 * time.Minute)); err != nil {
			return
		}
		line, err := w.client.line()
		at := time.Now()
		if err != nil {
			return
		}
		if n, name, ok := untagged(line); ok && name == "EXISTS" {
			w.told <- sighting{n, at}
		}
		if err := w.client.skipLiterals(line); err != nil {
			return
		}
	}
}

// sees waits for the EXISTS of the next message.
func (w *watcher) sees(b *bench) (time.Time, error) {
	const patience = 30 * time.Second
	timeout := time.After(patience)
	for {
		select {
		case s, ok := <-w.told:
			if !ok {
				return time.Time{}, fmt.Errorf("the server closed an idle connection")
			}
			if s.messages > w.known {
				w.known++
				return s.at, nil
			}
		case <-timeout:
			return time.Time{}, fmt.Errorf("not shown in IDLE after %s", patience)
		case <-b.ctx.Done():
			return time.Time{}, b.ctx.Err()
		}
	}
}
