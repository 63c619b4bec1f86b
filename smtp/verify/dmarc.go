package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	msgauth "github.com/emersion/go-msgauth/dmarc"
	"golang.org/x/net/idna"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/parse"
)

// policyRecord is what a domain publishes at _dmarc (RFC 7489 6.3), as far as it concerns one message.
type policyRecord struct {
	policy, subdomains    mail.DMARCPolicy
	strictDKIM, strictSPF bool
	percent               int
	text                  string
}

const maxPolicy = 1024 // bytes of a record that is kept for reports

// errNoPolicy tells that a text is no DMARC record at all.
var errNoPolicy = errors.New("no DMARC record")

// unansweredError tells that nothing can be said of a policy yet.
type unansweredError struct{ error }

// readPolicy reads a record. What go-msgauth does not know, and values that cannot be, are passed over (RFC 7489 6.3): it
// would have none of a record with one such tag, so it is shown them one by one first. v= comes before all others.
func readPolicy(text string) (r policyRecord, err error) {
	version, rest, _ := strings.Cut(text, ";")
	name, value, _ := strings.Cut(version, "=")
	if strings.TrimSpace(name) != "v" || strings.TrimSpace(value) != "DMARC1" {
		return r, errNoPolicy
	}
	good := map[string]string{}
	wrong := false
	for piece := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(strings.ToLower(piece), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if _, twice := good[name]; twice || name == "" || value == "" {
			continue
		}
		tag := name + "=" + value
		if _, err := msgauth.Parse("v=DMARC1; p=none; " + tag); err == nil {
			good[name] = tag
		} else {
			wrong = wrong || name == "p" || name == "sp"
		}
	}
	wrong = wrong || good["p"] == ""
	if wrong {
		if !strings.Contains(good["rua"], ":") { // RFC 7489 6.6.3 step 6
			return r, errors.New("the record has no policy")
		}
		good["p"], good["sp"] = "p=none", ""
	}
	record, err := msgauth.Parse(strings.Join(append([]string{"v=DMARC1"}, slices.Collect(maps.Values(good))...), ";"))
	if err != nil {
		return r, err
	}
	r = policyRecord{policy: mail.DMARCPolicy(record.Policy), subdomains: mail.DMARCPolicy(cmp.Or(record.SubdomainPolicy, record.Policy)), percent: 100,
		strictDKIM: record.DKIMAlignment == msgauth.AlignmentStrict, strictSPF: record.SPFAlignment == msgauth.AlignmentStrict}
	if len(text) <= maxPolicy { // cut, it would name others
		r.text = text
	}
	if record.Percent != nil {
		r.percent = *record.Percent
	}
	return r, nil
}

// dmarc judges the message by the domain of its author. With several authors the worst verdict counts, so that one more
// does not hide another; a message with several From fields has none that can pass (RFC 7489 6.6.1).
func (c *Check) dmarc(ctx context.Context, a *mail.Authentication) mail.DMARCResult {
	domains, fields := authors(c.header), len(c.header.named("from"))
	switch {
	case c.reader.cut > 0: // there may be one more From than we see
		return mail.DMARCResult{Result: mail.AuthPermError, Reason: "the header is too long"}
	case len(domains) > maxAuthors:
		return mail.DMARCResult{Result: mail.AuthPermError, Reason: "From names too many domains"}
	case len(domains) == 0 && fields < 2:
		return mail.DMARCResult{Result: mail.AuthNone, Reason: "From names no domain"}
	}
	worst := mail.DMARCResult{Result: mail.AuthPass}
	for i, domain := range domains {
		if r := c.v.judge(ctx, domain, a, c.reader.sample()); i == 0 || severity(&r) > severity(&worst) {
			worst = r
		}
	}
	if fields > 1 && worst.Asks() == mail.PolicyNone {
		return mail.DMARCResult{Result: mail.AuthPermError, Reason: fmt.Sprintf("there are %d From fields", fields)}
	}
	return worst
}

