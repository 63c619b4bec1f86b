package server

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"podmail/mail"
)

// TestReportsTakeTurns: who finds all turns taken is asked to come again, after a while or when he has gone.
func TestReportsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{reading: make(chan struct{}, maxReading)}
		var ends []func()
		for range maxReading {
			_, done, err := s.turnToRead(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, done)
		}
		began := time.Now()
		if _, _, err := s.turnToRead(t.Context()); mail.CodeOf(err) != mail.CodeRateLimited || time.Since(began) != readingTime {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if _, _, err := s.turnToRead(gone); mail.CodeOf(err) != mail.CodeRateLimited {
			t.Errorf("the peer has gone: %v", err)
		}
		time.AfterFunc(time.Second, ends[0])
		ctx, done, err := s.turnToRead(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if end, ok := ctx.Deadline(); !ok || time.Until(end) != readingTime-time.Second {
			t.Errorf("it may read until %s", end)
		}
		done()
		ends[1]()
	})
}
