package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"podmail/mail"
)

// security is what is demanded of connections to a host.
type security struct {
	required bool     // rather not at all than in plain text
	verified bool     // the host must show a certificate for one of names
	names    []string // the host's, for the certificate
	by       string   // who demands it, or how the host is known, for people
}

// id tells connections apart that were made under different demands.
func (y security) id() string { return fmt.Sprint(y.required, y.verified, y.names, y.by) }

// config is how TLS is spoken to a host under the demands. Where nothing is demanded, any TLS is better than none
// (RFC 7435), and verified tells afterwards whether the certificate was good all the same.
func (c *Courier) config(h host, y security, verified *bool) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // verified below, where names are ours to choose
	if !h.address.IsValid() {
		config.ServerName = h.name // RFC 7672 8.1, RFC 8461 4
	}
	if !y.required {
		config.MinVersion = tls.VersionTLS10
	}
	config.VerifyConnection = func(state tls.ConnectionState) error {
		err := c.verify(state, y.names)
		*verified = err == nil
		if y.verified {
			return err
		}
		return nil
	}
	return config
}

// verify checks a host's certificate against those whom we trust and the names that it may have.
func (c *Courier) verify(state tls.ConnectionState, names []string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the host shows no certificate")
	}
	options := x509.VerifyOptions{Roots: c.o.Roots, CurrentTime: c.o.Clock.Now(), Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	leaf := state.PeerCertificates[0]
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	var err error
	for _, name := range names {
		if err = leaf.VerifyHostname(name); err == nil {
			return nil
		}
	}
	return errors.Join(err, fmt.Errorf("the certificate is for %q", leaf.DNSNames))
}

// demands are what a transfer demands of connections to a host.
func demands(t mail.Transfer, h host) security {
	y := security{names: []string{h.name}}
	switch {
	case t.RequireTLS:
		y.required, y.verified, y.by = true, true, "REQUIRETLS"
	case h.relay && t.Relay.Username != "" && !h.address.IsLoopback():
		y.required, y.verified, y.by = true, true, "the password" // nobody else must read it
	case h.relay && t.Relay.ImplicitTLS:
		y.required, y.by = true, "the relay's setting"
	}
	return y
}

// unmet is the failure of a host that does not meet the demands.
func unmet(y security, enhanced, format string, args ...any) *failure {
	return failed(mail.TransferTLS, enhanced, "%s demands TLS, but %s", y.by, fmt.Sprintf(format, args...)).orElsewhere()
}
