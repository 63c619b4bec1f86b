package config

import (
	"errors"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"

	"podmail/mail"
)

var errNotAllowed = errors.New("not allowed here")

// Domain is a host or mail domain name, in lower case.
type Domain string

// UnmarshalText takes letters, digits and hyphens in labels (RFC 1035 2.3.1); other scripts in their ASCII form.
func (d *Domain) UnmarshalText(text []byte) error {
	name := strings.ToLower(string(text))
	if !mail.ValidDomain(name) {
		return errNotAllowed
	}
	*d = Domain(name)
	return nil
}

func (d *Domain) String() string  { return string(*d) }
func (d *Domain) allowed() string { return `a domain name, such as "mail.example.com"` }

// Path is a folder. Relative ones start where the program was started.
type Path string

// UnmarshalText takes anything but nothing.
func (p *Path) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errNotAllowed
	}
	*p = Path(text)
	return nil
}

func (p *Path) String() string  { return string(*p) }
func (p *Path) allowed() string { return "a folder" }

// File is the name of a file; empty: none.
type File string

// UnmarshalText takes any name.
func (f *File) UnmarshalText(text []byte) error {
	*f = File(text)
	return nil
}

func (f *File) String() string  { return string(*f) }
func (f *File) allowed() string { return "the name of a file" }

// Listener is a host and port to listen on; empty: not at all.
type Listener string

// UnmarshalText takes host:port, where the host may be left out (everywhere) and port 0 means a free one.
func (l *Listener) UnmarshalText(text []byte) error {
	if len(text) > 0 {
		host, port, err := net.SplitHostPort(string(text))
		if err != nil {
			return err
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return err
		}
		var name Domain
		if host != "" && net.ParseIP(host) == nil && name.UnmarshalText([]byte(host)) != nil {
			return errNotAllowed
		}
	}
	*l = Listener(text)
	return nil
}

func (l *Listener) String() string { return string(*l) }
func (l *Listener) allowed() string {
	return `host:port, such as "127.0.0.1:2525", ":25" (everywhere) or "" (off)`
}

// Address is a host and port to call; empty: none.
type Address string

// UnmarshalText takes host:port, both given.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) > 0 {
		var l Listener
		host, port, err := net.SplitHostPort(string(text))
		if err != nil || host == "" || port == "0" || l.UnmarshalText(text) != nil {
			return errNotAllowed
		}
	}
	*a = Address(text)
	return nil
}

func (a *Address) String() string { return string(*a) }
func (a *Address) allowed() string {
	return `host:port, such as "127.0.0.1:53", or ""`
}

// Origin is scheme, host and port of a URL; empty: derived.
type Origin string

// UnmarshalText takes http and https without path, user or query. A slash at the end is dropped.
func (o *Origin) UnmarshalText(text []byte) error {
	if len(text) > 0 {
		u, err := url.Parse(strings.TrimSuffix(string(text), "/"))
		if err != nil {
			return err
		}
		bare := url.URL{Scheme: u.Scheme, Host: u.Host}
		if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || *u != bare {
			return errNotAllowed
		}
		text = []byte(bare.String())
	}
	*o = Origin(text)
	return nil
}

func (o *Origin) String() string { return string(*o) }
func (o *Origin) allowed() string {
	return `an http or https URL without a path, such as "https://mail.example.com"`
}

// Size is a number of bytes.
type Size int64

const (
	minSize = 64 << 10 // what every host must take (RFC 5321 4.5.3.1.7)
	maxSize = 1 << 30
)

var units = []struct {
	name  string
	bytes float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1}}

// UnmarshalText takes a number with a unit, or of bytes without one.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := parseBytes(string(text), minSize, maxSize)
	if err == nil {
		*s = Size(n)
	}
	return err
}

func (s *Size) String() string { return formatBytes(int64(*s)) }

// parseBytes reads a number of bytes between two bounds.
func parseBytes(text string, least, most float64) (int64, error) {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			return 0, err
		}
		bytes := n * unit.bytes
		if !(least <= bytes && bytes <= most) || bytes != math.Trunc(bytes) {
			return 0, errNotAllowed
		}
		return int64(bytes), nil
	}
	return 0, errNotAllowed
}

func formatBytes(n int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"MB", 1e6}, {"kB", 1e3}} {
		if n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

func (s *Size) allowed() string { return `a size from "64KiB" to "1GiB", such as "50MiB"` }

// Switch turns something on.
type Switch bool

// UnmarshalText takes true and false.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "true":
		*s = true
	case "false":
		*s = false
	default:
		return errNotAllowed
	}
	return nil
}

func (s *Switch) String() string  { return strconv.FormatBool(bool(*s)) }
func (s *Switch) allowed() string { return "true or false" }
