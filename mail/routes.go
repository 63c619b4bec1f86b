package mail

import (
	"net/netip"
	"time"
)

// RouteKind is whose mail a route is for.
type RouteKind string

// The kinds: all mail of a pod, or that from a domain, wherever its inboxes are, and from the domains below it.
const (
	RoutePod    RouteKind = "pod"
	RouteDomain RouteKind = "domain"
)

// Route is how mail goes to other hosts. What is zero goes as a wider route says.
type Route struct {
	Kind      RouteKind
	Pod       int64      // whose mail it is for; 0: of a domain that belongs to all pods
	Name      string     // a domain, in lower case; of a pod its id
	Relay     *Relay     // that takes the mail
	Direct    bool       // to its destination's own hosts, although a wider route names a relay
	HELO      string     // our name
	Source    netip.Addr // to connect from
	UpdatedAt time.Time
}

// Within is r with what it leaves to a wider route taken from there.
func (r Route) Within(wider Route) Route {
	if r.Relay == nil && !r.Direct {
		r.Relay, r.Direct = wider.Relay, wider.Direct
	}
	if r.HELO == "" {
		r.HELO = wider.HELO
	}
	if !r.Source.IsValid() {
		r.Source = wider.Source
	}
	return r
}
