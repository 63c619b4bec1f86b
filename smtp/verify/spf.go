package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"podmail/mail"
	"podmail/server/dns"
)

// Bounds on what one record can make us ask (RFC 7208 4.6.4).
const (
	maxMechanisms = 10
	maxVoid       = 2
)

// checkHELO judges the name that the peer gave itself (RFC 7208 2.3).
func (v *Verifier) checkHELO(ctx context.Context, p Peer) mail.SPFResult {
	name := strings.TrimSuffix(p.HELO, ".")
	return v.checkSPF(ctx, p, name, "postmaster@"+name)
}

// checkReversePath judges the envelope's sender; of a bounce, the HELO name in its place (RFC 7208 2.4).
func (v *Verifier) checkReversePath(ctx context.Context, p Peer) mail.SPFResult {
	if p.ReversePath == "" {
		return v.checkHELO(ctx, p)
	}
	i := strings.LastIndexByte(p.ReversePath, '@')
	if i < 0 {
		return mail.SPFResult{Result: mail.AuthNone, Reason: "the sender has no domain"}
	}
	local, domain := p.ReversePath[:i], p.ReversePath[i+1:]
	if local == "" { // RFC 7208 4.3
		local = "postmaster"
	}
	if !isASCII(domain) { // RFC 8616 4
		if ascii, err := idna.Lookup.ToASCII(domain); err == nil {
			domain = ascii
		}
	}
	return v.checkSPF(ctx, p, domain, local+"@"+domain)
}

func (v *Verifier) checkSPF(ctx context.Context, p Peer, domain, sender string) mail.SPFResult {
	e := &evaluation{ctx: ctx, resolver: v.o.Resolver, ip: p.Remote, helo: p.HELO, sender: sender, receiver: v.o.Hostname, now: v.o.Clock.Now()}
	r := mail.SPFResult{Domain: strings.ToLower(domain)}
	result, err := e.checkHost(domain, true)
	r.Result = result
	switch {
	case err != nil:
		r.Reason = printable(err.Error(), 300)
	case e.matched != "":
		r.Reason = "matched " + printable(e.matched, 200)
	}
	if result == mail.AuthFail {
		r.Explanation = printable(e.explanation, 300)
	}
	return r
}

// evaluation is one run of check_host (RFC 7208 4).
type evaluation struct {
	ctx      context.Context
	resolver dns.Resolver
	ip       netip.Addr
	helo     string
	sender   string // local@domain
	receiver string
	now      time.Time

	mechanisms  int // that asked DNS
	void        int // questions without an answer
	matched     string
	explanation string
}

// spfError is why there is no verdict: temperror, or permerror.
type spfError struct {
	result mail.AuthResult
	reason string
}

func (e *spfError) Error() string { return e.reason }

func permError(format string, args ...any) error {
	return &spfError{mail.AuthPermError, fmt.Sprintf(format, args...)}
}

func tempError(err error) error { return &spfError{mail.AuthTempError, err.Error()} }

// checkHost evaluates the record of a domain. outermost: its explanation counts.
func (e *evaluation) checkHost(domain string, outermost bool) (mail.AuthResult, error) {
	domain = strings.TrimSuffix(domain, ".")
	if !isName(domain) || !strings.Contains(domain, ".") || strings.HasPrefix(domain, "[") { // RFC 7208 4.3
		return mail.AuthNone, errors.New("no name that could have a record")
	}
	text, err := e.findRecord(domain)
	if err != nil || text == "" {
		return verdictOf(mail.AuthNone, err)
	}
	r, err := readSPF(text)
	if err != nil {
		return verdictOf("", err)
	}
	for _, m := range r.mechanisms {
		ok, err := e.matches(m, domain)
		if err != nil {
			return verdictOf("", err)
		}
		if ok {
			if e.matched = m.text; m.qualifier == mail.AuthFail && outermost && r.explanation != "" {
				e.explanation = e.explain(r.explanation, domain)
			}
			return m.qualifier, nil
		}
	}
	if r.redirect == "" {
		return mail.AuthNeutral, nil
	}
	return e.follow(r.redirect, domain, outermost)
}

// verdictOf is the verdict that an error means, or result if there is none.
func verdictOf(result mail.AuthResult, err error) (mail.AuthResult, error) {
	if e, ok := errors.AsType[*spfError](err); ok {
		return e.result, err
	}
	return result, err
}

// findRecord finds the one record of a domain (RFC 7208 4.4, 4.5).
func (e *evaluation) findRecord(domain string) (found string, err error) {
	texts, err := e.resolver.LookupTXT(e.ctx, domain)
	if err != nil {
		return "", tempError(err)
	}
	for _, text := range texts {
		version, _, _ := strings.Cut(text, " ")
		if !strings.EqualFold(version, "v=spf1") {
			continue
		}
		if found != "" {
			return "", permError("there are several records")
		}
		found = text
	}
	return found, nil
}

