package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"podmail/mail"
	"podmail/mail/mtasts"
	"podmail/mail/tlsrpt"
	"podmail/server/dns"
)

// security is what is demanded of connections to a host.
type security struct {
	required bool       // rather not at all than in plain text
	verified bool       // the host must be who it should be
	names    []string   // that its certificate may be for; it is asked for the one of the first
	tlsa     []dns.TLSA // usable ones: they say how it is verified
	by       string     // who demands it, for people
	policy   tlsrpt.Policy
}

// id tells connections apart that were made under different demands.
func (y security) id() string {
	return fmt.Sprint(y.required, y.verified, y.names, y.by, fingerprint(y.tlsa))
}

// known is what a destination says of its hosts' TLS.
type known struct {
	domain   string
	secureMX bool // DNS vouches for the names of the hosts
	sts      *mtasts.Fetched
	problem  error // why there is no sts although one is announced
}

// learn finds out what a destination says. Relays and address literals say nothing.
func (c *Courier) learn(ctx context.Context, t mail.Transfer, hosts []host) (known, *failure) {
	k := known{domain: hosts[0].domain}
	if k.domain == "" || t.AnyTLS {
		return known{}, nil
	}
	var err error
	if k.secureMX, err = c.o.Resolver.IsSecure(ctx, mail.RecordMX, k.domain); err != nil {
		return k, failed(mail.TransferDNS, "4.4.3", "%v", err)
	}
	k.sts, k.problem = c.policyOf(ctx, k.domain)
	if k.problem != nil {
		c.tally.note(tlsrpt.Policy{Type: "sts", Domain: k.domain}, policyFailure(k.problem))
	}
	return k, nil
}

// demands are what a transfer and its destination demand of connections to a host. A failure: it must not be used.
func (c *Courier) demands(ctx context.Context, t mail.Transfer, h host, k known) (y security, f *failure) {
	if h.relay {
		y, f = c.relayDemands(ctx, t, h)
	} else {
		y, f = c.published(ctx, h, k)
	}
	if f != nil {
		return y, f
	}
	if !t.RequireTLS {
		return y, nil
	}
	if covered := k.sts != nil && k.sts.Mode != mtasts.None && k.sts.Covers(h.name); !h.relay && !k.secureMX && !covered { // RFC 8689 4.2.1
		return y, failed(mail.TransferTLS, "5.7.30", "the message demands verified TLS, and neither DNSSEC nor MTA-STS vouches for %s", h.name).orElsewhere()
	}
	y.required, y.verified, y.by = true, true, "REQUIRETLS"
	return y, nil
}

// published are the demands of the destination itself. DANE goes before MTA-STS (RFC 8461 2), but not where the host's name
// can be forged, which an enforced policy would notice.
func (c *Courier) published(ctx context.Context, h host, k known) (security, *failure) {
	y := security{names: []string{h.name}, policy: tlsrpt.Policy{Type: "no-policy-found", Domain: k.domain}}
	if k.domain == "" {
		return y, nil
	}
	if k.secureMX || k.sts == nil || k.sts.Mode != mtasts.Enforce {
		base, records, f := c.tlsaOf(ctx, h)
		if f != nil {
			c.tally.note(tlsrpt.Policy{Type: "tlsa", Domain: k.domain}, tlsrpt.Failure{Type: "dnssec-invalid", ReceivingMX: h.name, Reason: f.text})
			return y, f
		}
		if len(records) > 0 {
			names, f := c.destinationNames(ctx, k, records)
			return bound(y, records, base, append(names, h.name)...), f
		}
	}
	if k.sts == nil || k.sts.Mode == mtasts.None {
		return y, nil
	}
	y.by = "MTA-STS"
	y.policy = tlsrpt.Policy{Type: "sts", Domain: k.domain, String: k.sts.Lines(), MX: k.sts.MX}
	enforced := k.sts.Mode == mtasts.Enforce
	if !k.sts.Covers(h.name) {
		c.tally.note(y.policy, tlsrpt.Failure{Type: "validation-failure", ReceivingMX: h.name, Reason: "the policy does not name the host"})
		if enforced {
			return y, failed(mail.TransferTLS, "4.7.5", "the MTA-STS policy of %s does not name its MX %s", k.domain, h.name).orElsewhere()
		}
	}
	y.required, y.verified = enforced, enforced
	return y, nil
}

