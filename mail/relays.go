package mail

import (
	"errors"
	"net/url"
	"strings"
)

// Relay is a host that takes mail for everywhere: a smarthost.
type Relay struct {
	Host, Port         string
	Username, Password string // empty: no AUTH
	ImplicitTLS        bool   // TLS from the first byte; else STARTTLS, which credentials insist on
}

// errNoRelay does not show the text, which may hold a password.
var errNoRelay = errors.New(`a relay is "smtp://user:password@host:587", "smtps://…" or ""`)

// ParseRelay reads a relay's URL: smtp:// (STARTTLS where there is a password) or smtps:// with a host, a port if it is not
// the usual one, and a user and password if it wants them. Nothing is no relay: nil.
func ParseRelay(text string) (*Relay, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errNoRelay
	}
	password, set := u.User.Password()
	if u.User != nil && !set {
		return nil, errNoRelay
	}
	r := &Relay{Host: u.Hostname(), Port: u.Port(), Username: u.User.Username(), Password: password, ImplicitTLS: u.Scheme == "smtps"}
	if r.Port == "" {
		r.Port = map[bool]string{false: "587", true: "465"}[r.ImplicitTLS]
	}
	return r, nil
}

// URL is the relay's URL without user and password.
func (r *Relay) URL() string {
	scheme := map[bool]string{false: "smtp", true: "smtps"}[r.ImplicitTLS]
	host := r.Host
	if strings.Contains(host, ":") { // an address of IPv6
		host = "[" + host + "]"
	}
	return scheme + "://" + host + ":" + r.Port
}
