package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"podmail/mail"
	"podmail/server"
)

// routeCommands say how mail goes to other servers.
type routeCommands struct {
	Set    setRouteCommand    `cmd:"" help:"Change how mail of a pod, or from a domain and those below it, goes to other servers. What is not given stays as it is."`
	List   listRoutesCommand  `cmd:"" help:"List the routes, without their passwords."`
	Remove removeRouteCommand `cmd:"" help:"Have it go as that of all others."`
}

// routed is whose mail a route is for.
type routed struct {
	Pod    string `xor:"whose" required:"" placeholder:"ID" help:"A pod, by pod id or client id."`
	Domain string `xor:"whose" required:"" placeholder:"NAME" help:"A domain that mail is sent from."`
}

func (r routed) named() (mail.RouteKind, string) {
	if r.Pod != "" {
		return mail.RoutePod, r.Pod
	}
	return mail.RouteDomain, r.Domain
}

type setRouteCommand struct {
	routed
	Relay  *string `placeholder:"URL" help:"A host that takes the mail, such as smtp://user:password@host:587; - reads it from standard input; direct: none; empty: as is set for all."`
	HELO   *string `name:"helo" placeholder:"NAME" help:"Our name, to say EHLO with; empty: hostname."`
	Source *string `placeholder:"ADDRESS" help:"The address of this machine to connect from; empty: any."`
}

// Run changes the route.
func (c setRouteCommand) Run(f *flags) error {
	change, err := c.change()
	if err != nil {
		return err
	}
	kind, name := c.named()
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		if _, err := srv.SetRoute(ctx, g, kind, name, change); err != nil {
			return err
		}
		fmt.Printf("%s %s: set; it holds from the next transfer on\n", kind, name)
		return nil
	})
}

func (c setRouteCommand) change() (change server.RouteChange, err error) {
	change.HELO = c.HELO
	if c.Relay != nil {
		if change.Relay, err = chosenRelay(*c.Relay); err != nil {
			return change, err
		}
	}
	if c.Source != nil {
		change.Source = &netip.Addr{}
		if *c.Source != "" {
			if *change.Source, err = netip.ParseAddr(*c.Source); err != nil {
				return change, fmt.Errorf("--source must be an address of this machine: %w", err)
			}
		}
	}
	return change, nil
}

func chosenRelay(text string) (*server.RelayChoice, error) {
	if text == "-" {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if text = strings.TrimSpace(line); text == "" {
			return nil, errors.Join(errors.New("standard input has no relay"), err)
		}
	}
	return server.ChooseRelay(text)
}

type listRoutesCommand struct{}

// Run prints a table of the routes.
func (listRoutesCommand) Run(f *flags) error {
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		return table(os.Stdout, "WHOSE\tNAME\tRELAY\tUSER\tHELO\tSOURCE\tCHANGED",
			func(mail.Page) ([]mail.Route, string, error) {
				routes, err := srv.ListRoutes(ctx, g)
				return routes, "", err
			},
			func(r mail.Route) []any {
				source := ""
				if r.Source.IsValid() {
					source = r.Source.String()
				}
				relay, user := relayOf(r)
				return []any{r.Kind, r.Name, relay, or(user, "-"), or(r.HELO, "-"), or(source, "-"), moment(r.UpdatedAt)}
			})
	})
}

// relayOf is a route's relay and user, as a table shows them.
func relayOf(r mail.Route) (relay, user string) {
	switch {
	case r.Direct:
		return "direct", ""
	case r.Relay == nil:
		return "-", ""
	}
	return r.Relay.URL(), r.Relay.Username
}

type removeRouteCommand struct{ routed }

// Run removes the route.
func (c removeRouteCommand) Run(f *flags) error {
	kind, name := c.named()
	return f.operate(func(ctx context.Context, srv *server.Server, g mail.Grant) error {
		if err := srv.RemoveRoute(ctx, g, kind, name); err != nil {
			return err
		}
		fmt.Printf("%s %s: removed\n", kind, name)
		return nil
	})
}
