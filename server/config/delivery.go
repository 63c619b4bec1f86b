package config

import (
	"fmt"
	"net/url"
	"strconv"

	"podmail/mail"
)

// Delivery is how mail goes to other servers.
type Delivery struct {
	Relay          Relay     // delivery.relay
	MXPort         Port      // delivery.mx_port
	AllowPrivate   Switch    // delivery.allow_private
	Transfers      Limit     // delivery.transfers
	PerDestination Limit     // delivery.per_destination
	PerMinute      Allowance // delivery.per_minute
}

func (d *Delivery) settings() []setting {
	return []setting{
		{"delivery.relay", &d.Relay},
		{"delivery.mx_port", &d.MXPort},
		{"delivery.allow_private", &d.AllowPrivate},
		{"delivery.transfers", &d.Transfers},
		{"delivery.per_destination", &d.PerDestination},
		{"delivery.per_minute", &d.PerMinute},
	}
}

// DeliversToPrivate tells whether mail may be carried to hosts outside the Internet: as it is set, or else if the port is not
// that of the Internet's mail.
func (c *Config) DeliversToPrivate() bool {
	if c.sources["delivery.allow_private"] != "" {
		return bool(c.Delivery.AllowPrivate)
	}
	return c.Delivery.MXPort != 25
}

// Relay is the URL of a host that takes mail for everywhere; empty: none.
type Relay string

// ParseRelay reads a relay's URL. Its error does not show the password.
func ParseRelay(text string) (*mail.Relay, error) {
	var r Relay
	if err := r.UnmarshalText([]byte(text)); err != nil {
		return nil, fmt.Errorf("a relay is %s", r.allowed())
	}
	return r.Relay(), nil
}

// UnmarshalText takes smtp:// (STARTTLS where there is a password) and smtps:// with a host, a port if it is not the usual
// one, and a user and password if it wants them.
func (r *Relay) UnmarshalText(text []byte) error {
	*r = Relay(text)
	if len(text) == 0 {
		return nil
	}
	u, err := url.Parse(string(text))
	if err != nil || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return errNotAllowed // and not err, which would show the password
	}
	if _, set := u.User.Password(); u.User != nil && !set {
		return errNotAllowed
	}
	return nil
}

// String leaves the password out.
func (r *Relay) String() string {
	u, err := url.Parse(string(*r))
	if err != nil {
		return "…"
	}
	return u.Redacted()
}

func (r *Relay) allowed() string { return `"smtp://user:password@host:587", "smtps://…" or ""` }

// Relay is the relay as it is dialled; nil: none.
func (r *Relay) Relay() *mail.Relay {
	u, err := url.Parse(string(*r))
	if err != nil || *r == "" {
		return nil
	}
	relay := &mail.Relay{Host: u.Hostname(), Port: u.Port(), Username: u.User.Username(), ImplicitTLS: u.Scheme == "smtps"}
	relay.Password, _ = u.User.Password()
	if relay.Port == "" {
		relay.Port = map[bool]string{false: "587", true: "465"}[relay.ImplicitTLS]
	}
	return relay
}

// Port is a TCP port.
type Port uint16

// UnmarshalText takes 1 to 65535.
func (p *Port) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil || n == 0 {
		return errNotAllowed
	}
	*p = Port(n)
	return nil
}

func (p *Port) String() string  { return strconv.Itoa(int(*p)) }
func (p *Port) allowed() string { return "a port, 1 to 65535" }
