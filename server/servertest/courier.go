package servertest

import (
	"context"
	"sync"

	"podmail/mail"
)

// Courier stands for the hosts of the world. It is safe for concurrent use.
type Courier struct {
	mu     sync.Mutex
	answer func(mail.Transfer) []mail.TransferResult
	seen   []mail.Transfer
	most   map[string]int // transfers at a time, by destination
	now    map[string]int
}

// NewCourier returns a courier whose hosts answer like this; nil: they take everything.
func NewCourier(answer func(mail.Transfer) []mail.TransferResult) *Courier {
	c := &Courier{most: map[string]int{}, now: map[string]int{}}
	c.Answer(answer)
	return c
}

// Answer changes how the hosts answer.
func (c *Courier) Answer(answer func(mail.Transfer) []mail.TransferResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answer = answer; answer == nil {
		c.answer = func(t mail.Transfer) []mail.TransferResult {
			return ForEach(t, mail.TransferResult{Code: 250, Text: "250 OK"})
		}
	}
}

// ForEach is the same result for every recipient of a transfer.
func ForEach(t mail.Transfer, r mail.TransferResult) (results []mail.TransferResult) {
	for _, to := range t.Recipients {
		r.Recipient = to.Address
		results = append(results, r)
	}
	return results
}

// Carry implements server.Courier.
func (c *Courier) Carry(_ context.Context, t mail.Transfer) []mail.TransferResult {
	c.mu.Lock()
	answer := c.answer
	c.seen = append(c.seen, t)
	c.now[t.Destination]++
	c.most[t.Destination] = max(c.most[t.Destination], c.now[t.Destination])
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now[t.Destination]--
	}()
	return answer(t)
}

// Seen is the transfers so far, in the order in which they began.
func (c *Courier) Seen() []mail.Transfer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]mail.Transfer(nil), c.seen...)
}

// Most is how many transfers to a destination there were at a time.
func (c *Courier) Most(destination string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most[destination]
}
