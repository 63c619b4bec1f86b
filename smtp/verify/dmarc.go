package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	msgauth "github.com/emersion/go-msgauth/dmarc"

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
// does not hide another. A message that does not say in one way whose it is has no author who can pass: several From fields,
// none, or what cannot be read (RFC 7489 6.6.1).
func (c *Check) dmarc(ctx context.Context, a *mail.Authentication) mail.DMARCResult {
	domains, sure := authors(c.reader.header)
	fields := len(c.header.named("from"))
	reason := ""
	switch {
	case c.reader.cut > 0: // there may be one more From than we see
		reason = "the header is too long"
	case fields == 0:
		reason = "there is no From field"
	case len(domains) > maxAuthors:
		reason = "From names too many domains"
	case fields > 1:
		reason = fmt.Sprintf("there are %d From fields", fields)
	case !sure:
		reason = "From holds what is no address"
	case len(domains) == 0:
		reason = "From names no domain"
	}
	worst := c.v.judgeAll(ctx, domains[:min(len(domains), maxAuthors)], a, c.reader.sample())
	if reason != "" && worst.Asks() == mail.PolicyNone {
		return mail.DMARCResult{Result: mail.AuthPermError, Reason: reason}
	}
	return worst
}

// judgeAll judges by each author's domain, all at once: one whose servers do not answer does not hide another's policy. Of
// verdicts that weigh the same the first author's is given.
func (v *Verifier) judgeAll(ctx context.Context, domains []string, a *mail.Authentication, sample int) (worst mail.DMARCResult) {
	verdicts := make([]mail.DMARCResult, len(domains))
	var asking sync.WaitGroup
	for i, domain := range domains {
		asking.Go(func() { verdicts[i] = v.judge(ctx, domain, a, sample) })
	}
	asking.Wait()
	for i := range verdicts {
		if i == 0 || severity(&verdicts[i]) > severity(&worst) {
			worst = verdicts[i]
		}
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

// authors are the domains of those whom From names, each once, in ASCII. Of what is no name in DNS it is the part that is
// one. sure is false if there may be others.
func authors(header []byte) (domains []string, sure bool) {
	addresses, sure := parse.Authors(header, "From")
	for _, a := range addresses {
		if a.Host == parse.MissingDomain {
			continue
		}
		domain := parse.Domain(a.Host)
		for ; domain != "" && !mayBePublished(domain); _, domain, _ = strings.Cut(domain, ".") {
			sure = false
		}
		if domain != "" && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	return domains, sure
}

// mayBePublished tells whether DNS may have a domain, though no host may be called so: some are, with an underscore.
func mayBePublished(domain string) bool {
	return isName(domain) && !strings.ContainsFunc(domain, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-_*.", r))
	})
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
