package config

import (
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

// UnmarshalText takes what mail.ParseRelay takes.
func (r *Relay) UnmarshalText(text []byte) error {
	*r = Relay(text)
	if _, err := mail.ParseRelay(string(text)); err != nil {
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

// Relay is the relay as it is dialled; nil: none, or it was not allowed.
func (r *Relay) Relay() *mail.Relay {
	relay, err := mail.ParseRelay(string(*r))
	if err != nil {
		return nil
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