// severity orders verdicts by what may have to be done about them.
func severity(r *mail.DMARCResult) int {
	switch r.Result {
	case mail.AuthPass:
		return 0
	case mail.AuthNone:
		return 1
	case mail.AuthPermError:
		return 2
	case mail.AuthTempError:
		return 3
	}
	return 4 + map[mail.DMARCPolicy]int{mail.PolicyQuarantine: 1, mail.PolicyReject: 2}[r.Asks()]
}

// authors are the domains in From, each once, in ASCII.
func authors(h header) (domains []string) {
	seen := map[string]bool{}
	for _, f := range h.named("from") {
		for _, a := range parse.Addresses(f.unfolded()) {
			domain := strings.ToLower(strings.TrimSuffix(a.Host, "."))
			if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
				domain = ascii
			}
			if mail.ValidDomain(domain) && !seen[domain] {
				seen[domain] = true
				domains = append(domains, domain)
			}
		}
	}
	return domains
}

// judge evaluates DMARC for one author's domain (RFC 7489 6.6.2).
func (v *Verifier) judge(ctx context.Context, from string, a *mail.Authentication, sample int) mail.DMARCResult {
	r := mail.DMARCResult{From: from}
	record, at, err := v.findPolicy(ctx, from)
	switch {
	case errors.Is(err, errNoPolicy):
		r.Result, r.Reason = mail.AuthNone, "the domain publishes no policy"
		return r
	case errors.As(err, new(*unansweredError)):
		r.Result, r.Reason = mail.AuthTempError, err.Error()
		return r
	case err != nil:
		r.Result, r.Reason = mail.AuthPermError, err.Error()
		return r
	}
	r.Domain, r.Policy, r.Percent, r.Record = at, record.policy, record.percent, record.text
	if at != from {
		r.Policy = record.subdomains
	}
	r.Sampled = sample >= record.percent
	r.SPF = a.SPF.Result == mail.AuthPass && aligned(a.SPF.Domain, from, record.strictSPF)
	unsure := a.SPF.Result == mail.AuthTempError && aligned(a.SPF.Domain, from, record.strictSPF)
	for _, d := range a.DKIM {
		r.DKIM = r.DKIM || d.Result == mail.AuthPass && aligned(d.Domain, from, record.strictDKIM)
		unsure = unsure || d.Result == mail.AuthTempError && aligned(d.Domain, from, record.strictDKIM)
	}
	switch {
	case r.SPF || r.DKIM:
		r.Result, r.Sampled = mail.AuthPass, false
	case unsure:
		r.Result, r.Reason = mail.AuthTempError, "what could pass could not be looked up"
	default:
		r.Result, r.Reason = mail.AuthFail, "neither SPF nor a signature passes for the domain of From"
	}
	return r
}

// aligned tells whether an authenticated domain speaks for the author's (RFC 7489 3.1).
func aligned(domain, from string, strict bool) bool {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	return domain == from || !strict && dmarc.OrganizationalDomain(domain) == dmarc.OrganizationalDomain(from)
}

// findPolicy finds the record of a domain, or of its organizational domain (RFC 7489 6.6.3).
func (v *Verifier) findPolicy(ctx context.Context, from string) (r policyRecord, at string, err error) {
	places := []string{from}
	if org := dmarc.OrganizationalDomain(from); org != from {
		places = append(places, org)
	}
	for _, at := range places {
		texts, err := find("_dmarc."+at, func(name string) ([]string, error) { return v.o.Resolver.LookupTXT(ctx, name) })
		if err != nil && !errors.Is(err, errMissing) {
			return r, at, &unansweredError{err}
		}
		var records []policyRecord
		var broken error
		for _, text := range texts {
			record, err := readPolicy(text)
			switch {
			case errors.Is(err, errNoPolicy):
			case err != nil:
				broken = err
			default:
				records = append(records, record)
			}
		}
		switch {
		case len(records) == 1 && broken == nil:
			return records[0], at, nil
		case len(records) > 1 || len(records) == 1: // several: none counts, and the search ends
			return r, at, errNoPolicy
		case broken != nil:
			return r, at, broken
		}
	}
	return r, "", errNoPolicy
}
