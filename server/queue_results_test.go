package server_test

import (
	"crypto/rand"
	"errors"
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
