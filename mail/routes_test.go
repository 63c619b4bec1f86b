package mail

import (
	"net/netip"
	"testing"
)

func TestRoutesLieWithinWiderOnes(t *testing.T) {
	a, b := &Relay{Host: "a"}, &Relay{Host: "b"}
	source := netip.MustParseAddr("192.0.2.1")
	for i, c := range []struct {
		routes []Route // the nearest first
		want   Route
	}{
		{[]Route{{}, {Relay: a, HELO: "x"}}, Route{Relay: a, HELO: "x"}},
		{[]Route{{HELO: "y"}, {Relay: a, HELO: "x"}}, Route{Relay: a, HELO: "y"}},
		{[]Route{{Relay: b}, {Source: source}, {Relay: a, HELO: "x"}}, Route{Relay: b, HELO: "x", Source: source}},
		{[]Route{{HELO: "y"}, {Direct: true}, {Relay: a, HELO: "x"}}, Route{HELO: "y", Direct: true}},
	} {
		var got Route
		for _, r := range c.routes {
			got = got.Within(r)
		}
		if got != c.want {
			t.Errorf("%d: %+v", i, got)
		}
	}
}
