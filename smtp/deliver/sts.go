package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	"podmail/mail/mtasts"
)

const (
	policyTime   = 30 * time.Second // for a whole fetch; RFC 8461 3.3 suggests a minute
	policyRetry  = 5 * time.Minute  // after a fetch that failed (3.3)
	policyFresh  = 24 * time.Hour   // after which a policy is fetched again though its id is the same (5.1)
	policiesKept = 10_000
)

// policies remembers domains' MTA-STS policies.
type policies struct {
	mu      sync.Mutex
	entries map[string]*policyEntry
}

type policyEntry struct {
	mu       sync.Mutex     // held while the policy is being fetched
	policy   mtasts.Fetched // of no domain: none is known
	failedAt time.Time
	failure  error
}

func newPolicies(known []mtasts.Fetched) *policies {
	p := &policies{entries: map[string]*policyEntry{}}
	for _, k := range known {
		p.entries[k.Domain] = &policyEntry{policy: k}
	}
	return p
}

// entry returns a domain's place, making room for it if need be.
func (p *policies) entry(domain string) *policyEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[domain]
	if e == nil {
		for other := range p.entries {
			if len(p.entries) < policiesKept {
				break
			}
			delete(p.entries, other)
		}
		e = &policyEntry{}
		p.entries[domain] = e
	}
	return e
}

// policyOf finds the policy that holds for a domain now; nil: none. The error is why one that is announced could not be
// had, and is for reports: mail goes on without it (RFC 8461 3.3).
func (c *Courier) policyOf(ctx context.Context, domain string) (*mtasts.Fetched, error) {
	texts, err := c.o.Resolver.LookupTXT(ctx, "_mta-sts."+domain)
	id, announced := mtasts.ID(texts)
	if err != nil {
		announced = false // what is known already still holds
	}
	e := c.policies.entry(domain)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := c.o.Clock.Now()
	known := e.policy.Domain != "" && !e.policy.Expired(now)
	stale := !known || e.policy.ID != id || now.Sub(e.policy.FetchedAt) > policyFresh
	if announced && stale && now.Sub(e.failedAt) >= policyRetry {
		if e.failure = c.renew(ctx, e, domain, id); e.failure == nil {
			known = true
		} else if ctx.Err() == nil {
			e.failedAt = now
			c.o.Log.Info("no MTA-STS policy", "domain", domain, "error", e.failure)
		}
	}
	switch {
	case known:
		p := e.policy
		return &p, nil
	case announced:
		return nil, e.failure
	}
	return nil, nil
}

// renew fetches a policy and keeps it.
func (c *Courier) renew(ctx context.Context, e *policyEntry, domain, id string) error {
	text, err := c.fetchPolicy(ctx, domain)
	if err != nil {
		return err
	}
	parsed, err := mtasts.Parse(text)
	if err != nil {
		return errors.Join(errPolicyInvalid, err)
	}
	e.policy = mtasts.Fetched{Domain: domain, ID: id, FetchedAt: c.o.Clock.Now(), Policy: parsed}
	if c.o.Keep != nil {
		c.o.Keep(e.policy)
	}
	return nil
}

var errPolicyInvalid = errors.New("the policy cannot be read")

// fetchPolicy gets a policy's text (RFC 8461 3.3): from a host that shows a certificate for its name, without redirects,
// proxies or cookies.
func (c *Courier) fetchPolicy(ctx context.Context, domain string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, policyTime)
	defer cancel()
	name := "mta-sts." + domain
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(name, c.o.PolicyPort)+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", err
	}
	request.Host = name
	response, err := c.web(host{name: name, port: c.o.PolicyPort}).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", name, response.Status)
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return "", fmt.Errorf("%s answers with %.100q, which is no text/plain", name, response.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, mtasts.MaxSize+1))
	if err == nil && len(text) > mtasts.MaxSize {
		err = errors.Join(errPolicyInvalid, fmt.Errorf("it has more than %d bytes", mtasts.MaxSize))
	}
	return string(text), err
}
