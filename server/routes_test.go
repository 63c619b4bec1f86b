package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// routed is a world whose mail goes to other hosts by a relay called all.test.
type routed struct{ *sending }

func newRouted(t *testing.T) *routed {
	t.Helper()
	hosts := servertest.NewCourier(nil)
	w := servertest.New(t, func(o *server.Options) { o.Courier, o.Relay = hosts, &mail.Relay{Host: "all.test"} })
	return &routed{&sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}}
}

func (w *routed) set(t *testing.T, kind mail.RouteKind, name string, change server.RouteChange) {
	t.Helper()
	if _, err := w.Server.SetRoute(context.Background(), w.Org, kind, name, change); err != nil {
		t.Fatal(kind, name, err)
	}
}

// takes sends a message and says how it went: relay, name, source.
func (w *routed) takes(t *testing.T, g mail.Grant) string {
	t.Helper()
	before := len(w.hosts.Seen())
	w.send(t, g, fmt.Sprintf("x@r%d.test", before))
	w.carry(t, "it is carried", func() bool { return len(w.hosts.Seen()) > before && len(w.waiting(t)) == 0 })
	tr := w.hosts.Seen()[before]
	relay := "direct"
	if tr.Relay != nil {
		relay = tr.Relay.Host + tr.Relay.Password
	}
	source := ""
	if tr.Source.IsValid() {
		source = " " + tr.Source.String()
	}
	if path := strings.Contains(tr.ReversePath, "+bounce-"); path != (tr.Relay == nil) {
		t.Errorf("by %s it leaves from %s", relay, tr.ReversePath) // smarthosts take the plain address
	}
	return relay + " " + tr.HELO + source
}

func by(host string) server.RouteChange {
	return server.RouteChange{Relay: &server.RelayChoice{Relay: &mail.Relay{Host: host, Username: "u", Password: "-secret"}}}
}

func named(helo string) server.RouteChange { return server.RouteChange{HELO: &helo} }

func TestTheNearestRouteIsTaken(t *testing.T) {
	ctx := context.Background()
	w := newRouted(t)
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	want := func(g mail.Grant, want string) {
		t.Helper()
		if got := w.takes(t, g); got != want {
			t.Errorf("%s: %s, want %s", g.InboxID, got, want)
		}
	}
	want(w.alice, "all.test mx.podmail.test")
	source := netip.MustParseAddr("::ffff:192.0.2.7")
	w.set(t, mail.RoutePod, w.alice.PodID, by("pod.test"))
	w.set(t, mail.RoutePod, w.alice.PodID, server.RouteChange{Source: &source})
	want(w.alice, "pod.test-secret mx.podmail.test 192.0.2.7")
	want(bob, "all.test mx.podmail.test")
	w.set(t, mail.RouteDomain, "PODMAIL.test.", named("mx7.test"))
	want(w.alice, "pod.test-secret mx7.test 192.0.2.7")
	want(bob, "all.test mx7.test")
	w.set(t, mail.RouteDomain, "podmail.test", server.RouteChange{Relay: &server.RelayChoice{Direct: true}})
	want(w.alice, "direct mx7.test 192.0.2.7")

	routes, err := w.Server.ListRoutes(ctx, w.Org)
	if text, _ := json.Marshal(routes); err != nil || len(routes) != 2 || strings.Contains(string(text), "secret") {
		t.Errorf("%s, %v", text, err)
	}
	if err := w.Server.RemoveRoute(ctx, w.Org, mail.RouteDomain, "podmail.test"); err != nil {
		t.Error(err)
	}
	if err := w.Server.RemoveRoute(ctx, w.Org, mail.RouteDomain, "podmail.test"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error("it is removed again:", err)
	}
	want(bob, "all.test mx.podmail.test")
	want(w.alice, "pod.test-secret mx.podmail.test 192.0.2.7")
}

