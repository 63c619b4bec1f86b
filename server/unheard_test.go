package server_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// bring has a peer bring a message, and returns the id by which the peer is noted to have heard.
func bring(t testing.TB, s *server.Server, name string) (traceID string) {
	t.Helper()
	traceID = rand.Text()
	err := s.Deliver(mail.WithTrace(context.Background(), traceID), server.Incoming{Session: server.Session{Remote: netip.MustParseAddrPort("192.0.2.1:25"), HELO: "mail.example.org", Protocol: "ESMTP"},
		ReversePath: "joe@example.org", Recipients: []string{"alice@podmail.test"}, Body: strings.NewReader("Subject: " + name + "\r\nMessage-ID: <" + name + "@example.org>\r\n\r\nhello\r\n")})
	if err != nil {
		t.Error(err)
	}
	return traceID
}

// restarted is another server over the same file. The one before ended without a word.
func restarted(t testing.TB, w *servertest.World) *server.Server {
	t.Helper()
	s := server.New(w.Options)
	if _, err := s.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// note has everything written down.
func note(t testing.TB, s *server.Server) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = s.NoteUnheard(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhoDidNotHearUsBringsItAgainAfterARestart, and it is there once; who did hear means it.
func TestWhoDidNotHearUsBringsItAgainAfterARestart(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	there := func(what, name string, want int) {
		t.Helper()
		n := 0
		listed, _, err := w.Server.ListMessages(t.Context(), alice, mail.MessageFilter{}, mail.Page{Limit: 100})
		for _, m := range listed {
			if m.Envelope.Subject == name {
				n++
			}
		}
		if err != nil || n != want {
			t.Errorf("%s: %s is there %d times, want %d (%v)", what, name, n, want, err)
		}
	}
	s := restarted(t, w)
	note(t, s)
	s.Heard(bring(t, s, "heard"))
	bring(t, s, "cut")
	note(t, s)
	bring(t, s, "last")

	s = restarted(t, w)
	for _, name := range []string{"heard", "cut", "last"} {
		s.Heard(bring(t, s, name))
	}
	there("noted before", "heard", 2)
	there("noted before", "cut", 1)
	there("committed behind the last note", "last", 1)

	s.Heard(bring(t, s, "late"))
	heard := bring(t, s, "later")
	note(t, s)
	s.Heard(heard)
	note(t, s)
	s = restarted(t, w)
	bring(t, s, "cut")
	there("another restart", "cut", 1)
	bring(t, s, "late")
	bring(t, s, "later")
	there("heard", "late", 2)
	there("heard after it was noted", "later", 2)

	w.Clock.Step(6 * 24 * time.Hour)
	s = restarted(t, w)
	note(t, s)
	bring(t, s, "cut")
	there("nobody tries for so long", "cut", 2)
	note(t, s)
	w.Clock.Step(6 * 24 * time.Hour)
	bring(t, s, "more")
	note(t, s)
	s = restarted(t, w)
	bring(t, s, "cut")
	there("nor is it kept", "cut", 3)
}

func TestManyWhoDidNotHearUs(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	all := func(s *server.Server) {
		var together sync.WaitGroup
		for worker := range 10 {
			together.Go(func() {
				for i := range 110 {
					bring(t, s, fmt.Sprint(worker, "-", i))
				}
			})
		}
		together.Wait()
	}
	s := restarted(t, w)
	all(s)
	note(t, s)
	s = restarted(t, w)
	all(s)
	if sel, err := w.Server.SelectMailbox(t.Context(), alice, "INBOX"); err != nil || len(sel.UIDs) != 1100 {
		t.Errorf("%d are there, %v", len(sel.UIDs), err)
	}
}