// follow evaluates the record that a redirect names (RFC 7208 6.1).
func (e *evaluation) follow(spec, domain string, outermost bool) (mail.AuthResult, error) {
	if err := e.count(); err != nil {
		return verdictOf("", err)
	}
	target, err := e.target(spec, domain)
	if err != nil {
		return verdictOf("", err)
	}
	result, err := e.checkHost(target, outermost)
	if result == mail.AuthNone {
		return verdictOf("", permError("%s, to which it redirects, has no record", target))
	}
	return result, err
}

// count notes a mechanism that asks DNS.
func (e *evaluation) count() error {
	if e.mechanisms++; e.mechanisms > maxMechanisms {
		return permError("the record asks for more than %d look-ups", maxMechanisms)
	}
	return nil
}

// matches tells whether a mechanism matches the peer (RFC 7208 5).
func (e *evaluation) matches(m mechanism, domain string) (bool, error) {
	switch m.name {
	case "all":
		return true, nil
	case "ip4", "ip6":
		return m.network.Contains(e.ip), nil
	}
	if err := e.count(); err != nil {
		return false, err
	}
	target, err := e.target(m.domain, domain)
	if err != nil {
		return false, err
	}
	if m.name == "include" {
		return e.includes(target)
	}
	if !isName(strings.TrimSuffix(target, ".")) { // RFC 7208 4.8: nothing can match it
		return false, nil
	}
	switch m.name {
	case "a":
		return e.hasAddress(m, target)
	case "mx":
		return e.hasMX(m, target)
	case "ptr":
		_, ok := e.validated(target, false)
		return ok, nil
	default: // exists, RFC 7208 5.7
		addresses, err := e.addresses(dns.IPv4, target)
		return len(addresses) > 0, err
	}
}

// includes asks another domain's record (RFC 7208 5.2).
func (e *evaluation) includes(target string) (bool, error) {
	result, err := e.checkHost(target, false)
	switch result {
	case mail.AuthPass:
		return true, nil
	case mail.AuthFail, mail.AuthSoftFail, mail.AuthNeutral:
		return false, nil
	case mail.AuthNone:
		return false, permError("%s, which it includes, has no record", target)
	}
	return false, err
}

func (e *evaluation) hasAddress(m mechanism, name string) (bool, error) {
	addresses, err := e.addresses(familyOf(e.ip), name)
	for _, a := range addresses {
		if m.covers(a, e.ip) {
			return true, nil
		}
	}
	return false, err
}

// hasMX asks for the addresses of a domain's mail hosts (RFC 7208 5.4).
func (e *evaluation) hasMX(m mechanism, name string) (bool, error) {
	hosts, err := lookup(e, name, func() ([]dns.MX, error) { return e.resolver.LookupMX(e.ctx, name) })
	if err != nil {
		return false, err
	}
	if len(hosts) > maxNames {
		return false, permError("%s has more than %d mail hosts", name, maxNames)
	}
	for _, mx := range hosts {
		if ok, err := e.hasAddress(m, mx.Host); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (e *evaluation) addresses(f dns.Family, name string) ([]netip.Addr, error) {
	if !isName(name) && !isName(strings.TrimSuffix(name, ".")) {
		return nil, nil
	}
	return lookup(e, name, func() ([]netip.Addr, error) { return e.resolver.LookupIP(e.ctx, f, name) })
}

// lookup asks, and counts answers that are empty.
func lookup[T any](e *evaluation, name string, ask func() ([]T, error)) ([]T, error) {
	found, err := ask()
	if err != nil {
		return nil, tempError(err)
	}
	if len(found) == 0 {
		if e.void++; e.void > maxVoid {
			return nil, permError("more than %d look-ups found nothing, the last for %s", maxVoid, name)
		}
	}
	return found, nil
}

// validated finds a name of the peer's address that has the address (RFC 7208 5.5): within a domain, or, if any will
// do, the closest to it. What fails to be looked up does not match.
func (e *evaluation) validated(domain string, any bool) (name string, ok bool) {
	names, err := e.resolver.LookupPTR(e.ctx, e.ip)
	if err != nil {
		return "", false
	}
	rank := 0
	for _, n := range names[:min(len(names), maxNames)] {
		r := 1
		if strings.EqualFold(n, domain) {
			r = 3
		} else if mail.IsWithin(n, domain) {
			r = 2
		}
		if r <= rank || r == 1 && !any || !isName(n) {
			continue
		}
		addresses, err := e.resolver.LookupIP(e.ctx, familyOf(e.ip), n)
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if a == e.ip {
				name, rank = n, r
			}
		}
	}
	return name, rank > 0
}

// isName tells whether DNS can hold a name (RFC 1035 2.3.4).
func isName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) < 1 || len(label) > 63 {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