// destinationNames are those of the destination that a certificate under an authority's TLSA record may be for beside its
// host's: its own, and what that is an alias of (RFC 7672 3.2.2).
func (c *Courier) destinationNames(ctx context.Context, k known, records []dns.TLSA) ([]string, *failure) {
	if !k.secureMX || !slices.ContainsFunc(records, func(r dns.TLSA) bool { return r.Usage == usageTA }) {
		return []string{k.domain}, nil
	}
	canonical, err := c.o.Resolver.Canonical(ctx, k.domain)
	if err != nil {
		return nil, failed(mail.TransferDNS, "4.4.3", "%v", err).orElsewhere()
	}
	return []string{k.domain, canonical}, nil
}

// bound are y with the demands of TLSA records that stand at base, for a host that is known by names too.
func bound(y security, records []dns.TLSA, base string, names ...string) security {
	y.tlsa = usable(records)
	if y.required = true; len(y.tlsa) > 0 || y.by == "" { // what demands a certificate already still does
		y.verified, y.by = len(y.tlsa) > 0, "DANE"
	}
	y.names = append([]string{base}, names...) // RFC 7672 3.2.2
	y.policy.Type = "tlsa"
	for _, r := range records {
		y.policy.String = append(y.policy.String, fmt.Sprintf("%d %d %d %x", r.Usage, r.Selector, r.MatchingType, r.Data))
	}
	return y
}

// relayDemands are those of the operator's setting, and of the relay's own TLSA records (RFC 7672 2.2.2).
func (c *Courier) relayDemands(ctx context.Context, t mail.Transfer, h host) (security, *failure) {
	y := security{names: []string{h.name}}
	switch {
	case t.Relay.Username != "" && !h.address.IsLoopback():
		y.required, y.verified, y.by = true, true, "the password" // nobody else must read it
	case t.Relay.ImplicitTLS:
		y.required, y.by = true, "the relay's setting"
	}
	base, records, f := c.tlsaOf(ctx, h)
	if f != nil || len(records) == 0 {
		return y, f
	}
	return bound(y, records, base, h.name), nil
}

// config is how TLS is spoken to a host under the demands. Where nothing is demanded, any TLS is better than none
// (RFC 7435), and verdict tells afterwards whether the certificate was good all the same.
func (c *Courier) config(h host, y security, verdict *error) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // verified below, where names are ours to choose
	if !h.address.IsValid() {
		config.ServerName = y.names[0] // RFC 7672 8.1, RFC 8461 4
	}
	if !y.required {
		config.MinVersion = tls.VersionTLS10
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		*verdict = c.verify(state, y)
		if y.verified {
			return *verdict
		}
		return nil
	}
	return config
}

// verify checks a host's certificate: as its TLSA records say, else against those whom we trust.
func (c *Courier) verify(state tls.ConnectionState, y security) error {
	if len(y.tlsa) > 0 {
		return c.verifyDANE(state, y)
	}
	return verifyChain(state.PeerCertificates, x509.VerifyOptions{Roots: c.o.Roots, CurrentTime: c.o.Clock.Now()}, y.names)
}

// verifyChain checks a chain up to a root, and that it is for one of the names.
func verifyChain(chain []*x509.Certificate, options x509.VerifyOptions, names []string) (err error) {
	if len(chain) == 0 {
		return errors.New("the host shows no certificate")
	}
	options.Intermediates = x509.NewCertPool()
	for _, cert := range chain[1:] {
		options.Intermediates.AddCert(cert)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return err
	}
	for _, name := range names {
		if err = chain[0].VerifyHostname(name); err == nil {
			return nil
		}
	}
	return err
}

// unmet is the failure of a host that does not meet the demands.
func unmet(y security, enhanced, format string, args ...any) *failure {
	return failed(mail.TransferTLS, enhanced, "%s demands TLS, but %s", y.by, fmt.Sprintf(format, args...)).orElsewhere()
}
