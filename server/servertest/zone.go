package servertest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"podmail/mail"
	"podmail/server/dns"
)

// Zone is a domain name system in memory.
type Zone struct {
	mu      sync.Mutex
	records map[string][]string // type and name to values
	secure  map[string]bool     // type and name
	down    bool
}

// NewZone returns an empty zone.
func NewZone() *Zone { return &Zone{records: map[string][]string{}, secure: map[string]bool{}} }

// Set makes values all that there is of a type at a name; none: nothing. Addresses stand as A and AAAA, the names of an
// address as PTR at that address, TLSA records as in a zone file, their data in hexadecimal, MX records as hosts, with or
// without a preference before them.
func (z *Zone) Set(kind mail.RecordType, name string, values ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[string(kind)+" "+strings.ToLower(name)] = values
}

// Publish adds records as they are to be published.
func (z *Zone) Publish(records []mail.DomainRecord) {
	for _, r := range records {
		z.Set(r.Type, r.Name, r.Value)
	}
}

// Sign lets answers of a type at a name count as validated by DNSSEC.
func (z *Zone) Sign(kind mail.RecordType, name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.secure[string(kind)+" "+strings.ToLower(name)] = true
}

// Down makes every look-up fail, or lets them succeed again.
func (z *Zone) Down(down bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.down = down
}

func (z *Zone) lookup(kind mail.RecordType, name string) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.down {
		return nil, errors.New("the zone is down")
	}
	return z.records[string(kind)+" "+strings.ToLower(name)], nil
}

// LookupMX implements dns.Resolver.
func (z *Zone) LookupMX(_ context.Context, name string) (records []dns.MX, err error) {
	values, err := z.lookup(mail.RecordMX, name)
	for _, v := range values {
		mx := dns.MX{Host: v}
		if preference, host, ok := strings.Cut(v, " "); ok {
			if _, err := fmt.Sscan(preference, &mx.Preference); err != nil {
				return nil, fmt.Errorf("MX %s: %w", v, err)
			}
			mx.Host = host
		}
		records = append(records, mx)
	}
	slices.SortStableFunc(records, func(a, b dns.MX) int { return int(a.Preference) - int(b.Preference) })
	return records, err
}

// LookupTXT implements dns.Resolver.
func (z *Zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	return z.lookup(mail.RecordTXT, name)
}

// LookupCNAME implements dns.Resolver.
func (z *Zone) LookupCNAME(_ context.Context, name string) ([]string, error) {
	return z.lookup(mail.RecordCNAME, name)
}

// Canonical implements dns.Resolver.
func (z *Zone) Canonical(_ context.Context, name string) (string, error) {
	for range 8 {
		targets, err := z.lookup(mail.RecordCNAME, name)
		if err != nil || len(targets) == 0 {
			return name, err
		}
		name = targets[0]
	}
	return name, nil
}

// LookupIP implements dns.Resolver.
func (z *Zone) LookupIP(_ context.Context, family dns.Family, name string) (addresses []netip.Addr, err error) {
	values, err := z.lookup(mail.RecordType(family), name)
	for _, v := range values {
		addresses = append(addresses, netip.MustParseAddr(v))
	}
	return addresses, err
}

// LookupPTR implements dns.Resolver.
func (z *Zone) LookupPTR(_ context.Context, address netip.Addr) ([]string, error) {
	return z.lookup("PTR", address.Unmap().String())
}

// LookupTLSA implements dns.Resolver.
func (z *Zone) LookupTLSA(_ context.Context, name string) (records []dns.TLSA, err error) {
	values, err := z.lookup("TLSA", name)
	for _, v := range values {
		var r dns.TLSA
		if _, err := fmt.Sscanf(v, "%d %d %d %x", &r.Usage, &r.Selector, &r.MatchingType, &r.Data); err != nil {
			return nil, fmt.Errorf("TLSA %s: %w", v, err)
		}
		records = append(records, r)
	}
	return records, err
}

// IsSecure implements dns.Resolver.
func (z *Zone) IsSecure(_ context.Context, kind mail.RecordType, name string) (bool, error) {
	_, err := z.lookup(kind, name)
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.secure[string(kind)+" "+strings.ToLower(name)], err
}
