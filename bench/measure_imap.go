package main

import (
	"context"
	"fmt"
	"time"
)

// rounds is how often a FETCH of everything is repeated; the median counts, the first is shown too.
const rounds = 7

// envelopeItems is what a mail program asks for to show a list.
const envelopeItems = "UID FLAGS ENVELOPE INTERNALDATE RFC822.SIZE"

// readable returns an inbox with b.mailbox messages, made once per side.
func (b *bench) readable(s *side) (account, error) {
	if who, ok := b.filled[s]; ok {
		return who, nil
	}
	all, err := s.accounts(b.ctx, b.name("read"), 1)
	if err != nil {
		return account{}, err
	}
	b.say("filling a mailbox with %d messages", b.mailbox)
	if err := s.deliver(b.ctx, b.mail, all[0], b.mailbox); err != nil {
		return account{}, err
	}
	s.rest(b.ctx)
	b.filled[s] = all[0]
	return all[0], nil
}

// measureFetch reads a whole mailbox over one connection: envelopes, as a program that opens a mailbox, then whole
// messages.
func measureFetch(b *bench, s *side) error {
	who, err := b.readable(s)
	if err != nil {
		return err
	}
	c, err := dialIMAP(s.imap, who)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.selected("INBOX"); err != nil {
		return err
	}
	for _, kind := range []struct{ id, items string }{{"fetch.envelopes", envelopeItems}, {"fetch.whole", "BODY.PEEK[]"}} {
		var rates []float64
		for range rounds {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			start := time.Now()
			n, err := c.fetch(kind.items)
			if err != nil {
				return err
			}
			if n != b.mailbox {
				return fmt.Errorf("FETCH %s: %d messages answered, want %d", kind.items, n, b.mailbox)
			}
			rates = append(rates, float64(n)/time.Since(start).Seconds())
		}
		b.record(s, kind.id, median(rates), b.mailbox*rounds)
		b.record(s, kind.id+".first", rates[0], b.mailbox)
	}
	return nil
}

// measureStore changes a flag of one message after the other, each command waiting for its answer.
func measureStore(b *bench, s *side) error {
	who, err := b.readable(s)
	if err != nil {
		return err
	}
	c, err := dialIMAP(s.imap, who)
	if err != nil {
		return err
	}
	defer c.close()
	if _, err := c.selected("INBOX"); err != nil {
		return err
	}
	took, all, err := repeat(b.ctx, b.stores, 1, b.patience, func(_ context.Context, i int) error {
		sign := "+" // once through the mailbox, then back again, so that every command is a change
		if i/b.mailbox%2 == 1 {
			sign = "-"
		}
		answered := 0
		err := c.do(fmt.Sprintf(`STORE %d %sFLAGS (\Flagged)`, i%b.mailbox+1, sign), func(line []byte) {
			if _, name, ok := untagged(line); ok && name == "FETCH" {
				answered++
			}
		})
		if err == nil && answered == 0 {
			err = fmt.Errorf("STORE of message %d showed no new flags", i+1)
		}
		return err
	})
	if err != nil {
		return err
	}
	b.record(s, "store.rate", float64(len(took))/all.Seconds(), len(took))
	b.record(s, "store.p99", milliseconds(took.percentile(99)), len(took))
	return nil
}

// measureAppend stores messages over one connection, then over ten with an inbox each.
func measureAppend(b *bench, s *side) error {
	if err := b.appending(s, "append.one", 1); err != nil {
		return err
	}
	return b.appending(s, "append.ten", 10)
}

func (b *bench) appending(s *side, id string, connections int) error {
	inboxes, err := s.accounts(b.ctx, b.name(fmt.Sprintf("append%d", connections)), connections)
	if err != nil {
		return err
	}
	// Workers take a free connection each; there are as many of the one as of the other.
	free := make(chan int, connections)
	clients := make([]*imapClient, connections)
	for i, who := range inboxes {
		if clients[i], err = dialIMAP(s.imap, who); err != nil {
			return err
		}
		defer clients[i].close()
		free <- i
	}
	took, all, err := repeat(b.ctx, b.appends*min(connections, 4), connections, b.patience, func(context.Context, int) error {
		i := <-free
		defer func() { free <- i }()
		header, body := b.mail.make(inboxes[i].address)
		return clients[i].append("INBOX", header, body)
	})
	if err != nil {
		return err
	}
	if _, err := s.settle(inboxes, len(took), time.Minute); err != nil {
		return err
	}
	b.record(s, id, float64(len(took))/all.Seconds(), len(took))
	b.record(s, id+".p99", milliseconds(took.percentile(99)), len(took))
	return nil
}