// TestRoutesStayWithTheirPod has a domain go from one pod to another: the credentials of its route were for the first.
func TestRoutesStayWithTheirPod(t *testing.T) {
	ctx := context.Background()
	w := newRouted(t)
	a, b := w.Pod(t, "one"), w.Pod(t, "two")
	inbox := func(pod mail.Grant) mail.Grant {
		t.Helper()
		w.Verified(t, pod, server.NewDomain{Name: "corp.test"})
		made, err := w.Server.CreateInbox(ctx, pod, server.NewInbox{Username: "x", Domain: "corp.test"})
		if err != nil {
			t.Fatal(err)
		}
		g, err := w.Server.InInbox(ctx, pod, made.Address)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := inbox(a)
	w.set(t, mail.RouteDomain, "corp.test", by("corp-relay.test"))
	if got := w.takes(t, g); got != "corp-relay.test-secret mx.podmail.test" {
		t.Error(got)
	}
	if err := w.Server.DeleteInbox(ctx, a, g.InboxID); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.DeleteDomain(ctx, a, "corp.test"); err != nil {
		t.Fatal(err)
	}
	g = inbox(b)
	if got := w.takes(t, g); got != "all.test mx.podmail.test" {
		t.Error("the other pod's mail goes", got)
	}
	w.set(t, mail.RouteDomain, "corp.test", named("mx8.test"))
	if got := w.takes(t, g); got != "all.test mx8.test" {
		t.Error("the other pod's mail goes", got)
	}
	eventually(t, "the pod goes with what was set for it", func() bool { return w.Server.DeletePod(ctx, w.Org, a.PodID) == nil })
}

// TestPasswordsOfRelaysAreNotTold: they are kept, and used, and shown to nobody.
func TestPasswordsOfRelaysAreNotTold(t *testing.T) {
	ctx := context.Background()
	w := newRouted(t)
	for range 2 { // it is kept when something else is changed
		choice, err := server.ChooseRelay("smtps://carol:s3cret@[2001:db8::7]")
		if err != nil {
			t.Fatal(err)
		}
		set, err := w.Server.SetRoute(ctx, w.Org, mail.RoutePod, w.alice.PodID, server.RouteChange{Relay: choice})
		if err != nil || set.Relay.Password != "" || set.Relay.Username != "carol" || set.Relay.URL() != "smtps://[2001:db8::7]:465" {
			t.Errorf("%+v, %v", set.Relay, err)
		}
		if set, err = w.Server.SetRoute(ctx, w.Org, mail.RoutePod, w.alice.PodID, named("mx9.test")); err != nil || set.Relay.Password != "" {
			t.Errorf("%+v, %v", set.Relay, err)
		}
		routes, err := w.Server.ListRoutes(ctx, w.Org)
		if err != nil || len(routes) != 1 || routes[0].Relay.Password != "" {
			t.Errorf("%+v, %v", routes, err)
		}
	}
	w.takes(t, w.alice)
	seen := w.hosts.Seen()
	if relay := seen[len(seen)-1].Relay; relay.Password != "s3cret" || relay.Host != "2001:db8::7" {
		t.Errorf("it is not used: %+v", relay)
	}
}

func TestWhoSetsRoutesAndHow(t *testing.T) {
	ctx := context.Background()
	w := newRouted(t)
	bad := netip.MustParseAddr("224.0.0.1")
	for _, c := range []struct {
		kind   mail.RouteKind
		name   string
		change server.RouteChange
		want   mail.Code
	}{
		{mail.RouteDomain, "podmail.test", named("not a name"), mail.CodeInvalid},
		{mail.RouteDomain, "podmail.test", server.RouteChange{Source: &bad}, mail.CodeInvalid},
		{mail.RouteDomain, "podmail.test", server.RouteChange{}, mail.CodeInvalid},
		{mail.RouteDomain, "stranger.test", named("x.test"), mail.CodeNotFound},
		{mail.RoutePod, "nobody", named("x.test"), mail.CodeNotFound},
	} {
		if _, err := w.Server.SetRoute(ctx, w.Org, c.kind, c.name, c.change); mail.CodeOf(err) != c.want {
			t.Errorf("%s %s: %v", c.kind, c.name, err)
		}
	}
	tenant := mail.Grant{Scope: w.alice.Scope, KeyScope: mail.Scope{Pod: w.alice.Scope.Pod}}
	for _, name := range []string{"podmail.test", w.alice.PodID} {
		for _, kind := range []mail.RouteKind{mail.RouteDomain, mail.RoutePod} {
			_, set := w.Server.SetRoute(ctx, tenant, kind, name, named("x.test"))
			removed := w.Server.RemoveRoute(ctx, tenant, kind, name)
			if mail.CodeOf(set) != mail.CodeForbidden || mail.CodeOf(removed) != mail.CodeForbidden {
				t.Errorf("a tenant: %v, %v", set, removed)
			}
		}
	}
	if _, err := w.Server.ListRoutes(ctx, tenant); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("a tenant:", err)
	}
}

// TestABrokenRelayIsNobodyElsesTrouble has one pod's relay fail: others go on to the same destination.
func TestABrokenRelayIsNobodyElsesTrouble(t *testing.T) {
	w := newRouted(t)
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	w.set(t, mail.RoutePod, w.alice.PodID, by("broken.test"))
	w.hosts.Answer(func(tr mail.Transfer) []mail.TransferResult {
		if tr.Relay.Host == "broken.test" {
			return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferConnection, Text: "connection refused"})
		}
		return servertest.ForEach(tr, mail.TransferResult{Code: 250, Text: "250 OK"})
	})
	w.send(t, w.alice, "x@busy.test")
	w.carry(t, "it has failed", func() bool { q := w.waiting(t); return len(q) == 1 && q[0].Attempts == 1 })
	w.send(t, bob, "y@busy.test")
	w.carry(t, "bob's is delivered", func() bool { return len(w.waiting(t)) == 1 })
}
