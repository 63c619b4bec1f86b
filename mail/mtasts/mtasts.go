// Package mtasts reads what domains say about TLS at their mail hosts: the record that names a policy's version, and the
// policy itself (RFC 8461).
package mtasts

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Mode is what a policy asks of senders.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // rather no delivery than one that breaks the policy
	Testing Mode = "testing" // only report what breaks it
	None    Mode = "none"    // there is no policy, whatever was said before
)

// Bounds on a policy.
const (
	MaxSize = 64 << 10 // bytes (RFC 8461 3.3)
	maxAge  = 31557600 // seconds, a year (3.2)
	maxMX   = 1000     // patterns
)

// Policy is what a domain promises of its hosts.
type Policy struct {
	Mode   Mode          `json:"mode"`
	MX     []string      `json:"mx"` // names, or *.name
	MaxAge time.Duration `json:"max_age"`
}

// Fetched is a domain's policy as it was fetched. It holds until it expires, whatever is known then of the domain.
type Fetched struct {
	Domain    string    `json:"domain"`
	ID        string    `json:"id"`
	FetchedAt time.Time `json:"fetched_at"`
	Policy
}

// Expired tells whether the policy holds no more.
func (f Fetched) Expired(now time.Time) bool { return !now.Before(f.ExpiresAt()) }

// ExpiresAt is until when the policy holds.
func (f Fetched) ExpiresAt() time.Time { return f.FetchedAt.Add(f.MaxAge) }

var identifier = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)

// ID finds the version of a domain's policy in the texts at _mta-sts.domain. ok is false if the domain has none: also if
// it has more than one (RFC 8461 3.1).
func ID(texts []string) (id string, ok bool) {
	found := 0
	for _, text := range texts {
		version, rest, _ := strings.Cut(text, ";")
		if strings.TrimRight(version, " \t") != "v=STSv1" {
			continue
		}
		found++
		id = ""
		for field := range strings.SplitSeq(rest, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(field), "="); name == "id" && id == "" {
				id = value
			}
		}
	}
	return id, found == 1 && identifier.MatchString(id)
}

// Parse reads a policy. Of a field that may stand once the first counts, and unknown ones do not (RFC 8461 3.2).
func Parse(text string) (Policy, error) {
	var p Policy
	seen := map[string]bool{}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return Policy{}, fmt.Errorf("no field: %.100q", line)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "mx" && len(p.MX) < maxMX {
			p.MX = append(p.MX, strings.ToLower(strings.TrimSuffix(value, ".")))
			continue
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if err := p.set(name, value); err != nil {
			return Policy{}, err
		}
	}
	switch {
	case !seen["version"] || !seen["mode"] || !seen["max_age"]:
		return Policy{}, errors.New("version, mode or max_age is missing")
	case p.Mode != None && len(p.MX) == 0:
		return Policy{}, errors.New("no mx")
	}
	return p, nil
}

func (p *Policy) set(name, value string) error {
	switch name {
	case "version":
		if value != "STSv1" {
			return fmt.Errorf("version %.20q", value)
		}
	case "mode":
		if p.Mode = Mode(value); p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
			return fmt.Errorf("mode %.20q", value)
		}
	case "max_age":
		seconds, err := strconv.ParseUint(value, 10, 40)
		if err != nil || len(value) > 10 {
			return fmt.Errorf("max_age %.20q", value)
		}
		p.MaxAge = time.Duration(min(seconds, maxAge)) * time.Second
	}
	return nil
}

// Covers tells whether a host is one of the policy's: a pattern's asterisk is exactly one label (RFC 8461 4.1).
func (p Policy) Covers(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	_, above, below := strings.Cut(host, ".")
	for _, pattern := range p.MX {
		if pattern == host {
			return true
		}
		if suffix, ok := strings.CutPrefix(pattern, "*."); ok && below && suffix == above {
			return true
		}
	}
	return false
}

// Lines are the policy's fields, as reports quote them (RFC 8460 4.4).
func (p Policy) Lines() []string {
	lines := []string{"version: STSv1", "mode: " + string(p.Mode)}
	for _, mx := range p.MX {
		lines = append(lines, "mx: "+mx)
	}
	return append(lines, fmt.Sprintf("max_age: %d", int64(p.MaxAge/time.Second)))
}
