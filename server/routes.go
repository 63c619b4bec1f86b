package server

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"podmail/mail"
	"podmail/storage"
)

// RouteChange is what is to be changed of a route; nil stays as it is, zero is left to the wider route.
type RouteChange struct {
	Relay  *RelayChoice
	HELO   *string
	Source *netip.Addr
}

// RelayChoice is where mail goes first: to a relay, or directly to its destination's hosts.
type RelayChoice struct {
	Relay  *mail.Relay
	Direct bool
}

// ChooseRelay reads a choice: a relay's URL (mail.ParseRelay), "direct", or nothing, which leaves it to the wider route.
func ChooseRelay(text string) (*RelayChoice, error) {
	if text == "direct" {
		return &RelayChoice{Direct: true}, nil
	}
	relay, err := mail.ParseRelay(text)
	if err != nil {
		return nil, mail.Errorf(mail.CodeInvalid, "%s, or \"direct\".", err)
	}
	return &RelayChoice{Relay: relay}, nil
}

// routeOf is how mail that a scope sends from a domain goes to other hosts. own tells that this is not how all goes.
func (s *Server) routeOf(ctx context.Context, scope mail.Scope, domain string) (route mail.Route, own bool, err error) {
	err = s.store.For(scope).Read(ctx, func(tx storage.Tx) (err error) {
		route, own, err = s.routeIn(tx, domain)
		return err
	})
	return route, own, err
}

// routeIn is routeOf in a transaction.
func (s *Server) routeIn(tx storage.Tx, domain string) (route mail.Route, own bool, err error) {
	routes, err := tx.ListRoutesOf(domain)
	for _, r := range append(routes, mail.Route{Relay: s.relay, HELO: s.hostname}) {
		route = route.Within(r)
	}
	return route, len(routes) > 0, err
}

// SetRoute changes how mail of a pod, or from a domain, goes to other hosts. It holds from the next transfer on. The
// password is not returned.
func (s *Server) SetRoute(ctx context.Context, g mail.Grant, kind mail.RouteKind, name string, change RouteChange) (set mail.Route, err error) {
	wanted, err := s.newRoute(ctx, g, kind, name)
	if err != nil {
		return set, err
	}
	if err := change.check(); err != nil {
		return set, err
	}
	now := s.clock.Now()
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		r, err := sys.FindRoute(wanted.Kind, wanted.Name)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		if r.Name == "" || r.Pod != wanted.Pod { // there is none, or the domain was somebody else's
			r = wanted
		}
		if err := sys.PutRoute(change.of(r), now); err != nil {
			return err
		}
		set, err = sys.FindRoute(wanted.Kind, wanted.Name)
		return err
	})
	return withoutPassword(set), coded(err, "Route")
}

func (c RouteChange) check() error {
	if c.HELO != nil && *c.HELO != "" && !mail.ValidDomain(strings.ToLower(*c.HELO)) {
		return mail.Invalid("helo", "%q is no name of a host", *c.HELO)
	}
	if c.Source != nil && (c.Source.Zone() != "" || c.Source.IsValid() && (c.Source.IsUnspecified() || c.Source.IsMulticast())) {
		return mail.Invalid("source", "%s is no address of this machine", *c.Source)
	}
	if c.Relay == nil && c.HELO == nil && c.Source == nil {
		return mail.Errorf(mail.CodeInvalid, "Nothing is to be changed.").WithFix("Give a relay, a name or a source address.")
	}
	return nil
}

// of is a route with the change made to it.
func (c RouteChange) of(r mail.Route) mail.Route {
	if c.Relay != nil {
		r.Relay, r.Direct = c.Relay.Relay, c.Relay.Direct
	}
	if c.HELO != nil {
		r.HELO = *c.HELO
	}
	if c.Source != nil {
		r.Source = c.Source.Unmap()
	}
	return r
}

// routesAreFor says who has to do with routes: a relay sees all mail that it is given.
const routesAreFor = "says by which way mail leaves"

// newRoute begins a route. CodeNotFound if no pod or domain has the name.
func (s *Server) newRoute(ctx context.Context, g mail.Grant, kind mail.RouteKind, name string) (mail.Route, error) {
	if kind == mail.RoutePod {
		if err := operators(g, mail.DomainUpdate, routesAreFor); err != nil {
			return mail.Route{}, err
		}
		in, err := s.InPod(ctx, g, name)
		return mail.Route{Kind: kind, Pod: in.Scope.Pod, Name: in.PodID}, err
	}
	r, err := domainRoute(g, name)
	if err != nil {
		return r, err
	}
	var over []mail.Domain
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		over, err = tx.ListDomainsOver(r.Name)
		return err
	})
	if err == nil && len(over) == 0 {
		return r, mail.NotFound("Domain").WithFix("Register %s first, or a domain that it lies below.", r.Name)
	}
	if len(over) > 0 {
		r.Pod = over[0].Pod
	}
	return r, coded(err, "Domain")
}

func domainRoute(g mail.Grant, name string) (mail.Route, error) {
	if err := operators(g, mail.DomainUpdate, routesAreFor); err != nil {
		return mail.Route{}, err
	}
	return mail.Route{Kind: mail.RouteDomain, Name: strings.ToLower(strings.TrimSuffix(name, "."))}, nil
}

// ListRoutes lists all routes. Passwords are not told.
func (s *Server) ListRoutes(ctx context.Context, g mail.Grant) (routes []mail.Route, err error) {
	if err := operators(g, mail.DomainRead, routesAreFor); err != nil {
		return nil, err
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		routes, err = sys.ListRoutes()
		return err
	})
	for i := range routes {
		routes[i] = withoutPassword(routes[i])
	}
	return routes, coded(err, "Routes")
}

func withoutPassword(r mail.Route) mail.Route {
	if r.Relay != nil {
		shown := *r.Relay
		shown.Password, r.Relay = "", &shown
	}
	return r
}

// RemoveRoute has mail of a pod, or from a domain, go as that of all others.
func (s *Server) RemoveRoute(ctx context.Context, g mail.Grant, kind mail.RouteKind, name string) error {
	r, err := domainRoute(g, name)
	if kind == mail.RoutePod {
		r, err = s.newRoute(ctx, g, kind, name)
	}
	if err != nil {
		return err
	}
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error { return sys.DeleteRoute(r.Kind, r.Name) })
	if errors.Is(err, storage.ErrNotFound) {
		return mail.Errorf(mail.CodeNotFound, "There is no route for the %s %s.", kind, name).WithFix("podmail route list, or GET /v0/routes, lists those that there are.")
	}
	return coded(err, "Route")
}
