package server_test

import (
	"net/netip"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
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
