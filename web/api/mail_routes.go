package api

import (
	"net/netip"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// mailRoute is an addition to the contract: how mail of a pod, or from a domain, goes to other hosts. A relay's password
// goes in and never comes out.
type mailRoute struct {
	Kind          mail.RouteKind `json:"kind"`
	Name          string         `json:"name"`
	Relay         string         `json:"relay,omitempty"` // its URL without user and password, or direct
	RelayUsername string         `json:"relay_username,omitempty"`
	HELO          string         `json:"helo,omitempty"`
	Source        string         `json:"source,omitempty"`
	UpdatedAt     timestamp      `json:"updated_at"`
}

func mailRouteOf(r *mail.Route) mailRoute {
	out := mailRoute{Kind: r.Kind, Name: r.Name, HELO: r.HELO, UpdatedAt: timestamp(r.UpdatedAt)}
	switch {
	case r.Direct:
		out.Relay = "direct"
	case r.Relay != nil:
		out.Relay, out.RelayUsername = r.Relay.URL(), r.Relay.Username
	}
	if r.Source.IsValid() {
		out.Source = r.Source.String()
	}
	return out
}

func (a *API) listMailRoutes(c echo.Context, g mail.Grant) error {
	routes, err := a.server.ListRoutes(c.Request().Context(), g)
	if err != nil {
		return err
	}
	return answer(c, struct {
		Count  int         `json:"count"`
		Routes []mailRoute `json:"routes"`
	}{len(routes), each(routes, mailRouteOf)})
}

// pathMailRoute reads whose route a path means.
func pathMailRoute(c echo.Context) (mail.RouteKind, string, error) {
	kind := mail.RouteKind(c.Param("kind"))
	if kind != mail.RoutePod && kind != mail.RouteDomain {
		return "", "", mail.NotFound("Route")
	}
	name, err := pathID(c, "name")
	return kind, name, err
}

func (a *API) updateMailRoute(c echo.Context, g mail.Grant) error {
	kind, name, err := pathMailRoute(c)
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	change := readRouteChange(body)
	if err := body.err(); err != nil {
		return err
	}
	r, err := a.server.SetRoute(c.Request().Context(), g, kind, name, change)
	if err != nil {
		return err
	}
	return answer(c, mailRouteOf(&r))
}

// readRouteChange reads what is to be changed: what is absent stays, null leaves it to the wider route.
func readRouteChange(body *object) (change server.RouteChange) {
	if body.has("relay") {
		relay, err := server.ChooseRelay(body.text("relay"))
		if err != nil {
			body.fail("invalid_format", "", err.Error(), "relay")
		}
		change.Relay = relay
	}
	if body.has("helo") {
		helo := body.text("helo")
		change.HELO = &helo
	}
	if body.has("source") {
		change.Source = &netip.Addr{}
		if text := body.text("source"); text != "" {
			source, err := netip.ParseAddr(text)
			if err != nil {
				body.fail("invalid_format", "", "must be an address of this machine", "source")
			}
			change.Source = &source
		}
	}
	return change
}

func (a *API) deleteMailRoute(c echo.Context, g mail.Grant) error {
	kind, name, err := pathMailRoute(c)
	if err != nil {
		return err
	}
	if err := a.server.RemoveRoute(c.Request().Context(), g, kind, name); err != nil {
		return err
	}
	return empty(c)
}
