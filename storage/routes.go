package storage

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

const routeColumns = `r.kind, r.pod_id, r.name, r.direct, r.host, r.port, r.implicit_tls, r.username, r.password, r.helo, r.source, r.updated_at`

var (
	findPodRoute     = tables.Compile(`SELECT ` + routeColumns + ` FROM routes r WHERE r.pod_id = {pod} AND r.kind = 'pod' AND {scope r}`)
	listDomainRoutes = tables.Compile(`SELECT ` + routeColumns + ` FROM json_each(?) j CROSS JOIN routes r ON r.kind = 'domain' AND r.name = j.value AND {shared r} ORDER BY j.key`)
	deleteRoutes     = tables.Compile(`DELETE FROM routes WHERE {scope routes}`)

	listRoutes  = tables.Compile(`SELECT ` + routeColumns + ` FROM routes r WHERE {organization} ORDER BY r.kind, r.name LIMIT 10000`)
	findRoute   = tables.Compile(`SELECT ` + routeColumns + ` FROM routes r WHERE r.kind = ?1 AND r.name = ?2 AND {organization}`)
	upsertRoute = tables.Compile(`INSERT INTO routes (kind, pod_id, name, direct, host, port, implicit_tls, username, password, helo, source, created_at, updated_at)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12 WHERE {organization}
		ON CONFLICT (kind, name) DO UPDATE SET pod_id = excluded.pod_id, direct = excluded.direct, host = excluded.host, port = excluded.port, implicit_tls = excluded.implicit_tls,
		username = excluded.username, password = excluded.password, helo = excluded.helo, source = excluded.source, updated_at = excluded.updated_at`)
	deleteRoute = tables.Compile(`DELETE FROM routes WHERE kind = ?1 AND name = ?2 AND {organization}`)
)

func scanRoute(r *sqlite.Row) (route mail.Route, err error) {
	var kind, source string
	var relay mail.Relay
	if err := r.Scan(&kind, &route.Pod, &route.Name, &route.Direct, &relay.Host, &relay.Port, &relay.ImplicitTLS, &relay.Username, &relay.Password, &route.HELO, &source, &route.UpdatedAt); err != nil {
		return route, err
	}
	if route.Kind = mail.RouteKind(kind); relay.Host != "" {
		route.Relay = &relay
	}
	if source != "" {
		if route.Source, err = netip.ParseAddr(source); err != nil {
			return route, fmt.Errorf("source of route %s: %w", route.Name, err)
		}
	}
	return route, nil
}

// ListRoutesOf lists the routes that mail from a domain takes, the nearest first: those of the domain and the domains over
// it, and then that of the handle's pod, if it has one.
func (tx Tx) ListRoutesOf(domain string) ([]mail.Route, error) {
	names, err := json.Marshal(mail.ParentDomains(domain))
	if err != nil {
		return nil, err
	}
	routes, err := all(tx, listDomainRoutes, scanRoute, string(names))
	if err != nil || tx.Scope().Pod == 0 {
		return routes, err
	}
	pod, err := all(tx, findPodRoute, scanRoute)
	return append(routes, pod...), err
}

// DeleteRoutes forgets the routes of the handle's pod and its domains.
func (tx Tx) DeleteRoutes() error {
	_, err := tx.tx.Exec(deleteRoutes)
	return err
}

// ListRoutes lists all routes.
func (tx SystemTx) ListRoutes() ([]mail.Route, error) { return all(tx.Tx, listRoutes, scanRoute) }

// FindRoute finds a route by what it is for.
func (tx SystemTx) FindRoute(kind mail.RouteKind, name string) (mail.Route, error) {
	return get(tx.Tx, findRoute, scanRoute, string(kind), name)
}

// PutRoute stores a route in place of the one for the same, if there is one.
func (tx SystemTx) PutRoute(r mail.Route, now time.Time) error {
	var relay mail.Relay
	if r.Relay != nil {
		relay = *r.Relay
	}
	source := ""
	if r.Source.IsValid() {
		source = r.Source.String()
	}
	_, err := tx.tx.Exec(upsertRoute, string(r.Kind), sqlite.Null(r.Pod), r.Name, r.Direct, sqlite.Null(relay.Host), sqlite.Null(relay.Port), relay.ImplicitTLS, sqlite.Null(relay.Username),
		sqlite.Null(relay.Password), sqlite.Null(r.HELO), sqlite.Null(source), now)
	return translate(err)
}

// DeleteRoute forgets a route. ErrNotFound if there is none.
func (tx SystemTx) DeleteRoute(kind mail.RouteKind, name string) error {
	n, err := tx.tx.Exec(deleteRoute, string(kind), name)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
