package servertest

import (
	"context"
	"errors"
	"strings"
	"sync"

	"podmail/mail"
)

// Zone is a domain name system in memory.
type Zone struct {
	mu      sync.Mutex
	records map[string][]string // type and name to values
	down    bool
}

// NewZone returns an empty zone.
func NewZone() *Zone { return &Zone{records: map[string][]string{}} }

// Set makes values all that there is of a type at a name; none: nothing.
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
func (z *Zone) LookupMX(_ context.Context, name string) ([]string, error) {
	return z.lookup(mail.RecordMX, name)
}

// LookupTXT implements dns.Resolver.
func (z *Zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	return z.lookup(mail.RecordTXT, name)
}

// LookupCNAME implements dns.Resolver.
func (z *Zone) LookupCNAME(_ context.Context, name string) ([]string, error) {
	return z.lookup(mail.RecordCNAME, name)
}
