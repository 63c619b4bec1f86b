package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"podmail/mail"
)

// Limits is what one peer, or all together, may take of the SMTP listeners.
type Limits struct {
	Connections           Limit    // limits.connections
	ConnectionsPerIP      Limit    // limits.connections_per_ip
	ConnectionsPerNetwork Limit    // limits.connections_per_network
	MessagesPerHour       Limit    // limits.messages_per_hour
	RecipientsPerHour     Limit    // limits.recipients_per_hour
	BytesPerHour          Volume   // limits.bytes_per_hour
	Recipients            Limit    // limits.recipients
	HeaderSize            Size     // limits.header_size
	Errors                Limit    // limits.errors
	FailedLogins          Limit    // limits.failed_logins
	CommandTime           Duration // limits.command_time
	StallTime             Duration // limits.stall_time
	BodyTime              Duration // limits.body_time
}

func defaultLimits() Limits {
	return Limits{
		Connections: 1000, ConnectionsPerIP: 50, ConnectionsPerNetwork: 200,
		MessagesPerHour: 10_000, RecipientsPerHour: 50_000, BytesPerHour: 20 << 30,
		Recipients: 1000, HeaderSize: 1 << 20, Errors: 20, FailedLogins: 20,
		CommandTime: Duration(5 * time.Minute), StallTime: Duration(3 * time.Minute), BodyTime: Duration(30 * time.Minute),
	}
}

func (l *Limits) settings() []setting {
	return []setting{
		{"limits.connections", &l.Connections},
		{"limits.connections_per_ip", &l.ConnectionsPerIP},
		{"limits.connections_per_network", &l.ConnectionsPerNetwork},
		{"limits.messages_per_hour", &l.MessagesPerHour},
		{"limits.recipients_per_hour", &l.RecipientsPerHour},
		{"limits.bytes_per_hour", &l.BytesPerHour},
		{"limits.recipients", &l.Recipients},
		{"limits.header_size", &l.HeaderSize},
		{"limits.errors", &l.Errors},
		{"limits.failed_logins", &l.FailedLogins},
		{"limits.command_time", &l.CommandTime},
		{"limits.stall_time", &l.StallTime},
		{"limits.body_time", &l.BodyTime},
	}
}

// Limit is how many of something there may be at most.
type Limit int

// UnmarshalText takes a whole number, not zero: what is limited to nothing is turned off elsewhere.
func (l *Limit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n < 1 || n > 1_000_000_000 {
		return errNotAllowed
	}
	*l = Limit(n)
	return nil
}

func (l *Limit) String() string  { return strconv.Itoa(int(*l)) }
func (l *Limit) allowed() string { return "a whole number from 1 to 1000000000" }

// Volume is how many bytes there may be at most, over time.
type Volume int64

// UnmarshalText takes a number with a unit, or of bytes without one.
func (v *Volume) UnmarshalText(text []byte) error {
	n, err := parseBytes(string(text), 1<<20, 1<<40)
	if err == nil {
		*v = Volume(n)
	}
	return err
}

func (v *Volume) String() string  { return formatBytes(int64(*v)) }
func (v *Volume) allowed() string { return `a size from "1MiB" to "1024GiB", such as "20GiB"` }

// Duration is how long something may take.
type Duration time.Duration

// UnmarshalText takes a number with a unit.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < time.Second || v > 24*time.Hour {
		return errNotAllowed
	}
	*d = Duration(v)
	return nil
}

func (d *Duration) String() string {
	s := time.Duration(*d).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if cut, ok := strings.CutSuffix(s, zero); ok {
			s = cut + zero[:1]
		}
	}
	return s
}
func (d *Duration) allowed() string { return `a time from "1s" to "24h", such as "5m"` }

// Networks are addresses and networks; empty: none. It holds them as they were written.
type Networks string

// UnmarshalText takes addresses and prefixes, with commas between them.
func (n *Networks) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" && len(text) == 0 {
			continue
		}
		if _, err := parseNetwork(part); err != nil {
			return err
		}
	}
	*n = Networks(text)
	return nil
}

func (n *Networks) String() string { return string(*n) }
func (n *Networks) allowed() string {
	return `addresses and networks, such as "10.0.0.0/8, 192.0.2.7", or ""`
}

// Prefixes are the networks.
func (n Networks) Prefixes() (prefixes []netip.Prefix) {
	for part := range strings.SplitSeq(string(n), ",") {
		if p, err := parseNetwork(strings.TrimSpace(part)); err == nil { // the setting was checked; nothing else is left out
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// Mailbox is an inbox's address; empty: none.
type Mailbox string

// UnmarshalText takes local@domain.
func (m *Mailbox) UnmarshalText(text []byte) error {
	address := mail.CanonicalAddress(string(text))
	if _, domain, ok := mail.SplitAddress(address); len(text) > 0 && (!ok || !mail.ValidDomain(domain) || strings.ContainsAny(address, " <>\t")) {
		return errNotAllowed
	}
	*m = Mailbox(address)
	return nil
}

func (m *Mailbox) String() string { return string(*m) }
func (m *Mailbox) allowed() string {
	return `the address of an inbox, such as "ops@example.com", or ""`
}
