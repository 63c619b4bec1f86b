package deliver_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/deliver"
)

// tlsa writes a record about a certificate.
func tlsa(usage, selector, matching int, cert *x509.Certificate) string {
	data := cert.Raw
	if selector == 1 {
		data = cert.RawSubjectPublicKeyInfo
	}
	switch matching {
	case 1:
		sum := sha256.Sum256(data)
		data = sum[:]
	case 2:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return fmt.Sprintf("%d %d %d %x", usage, selector, matching, data)
}

// TestDANE is what TLSA records do to mail (RFC 7672).
func TestDANE(t *testing.T) {
	trusted, own := newAuthority(t), newAuthority(t) // the second is known by its records only
	offers := []string{"STARTTLS", "REQUIRETLS"}
	right, wrong := own.config(t, "mx.example.org"), own.config(t, "mx.example.org")
	nextHop, elsewhere := own.config(t, "example.org"), own.config(t, "x.example")
	old := own.until(t, time.Now().Add(-time.Minute), "x.example")
	webPKI := trusted.config(t, "mx.example.org")
	ee := func(c *tls.Config) *x509.Certificate { return c.Certificates[0].Leaf }
	const taken, refused = "taken 250 2.0.0", "tls temporary 0 4.7.5"
	for _, c := range []struct {
		name, want string
		config     *tls.Config
		records    []string
	}{
		{"its key", taken, right, []string{tlsa(3, 1, 1, ee(right))}},
		{"its certificate", taken, right, []string{tlsa(3, 0, 1, ee(right))}},
		{"by SHA-512", taken, right, []string{tlsa(3, 1, 2, ee(right))}},
		{"in full", taken, right, []string{tlsa(3, 1, 0, ee(right))}},
		{"one of two", taken, right, []string{tlsa(3, 1, 1, ee(wrong)), tlsa(3, 1, 1, ee(right))}},
		{"name and time do not matter to usage 3", taken, old, []string{tlsa(3, 1, 1, ee(old))}},
		{"another key", refused, wrong, []string{tlsa(3, 1, 1, ee(right))}},
		{"another key, though the web would trust it", refused, webPKI, []string{tlsa(3, 1, 1, ee(right))}},
		{"the authority", taken, right, []string{tlsa(2, 0, 1, own.cert)}},
		{"the authority's key", taken, right, []string{tlsa(2, 1, 1, own.cert)}},
		{"the authority in full", taken, right, []string{tlsa(2, 0, 0, own.cert)}},
		{"the authority, for the domain's name", taken, nextHop, []string{tlsa(2, 0, 1, own.cert)}},
		{"the authority, for another name", refused, elsewhere, []string{tlsa(2, 0, 1, own.cert)}},
		{"another authority", refused, right, []string{tlsa(2, 0, 1, trusted.cert)}},
		{"no usable record: TLS, of whomever", taken, elsewhere, []string{tlsa(1, 0, 1, trusted.cert), "3 1 1 00ff", "3 1 9 00"}},
		{"no usable record, no TLS", "tls temporary 0 4.7.4", nil, []string{tlsa(0, 0, 1, trusted.cert)}},
		{"no TLS", "tls temporary 0 4.7.4", nil, []string{tlsa(3, 1, 1, ee(right))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script{offers: offers, tls: c.config}
			if c.config == nil {
				s.offers = nil
			}
			w, h := meet(t, s, func(o *deliver.Options) { o.Roots = trusted.pool })
			name := "_" + h.port() + "._tcp.mx.example.org"
			w.zone.Set("TLSA", name, c.records...)
			for kind, of := range map[mail.RecordType]string{mail.RecordMX: "example.org", "A": "mx.example.org", "AAAA": "mx.example.org", "TLSA": name} {
				w.zone.Sign(kind, of)
			}
			r := w.expect(t, transfer(plain, "bob@example.org"), c.want)[0]
			if c.want != taken && h.took() != nil {
				t.Error("the host got the message")
			}
			if results := w.TLSResults(); len(results) != 1 || results[0].Policy.Type != "tlsa" || (results[0].Summary.Successful == 1) != (c.want == taken) {
				t.Errorf("counted %+v", results)
			}
			if c.name == "its key" && !strings.HasSuffix(r.TLS, ", verified for DANE") {
				t.Errorf("TLS %q", r.TLS)
			}
			if c.name == "its key" { // which is all that REQUIRETLS asks for
				tr := transfer(plain, "bob@example.org")
				tr.RequireTLS = true
				w.expect(t, tr, taken)
			}
		})
	}
}

// TestDANEWithoutDNSSEC: records that anybody can have forged demand nothing.
func TestDANEWithoutDNSSEC(t *testing.T) {
	own := newAuthority(t)
	for _, unsigned := range []string{"A", "AAAA", "TLSA"} {
		t.Run(unsigned, func(t *testing.T) {
			w, h := meet(t, script{}, nil)
			name := "_" + h.port() + "._tcp.mx.example.org"
			w.zone.Set("TLSA", name, tlsa(3, 1, 1, own.cert))
			for kind, of := range map[string]string{"MX": "example.org", "A": "mx.example.org", "AAAA": "mx.example.org", "TLSA": name} {
				if kind != unsigned {
					w.zone.Sign(mail.RecordType(kind), of)
				}
			}
			w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
		})
	}
}

// TestDANEThatCannotBeLookedUp: somebody may be hiding the records.
func TestDANEThatCannotBeLookedUp(t *testing.T) {
	w, h := meet(t, script{}, nil)
	name := "_" + h.port() + "._tcp.mx.example.org"
	w.zone.Set("TLSA", name, "what the resolver cannot read")
	for kind, of := range map[string]string{"MX": "example.org", "A": "mx.example.org", "AAAA": "mx.example.org", "TLSA": name} {
		w.zone.Sign(mail.RecordType(kind), of)
	}
	w.expect(t, transfer(plain, "bob@example.org"), "dns temporary 0 4.7.5")
	if h.connections() != 0 {
		t.Error("the host was called")
	}
}
