package server_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// dice are random numbers that can be out of order for some looks.
type dice struct{ bad atomic.Int64 }

func (d *dice) Read(p []byte) (int, error) {
	if d.bad.Add(-1) >= 0 {
		return 0, errors.New("out of order")
	}
	return rand.Read(p)
}

// TestWhatAHostHasTakenIsNotSentAgain: where we cannot note for a while that a message was taken, nobody gets it twice.
func TestWhatAHostHasTakenIsNotSentAgain(t *testing.T) {
	d := &dice{}
	hosts := servertest.NewCourier(nil)
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Random = hosts, d })
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	hosts.Answer(func(tr mail.Transfer) []mail.TransferResult {
		d.bad.Store(3) // the notification of success gets no id
		return servertest.ForEach(tr, mail.TransferResult{Code: 250, Text: "250 OK"})
	})
	s.submit(t, mail.Handling{}, "SUCCESS", "bob@other.test")
	s.carry(t, "it is noted in the end", func() bool { return len(s.waiting(t)) == 0 })
	if n := len(hosts.Seen()); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if reports, _ := s.notices(t); len(reports) != 1 {
		t.Errorf("%d notifications", len(reports))
	}
}

// TestOneOfManyDestinationsIsReached: a pod whose first destinations are all paused gets to the one behind them.
func TestOneOfManyDestinationsIsReached(t *testing.T) {
	ctx := context.Background()
	hosts := servertest.NewCourier(nil)
	w := servertest.New(t, func(o *server.Options) { o.Courier = hosts })
	s := &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	var to []string
	for i := range 130 {
		to = append(to, fmt.Sprintf("bob@d%03d.test", i))
		if _, err := w.Server.Pause(ctx, w.Org, mail.PauseDestination, fmt.Sprintf("d%03d.test", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	for len(to) > 0 {
		n := min(len(to), 40)
		s.send(t, s.alice, to[:n]...)
		to = to[n:]
	}
	s.send(t, s.alice, "bob@z.test")
	s.carry(t, "the last one is reached", func() bool { return len(hosts.Seen()) == 1 })
	for i := range 3 {
		s.send(t, s.alice, fmt.Sprintf("bob%d@z.test", i))
	}
	s.carry(t, "again", func() bool { return len(hosts.Seen()) == 4 })
}
