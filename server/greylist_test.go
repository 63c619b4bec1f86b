package server_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

func TestStrangersAreAskedToComeAgain(t *testing.T) {
	w := servertest.New(t, func(o *server.Options) { o.Intake.Greylist = true })
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	from := func(address, sender string, spf mail.AuthResult) *mail.Authentication {
		return found(func(a *mail.Authentication) {
			a.Remote, a.ReversePath, a.SPF.Result = netip.MustParseAddr(address), sender, spf
		})
	}
	step := func(what string, d time.Duration, to string, a *mail.Authentication, welcome bool) {
		t.Helper()
		w.Clock.Step(d)
		err := arrive(w, to, hello, a)
		if welcome && err != nil || !welcome && mail.CodeOf(err) != mail.CodeRateLimited {
			t.Errorf("%s: %v", what, err)
		}
	}
	stranger := from("192.0.2.1", "joe@example.org", mail.AuthNone)
	step("a stranger", 0, alice.InboxID, stranger, false)
	step("too soon", time.Minute, alice.InboxID, stranger, false)
	step("again, from the same network", 5*time.Minute, alice.InboxID, from("192.0.2.77", "Joe@example.org", mail.AuthNone), true)
	step("known", 30*24*time.Hour, alice.InboxID, stranger, true)
	step("known anew", 30*24*time.Hour, alice.InboxID, stranger, true)
	step("forgotten", 40*24*time.Hour, alice.InboxID, stranger, false)
	step("another inbox", 10*time.Minute, bob.InboxID, stranger, false)
	step("another sender", 0, alice.InboxID, from("192.0.2.1", "jim@example.org", mail.AuthNone), false)
	step("another network", 0, alice.InboxID, from("2001:db8::1", "joe@example.org", mail.AuthNone), false)
	step("came back too late", 25*time.Hour, alice.InboxID, from("2001:db8::1", "joe@example.org", mail.AuthNone), false)
	step("SPF passes", 0, bob.InboxID, from("198.51.100.1", "joe@example.org", mail.AuthPass), true)
	step("trusted", 0, bob.InboxID, nil, true)
	if _, err := w.Server.CreateListEntry(t.Context(), bob, server.List{Direction: mail.DirectionReceive, Type: mail.ListAllow}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	step("on an allow list", 0, bob.InboxID, from("203.0.113.1", "joe@example.org", mail.AuthNone), true)
}

// TestStrangersFillNoDisk: who sends under ever new names pushes out other strangers, the longest waiting first, and never
// those who have come again.
func TestStrangersFillNoDisk(t *testing.T) {
	ctx := t.Context()
	w := servertest.New(t, func(o *server.Options) { o.Intake.Greylist, o.Intake.GreylistSize = true, 10 })
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	welcome := func(sender string) bool {
		t.Helper()
		err := arrive(w, alice.InboxID, hello, found(func(a *mail.Authentication) { a.ReversePath = sender }))
		if err != nil && mail.CodeOf(err) != mail.CodeRateLimited {
			t.Fatal(err)
		}
		return err == nil
	}
	welcome("known@example.org")
	w.Clock.Step(6 * time.Minute)
	if !welcome("known@example.org") {
		t.Fatal("who comes again is not welcome")
	}
	for i := range 100 {
		welcome(fmt.Sprintf("u%d@random.test", i))
		w.Clock.Step(time.Second)
	}
	if _, err := w.Server.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	var kept int
	err := w.Store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		kept, err = sys.CountCallers()
		return err
	})
	if err != nil || kept != 10 {
		t.Errorf("%d are remembered, %v", kept, err)
	}
	w.Clock.Step(10 * time.Minute)
	for sender, want := range map[string]bool{"known@example.org": true, "u99@random.test": true, "u91@random.test": true, "u90@random.test": false, "u0@random.test": false} {
		if got := welcome(sender); got != want {
			t.Errorf("%s: %v", sender, got)
		}
	}
}
