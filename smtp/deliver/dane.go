package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/server/dns"
)

// What TLSA records may say for SMTP (RFC 7672 3.1, RFC 6698 2.1).
const (
	usageTA, usageEE          = 2, 3
	selectCert, selectKey     = 0, 1
	matchFull, match256, m512 = 0, 1, 2
)

// tlsaOf looks up the TLSA records that hold for a host, and the name at which they stand, if DNS vouches for them. A
// failure is a look-up that somebody may be disturbing: the host must not be used then (RFC 7672 2.1.2).
func (c *Courier) tlsaOf(ctx context.Context, h host) (base string, records []dns.TLSA, f *failure) {
	if h.address.IsValid() {
		return "", nil, nil
	}
	bases, err := c.tlsaBases(ctx, h.name)
	if err != nil {
		return "", nil, failed(mail.TransferDNS, "4.4.3", "%v", err).orElsewhere()
	}
	for _, base := range bases {
		name := "_" + h.port + "._tcp." + base
		records, err := c.o.Resolver.LookupTLSA(ctx, name)
		secure := false
		if err == nil && len(records) > 0 {
			secure, err = c.o.Resolver.IsSecure(ctx, "TLSA", name)
		}
		if err != nil {
			return "", nil, failed(mail.TransferDNS, "4.7.5", "DANE: %v", err).orElsewhere()
		}
		if secure {
			return base, records, nil
		}
	}
	return "", nil, nil
}

// tlsaBases are the names at which a host's TLSA records may stand, the best first: what its name is an alias of, then the
// name itself, as far as DNS vouches for the way there (RFC 7672 2.1.3, 2.2.2).
func (c *Courier) tlsaBases(ctx context.Context, name string) ([]string, error) {
	canonical, err := c.o.Resolver.Canonical(ctx, name)
	if err != nil {
		return nil, err
	}
	secure, err := c.secureAddresses(ctx, name)
	alias := !strings.EqualFold(canonical, name)
	switch {
	case err != nil:
		return nil, err
	case secure && alias:
		return []string{canonical, name}, nil
	case secure:
		return []string{name}, nil
	case !alias:
		return nil, nil
	}
	if secure, err = c.o.Resolver.IsSecure(ctx, mail.RecordCNAME, name); err != nil || !secure {
		return nil, err
	}
	return []string{name}, nil
}

// secureAddresses tells whether DNS vouches for a host's addresses, of both families.
func (c *Courier) secureAddresses(ctx context.Context, name string) (secure bool, err error) {
	for _, family := range []dns.Family{dns.IPv4, dns.IPv6} {
		if secure, err = c.o.Resolver.IsSecure(ctx, mail.RecordType(family), name); err != nil || !secure {
			return false, err
		}
	}
	return true, nil
}

// usable are the records that can be obeyed. If there are records and none is usable, TLS is still demanded, of whomever
// (RFC 7672 2.2).
func usable(records []dns.TLSA) (out []dns.TLSA) {
	for _, r := range records {
		size := map[uint8]int{match256: sha256.Size, m512: sha512.Size}[r.MatchingType]
		if (r.Usage == usageTA || r.Usage == usageEE) && r.Selector <= selectKey && r.MatchingType <= m512 && len(r.Data) > 0 && (size == 0 || size == len(r.Data)) {
			out = append(out, r)
		}
	}
	return out
}

// matches tells whether a record is about a certificate.
func matches(r dns.TLSA, cert *x509.Certificate) bool {
	data := cert.Raw
	if r.Selector == selectKey {
		data = cert.RawSubjectPublicKeyInfo
	}
	switch r.MatchingType {
	case match256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case m512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return bytes.Equal(data, r.Data)
}

// verifyDANE checks a host's certificates against usable records: its own by usage 3, whatever name or time it has, or
// that of an authority of its chain by usage 2 (RFC 7672 3.1).
func (c *Courier) verifyDANE(state tls.ConnectionState, y security) error {
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return errors.New("the host shows no certificate")
	}
	failure := errors.New("no TLSA record is about the host's certificate")
	for _, r := range y.tlsa {
		if r.Usage == usageEE {
			if matches(r, chain[0]) {
				return nil
			}
			continue
		}
		for _, anchor := range anchors(r, chain) {
			if err := c.verifyUnder(anchor, chain, y.names); err == nil {
				return nil
			} else {
				failure = err
			}
		}
	}
	return fmt.Errorf("DANE: %w", failure)
}

// anchors are the certificates that a record of usage 2 trusts: of the chain, or the one that it holds itself.
func anchors(r dns.TLSA, chain []*x509.Certificate) (found []*x509.Certificate) {
	for _, cert := range chain[1:] {
		if matches(r, cert) {
			found = append(found, cert)
		}
	}
	if r.Selector == selectCert && r.MatchingType == matchFull && len(found) == 0 {
		if cert, err := x509.ParseCertificate(r.Data); err == nil {
			found = append(found, cert)
		}
	}
	return found
}

// verifyUnder checks a chain up to an anchor, and that it is for one of the names.
func (c *Courier) verifyUnder(anchor *x509.Certificate, chain []*x509.Certificate, names []string) error {
	roots := x509.NewCertPool()
	roots.AddCert(anchor)
	return verifyChain(chain, x509.VerifyOptions{Roots: roots, CurrentTime: c.o.Clock.Now()}, names)
}

// fingerprint tells sets of records apart.
func fingerprint(records []dns.TLSA) string {
	var all []string
	for _, r := range records {
		all = append(all, fmt.Sprintf("%d %d %d %x", r.Usage, r.Selector, r.MatchingType, r.Data))
	}
	slices.Sort(all)
	return fmt.Sprint(all)
}
