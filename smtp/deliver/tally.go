package deliver

import (
	"cmp"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"

	"podmail/mail/tlsrpt"
)

// Bounds on what is counted between two reports.
const (
	talliedPolicies = 20_000
	talliedFailures = 100 // kinds, of one policy
)

// tally counts how connections fared under the TLS policies of their destinations (RFC 8460 4).
type tally struct {
	mu      sync.Mutex
	results map[string]*tlsrpt.Result
}

// note counts a session: failed, unless the failure has no type.
func (t *tally) note(p tlsrpt.Policy, f tlsrpt.Failure) {
	if p.Domain == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := p.Domain + "\x00" + p.Type + "\x00" + strings.Join(p.String, "\n")
	r := t.results[key]
	if r == nil {
		if len(t.results) >= talliedPolicies {
			return
		}
		if t.results == nil {
			t.results = map[string]*tlsrpt.Result{}
		}
		r = &tlsrpt.Result{Policy: p}
		t.results[key] = r
	}
	if f.Type == "" {
		r.Summary.Successful++
		return
	}
	r.Summary.Failed++
	same := slices.IndexFunc(r.Failures, func(g tlsrpt.Failure) bool {
		g.Sessions = 0
		return g == f
	})
	if same < 0 {
		if len(r.Failures) >= talliedFailures {
			return
		}
		same = len(r.Failures)
		r.Failures = append(r.Failures, f)
	}
	r.Failures[same].Sessions++
}

// TLSResults returns what has been counted since it was last called, in the order of domains, for reports to them.
func (c *Courier) TLSResults() (results []tlsrpt.Result) {
	c.tally.mu.Lock()
	defer c.tally.mu.Unlock()
	for _, r := range c.tally.results {
		results = append(results, *r)
	}
	c.tally.results = nil
	slices.SortFunc(results, func(a, b tlsrpt.Result) int {
		return cmp.Or(strings.Compare(a.Policy.Domain, b.Policy.Domain), strings.Compare(a.Policy.Type, b.Policy.Type))
	})
	return results
}

// resultType is the name of a failed verification (RFC 8460 4.3).
func resultType(err error) string {
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "certificate-host-mismatch"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "certificate-expired"
	case errors.As(err, &unknown):
		return "certificate-not-trusted"
	}
	return "validation-failure"
}

// policyFailure is why an announced policy is not there.
func policyFailure(err error) tlsrpt.Failure {
	kind := "sts-policy-fetch-error"
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errPolicyInvalid):
		kind = "sts-policy-invalid"
	case errors.As(err, &invalid), errors.As(err, &name), errors.As(err, &unknown):
		kind = "sts-webpki-invalid"
	}
	return tlsrpt.Failure{Type: kind, Reason: err.Error()}
}
