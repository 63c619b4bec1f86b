package main

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

const (
	manyConnections = 200
	largeSize       = 50_000_000
	megabyte        = 1 << 20
)

// measureMemory comes first, on a server that has done nothing yet.
func measureMemory(b *bench, s *side) error {
	if s.pids() == nil {
		b.say("memory: skipped, the server's process is not known; see -pid")
		return nil
	}
	time.Sleep(2 * time.Second) // let it finish starting
	idle, err := s.settledMemory()
	if err != nil {
		return err
	}
	b.record(s, "memory.idle", float64(idle)/megabyte, 1)
	if err := measureConnections(b, s); err != nil {
		return err
	}
	return measureLarge(b, s)
}

// measureConnections opens connections that log in, open INBOX and go idle. Some are opened before the first look, so
// that what the first of them brings into memory once is not counted as theirs.
func measureConnections(b *bench, s *side) error {
	const first = 20
	inboxes, err := s.accounts(b.ctx, b.name("connected"), first)
	if err != nil {
		return err
	}
	var open []*watcher
	defer func() {
		for _, w := range open {
			w.client.conn.Close()
		}
	}()
	connect := func(n int) (int64, error) {
		for range n {
			w, err := watch(s, inboxes[len(open)%first])
			if err != nil {
				return 0, fmt.Errorf("connection %d: %w", len(open)+1, err)
			}
			open = append(open, w)
		}
		return s.settledMemory()
	}
	before, err := connect(first)
	if err != nil {
		return err
	}
	after, err := connect(manyConnections)
	if err != nil {
		return err
	}
	b.record(s, "memory.connection", float64(after-before)/1024/manyConnections, manyConnections)
	return nil
}

// fillCaches is how many small messages come in before a large one: the caches that any mail fills are not its growth.
const fillCaches = 500

// measureLarge passes one large message through and sees to it that the same bytes come out.
func measureLarge(b *bench, s *side) error {
	accounts, err := s.accounts(b.ctx, b.name("large"), 2)
	if err != nil {
		return err
	}
	if err := s.deliver(b.ctx, b.mail, accounts[1], fillCaches); err != nil {
		return err
	}
	all, who := accounts[:1], accounts[0]
	var size int64
	var sum []byte
	sent := 0
	in := func() error {
		c, err := dialSMTP(s.smtp, false)
		if err != nil {
			return err
		}
		defer c.quit()
		_, err = c.stream(sender, who.address, func(w io.Writer) error {
			n, digest, err := largeMessage(w, who.address, largeSize)
			size, sum = n, digest[:]
			return err
		})
		if err != nil {
			return err
		}
		sent++
		_, err = s.settle(all, sent, time.Minute)
		return err
	}
	byIMAP := func() error {
		c, err := dialIMAP(s.imap, who)
		if err != nil {
			return err
		}
		defer c.close()
		if _, err := c.selected("INBOX"); err != nil {
			return err
		}
		return sameBytes(size, sum, func(w io.Writer) error { _, err := c.fetchBody(sent, w); return err })
	}
	byAPI := func() error {
		return sameBytes(size, sum, func(w io.Writer) error { return s.api.rawOfNewest(b.ctx, who.address, w) })
	}
	steps := []struct {
		id string
		do func() error
	}{{"memory.large.in", in}, {"memory.large.again", in}, {"memory.large.imap", byIMAP}, {"memory.large.api", byAPI}}
	for _, step := range steps {
		if step.id == "memory.large.api" && s.api == nil {
			continue
		}
		growth, err := s.peakDuring(step.do)
		if err != nil {
			return fmt.Errorf("%s: %w", step.id, err)
		}
		b.record(s, step.id, float64(growth)/megabyte, 1)
	}
	return nil
}

// sameBytes reads a message and compares its end, of the size that was sent, with what was sent; before it may stand
// trace fields of the server.
func sameBytes(size int64, sum []byte, read func(io.Writer) error) error {
	// How long it is in all is known only at its end, so the bytes go by twice.
	var length counter
	if err := read(&length); err != nil {
		return err
	}
	if int64(length) < size {
		return fmt.Errorf("%d bytes came out of %d", length, size)
	}
	end := newTailHash(int64(length), size)
	if err := read(end); err != nil {
		return err
	}
	if !bytes.Equal(end.Sum(nil), sum) {
		return fmt.Errorf("other bytes came out than went in")
	}
	return nil
}

// counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
