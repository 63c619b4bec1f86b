package deliver_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
	"podmail/server/dns"
	"podmail/smtp/deliver"
	"podmail/smtp/sign/signtest"
)

// sealed cuts what a host has put on top of a message that begins with our signatures.
func sealed(t testing.TB, stored string) string {
	t.Helper()
	i := strings.Index(stored, "DKIM-Signature:")
	if i < 0 {
		t.Fatalf("no signature: %s", stored)
	}
	return stored[i:]
}

// TestRealHosts sends to Postfix and to Exim, finds them by DNS, and looks at what they have stored.
func TestRealHosts(t *testing.T) {
	for name, start := range map[string]func(testing.TB, string, string, *tls.Config) *realHost{"Postfix": postfix, "Exim": exim} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			config := a.config(t, "mx.example.org")
			port := freePort(t, "127.0.0.41", "127.0.0.42")
			h := start(t, "127.0.0.41", port, config)
			names := serveNames(t)
			names.publish(t, "example.org. 60 IN MX 10 dead.example.org.", "example.org. 60 IN MX 20 mx.example.org.",
				"dead.example.org. 60 IN A 127.0.0.42", "mx.example.org. 60 IN A 127.0.0.41")
			w := newWorld(t, port, func(o *deliver.Options) { o.Resolver, o.Roots = dns.NewClient(names.address, false), a.pool })
			keys, records := signtest.Keys(t)
			send := func(m string, to ...string) mail.Transfer {
				tr := transfer(m, to...)
				tr.Keys = keys
				return tr
			}
			for n, m := range map[string]string{
				"carol": "From: us@us.example\r\nTo: carol@example.org\r\nSubject: dots\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@us.example>\r\n\r\n.\r\n..\r\n.hidden\r\n \r\nend  \r\n\r\n\r\n",
				"bob":   "From: us@us.example\r\nTo: bob@example.org\r\nSubject: Grüße\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <2@us.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + strings.Repeat("Übergröße, mehr als ein Stück\r\n", 60_000),
			} {
				r := w.expect(t, send(m, n+"@example.org"), h.takes)
				if r[0].Host != "mx.example.org [127.0.0.41]" || !strings.HasSuffix(r[0].TLS, ", verified") {
					t.Errorf("%+v", r)
				}
				got := sealed(t, h.mailbox(t, n, 1)[0])
				if !strings.HasSuffix(got, "\r\n"+m) {
					t.Errorf("%s: %s", n, cmp.Diff(m, got))
				}
				if verdict := signtest.DKIM(t, got, records); verdict != "True True" {
					t.Errorf("%s: dkimpy says %s", n, verdict)
				}
			}
			results := w.expect(t, send(plain, "bob@example.org", "grey@example.org", "gone@example.org"), h.takes, h.waits, "reply permanent 550 5.1.1")
			if !strings.Contains(results[1].Text, "greylisted, come back") || !strings.Contains(results[2].Text, "there is no such user") {
				t.Errorf("%+v", results)
			}
			h.mailbox(t, "bob", 2)
			w.expect(t, send("Subject: x\r\n\r\n"+strings.Repeat(strings.Repeat("x", 78)+"\r\n", 140_000), "bob@example.org"), "content permanent 0 5.3.4")
		})
	}
}

// TestRealHostsAndPolicies: a wrong certificate is refused and the right one used, by DANE and by MTA-STS, whose records
// come over the wire.
func TestRealHostsAndPolicies(t *testing.T) {
	for name, start := range map[string]func(testing.TB, string, string, *tls.Config) *realHost{"Postfix": postfix, "Exim": exim} {
		t.Run(name, func(t *testing.T) {
			web, own := newAuthority(t), newAuthority(t)
			right, trusted := own.config(t, "mx.example.org"), web.config(t, "mx.example.org")
			port := freePort(t, "127.0.0.43", "127.0.0.44", "127.0.0.45")
			start(t, "127.0.0.43", port, right)        // a certificate of its own
			h := start(t, "127.0.0.44", port, trusted) // one that the web trusts
			taken, refused := h.takes, "tls temporary 0 4.7.5"
			for _, c := range []struct {
				name, want, address, policy string
				tlsa                        *x509.Certificate
			}{
				{"DANE, right", taken, "127.0.0.43", "", right.Certificates[0].Leaf},
				{"DANE, authority", taken, "127.0.0.43", "", own.cert},
				{"DANE, wrong", refused, "127.0.0.44", "", right.Certificates[0].Leaf},
				{"MTA-STS, right", taken, "127.0.0.44", policy("enforce", "*.example.org"), nil},
				{"MTA-STS, wrong", refused, "127.0.0.43", policy("enforce", "*.example.org"), nil},
				{"MTA-STS, another host", refused, "127.0.0.44", policy("enforce", "mx.example.net"), nil},
				{"MTA-STS, testing", taken, "127.0.0.43", policy("testing", "*.example.org"), nil},
			} {
				t.Run(c.name, func(t *testing.T) {
					names := serveNames(t)
					names.publish(t, "example.org. 60 IN MX 20 mx.example.org.", "mx.example.org. 60 IN A "+c.address)
					if c.tlsa != nil {
						record := tlsa(3, 1, 1, c.tlsa)
						if c.tlsa.IsCA {
							record = tlsa(2, 0, 1, c.tlsa)
						}
						names.publish(t, "_"+port+"._tcp.mx.example.org. 60 IN TLSA "+record)
					}
					policyPort := "1"
					if c.policy != "" {
						policyPort = servePolicy(t, web.config(t, "mta-sts.example.org"), c.policy).port
						names.publish(t, `_mta-sts.example.org. 60 IN TXT "v=STSv1; id=1;"`, "mta-sts.example.org. 60 IN A 127.0.0.1")
					}
					w := newWorld(t, port, func(o *deliver.Options) {
						o.Resolver, o.Roots, o.PolicyPort = dns.NewClient(names.address, false), web.pool, policyPort
					})
					w.expect(t, transfer(plain, "bob@example.org"), c.want)
				})
			}
			h.mailbox(t, "bob", 1)
		})
	}
}
