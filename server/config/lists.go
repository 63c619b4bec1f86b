package config

import "strings"

// Domains are domain names; empty: none.
type Domains []string

// UnmarshalText takes names with commas between them.
func (d *Domains) UnmarshalText(text []byte) error {
	*d = nil
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		var name Domain
		if err := name.UnmarshalText([]byte(strings.TrimSpace(part))); err != nil {
			return err
		}
		*d = append(*d, string(name))
	}
	return nil
}

func (d *Domains) String() string  { return strings.Join(*d, ", ") }
func (d *Domains) allowed() string { return `domain names, such as "example.org, example.net", or ""` }

// Handling is what to do with mail that should not be.
type Handling string

// The ways.
const (
	Keep   Handling = "keep"
	Refuse Handling = "refuse"
)

// UnmarshalText takes a way.
func (h *Handling) UnmarshalText(text []byte) error {
	if *h = Handling(text); *h != Keep && *h != Refuse {
		return errNotAllowed
	}
	return nil
}

func (h *Handling) String() string  { return string(*h) }
func (h *Handling) allowed() string { return `"keep" or "refuse"` }

// Daemon is a host and port, or a socket's path, of a program to call; empty: none.
type Daemon string

// UnmarshalText takes host:port, both given, or an absolute path.
func (d *Daemon) UnmarshalText(text []byte) error {
	var a Address
	if !strings.HasPrefix(string(text), "/") {
		if err := a.UnmarshalText(text); err != nil {
			return err
		}
	}
	*d = Daemon(text)
	return nil
}

func (d *Daemon) String() string  { return string(*d) }
func (d *Daemon) allowed() string { return `host:port, the path of a socket, or ""` }
