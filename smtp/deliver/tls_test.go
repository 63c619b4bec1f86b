package deliver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/deliver"
)

// authority issues certificates in a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = a.make(t, template)
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) make(t testing.TB, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// config is a TLS server with a certificate for names.
func (a *authority) config(t testing.TB, names ...string) *tls.Config {
	t.Helper()
	return a.until(t, time.Now().Add(time.Hour), names...)
}

func (a *authority) until(t testing.TB, end time.Time, names ...string) *tls.Config {
	t.Helper()
	cert, key := a.make(t, &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: end})
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}}}
}

// noting is a TLS server that tells which name it was asked for.
func noting(config *tls.Config, asked chan<- string) *tls.Config {
	config = config.Clone()
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		select {
		case asked <- hello.ServerName:
		default:
		}
		return nil, nil
	}
	return config
}

// TestOpportunisticTLS: any TLS is better than none, and none better than no mail.
func TestOpportunisticTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	trust := func(o *deliver.Options) { o.Roots = ours.pool }
	old := other.config(t, "x.example")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
	never := other.config(t, "x.example")
	never.ClientAuth = tls.RequireAnyClientCert
	starttls := []string{"STARTTLS", "PIPELINING"}
	for _, c := range []struct {
		name string
		s    script
		want string // of TLS
	}{
		{"good certificate", script{offers: starttls, tls: ours.config(t, "mx.example.org")}, "TLS1.3 TLS_AES_128_GCM_SHA256, verified"},
		{"of somebody unknown", script{offers: starttls, tls: other.config(t, "mx.example.org")}, "TLS1.3 TLS_AES_128_GCM_SHA256, not verified"},
		{"for another name", script{offers: starttls, tls: ours.config(t, "x.example")}, "TLS1.3 TLS_AES_128_GCM_SHA256, not verified"},
		{"expired", script{offers: starttls, tls: ours.until(t, time.Now().Add(-time.Minute), "mx.example.org")}, "TLS1.3 TLS_AES_128_GCM_SHA256, not verified"},
		{"TLS 1.0", script{offers: starttls, tls: old}, "TLS1.0 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, not verified"},
		{"hangs up instead", script{offers: starttls}, ""},
		{"wants a certificate of ours", script{offers: starttls, tls: never}, ""},
		{"refuses to start", script{offers: starttls, answers: map[string]string{"STARTTLS": "454 4.7.0 not now"}}, ""},
		{"hangs up at STARTTLS", script{offers: starttls, answers: map[string]string{"STARTTLS": hangUp}}, ""},
		{"bytes before TLS", script{offers: starttls, answers: map[string]string{"STARTTLS": "220 go\n250 evil"}, tls: ours.config(t, "mx.example.org")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, c.s, trust)
			r := w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")[0]
			if got := strings.Replace(r.TLS, "256_GCM_SHA384", "128_GCM_SHA256", 1); !strings.HasPrefix(got, c.want) || (c.want == "") != (r.TLS == "") || strings.HasSuffix(got, "not verified") != strings.HasSuffix(c.want, "not verified") {
				t.Errorf("TLS %q, want %q", r.TLS, c.want)
			}
			if c.want != "" && len(h.heard("EHLO")) != 2 {
				t.Error("no EHLO after TLS began")
			}
		})
	}
}

// TestRequireTLS: rather not at all than without a host that is known and promises the same (RFC 8689).
func TestRequireTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	offers := []string{"STARTTLS", "REQUIRETLS"}
	for _, c := range []struct {
		name, want string
		s          script
	}{
		{"well", "taken 250 2.0.0", script{offers: offers, tls: ours.config(t, "mx.example.org")}},
		{"no TLS", "tls temporary 0 4.7.4", script{offers: []string{"REQUIRETLS"}}},
		{"wrong certificate", "tls temporary 0 4.7.5", script{offers: offers, tls: other.config(t, "mx.example.org")}},
		{"wrong name", "tls temporary 0 4.7.5", script{offers: offers, tls: ours.config(t, "example.org")}},
		{"not offered", "tls permanent 0 5.7.30", script{offers: []string{"STARTTLS"}, tls: ours.config(t, "mx.example.org")}},
		{"not started", "tls temporary 0 4.7.4", script{offers: offers, answers: map[string]string{"STARTTLS": "454 no"}}},
		{"hangs up", "tls temporary 0 4.7.5", script{offers: offers}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, c.s, func(o *deliver.Options) { o.Roots = ours.pool })
			tr := transfer(plain, "bob@example.org")
			tr.RequireTLS = true
			w.expect(t, tr, "tls permanent 0 5.7.30") // nobody vouches for the host's name
			if h.connections() != 0 {
				t.Error("a host was called whose name anybody can have forged")
			}
			w.zone.Sign(mail.RecordMX, "example.org")
			w.expect(t, tr, c.want)
			taken := strings.HasPrefix(c.want, "taken")
			if got := h.heard("MAIL"); taken != (len(got) == 1 && strings.HasSuffix(got[0], " REQUIRETLS")) || !taken && got != nil {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestRelay(t *testing.T) {
	ours := newAuthority(t)
	smarthost := func(change func(*mail.Relay)) mail.Transfer {
		tr := transfer(plain, "bob@elsewhere.example")
		tr.Destination, tr.Relay = "elsewhere.example", &mail.Relay{Host: "smart.example", Username: "user", Password: "pass"}
		if change != nil {
			change(tr.Relay)
		}
		return tr
	}
	offers := []string{"STARTTLS", "AUTH PLAIN LOGIN", "PIPELINING"}
	const plainAUTH = "AUTH PLAIN AHVzZXIAcGFzcw=="
	for _, c := range []struct {
		name, want string
		s          script
		change     func(*mail.Relay)
		auth       string
	}{
		{"PLAIN", "taken 250 2.0.0", script{offers: offers, tls: ours.config(t, "smart.example"), answers: map[string]string{"AUTH": "235 2.7.0 in"}}, nil, plainAUTH},
		{"LOGIN", "taken 250 2.0.0", script{offers: []string{"STARTTLS", "AUTH=LOGIN"}, tls: ours.config(t, "smart.example"),
			answers: map[string]string{"AUTH LOGIN": "334 VXNlcm5hbWU6", "dXNlcg==": "334 UGFzc3dvcmQ6", "cGFzcw==": "235 2.7.0 in"}}, nil, "AUTH LOGIN"},
		{"wrong password", "reply temporary 535 5.7.8", script{offers: offers, tls: ours.config(t, "smart.example"), answers: map[string]string{"AUTH": "535 5.7.8 no"}}, nil, plainAUTH},
		{"mechanisms we lack", "reply temporary 0 4.7.0", script{offers: []string{"STARTTLS", "AUTH CRAM-MD5"}, tls: ours.config(t, "smart.example")}, nil, ""},
		{"no TLS", "tls temporary 0 4.7.4", script{offers: []string{"AUTH PLAIN"}}, nil, ""},
		{"wrong certificate", "tls temporary 0 4.7.5", script{offers: offers, tls: ours.config(t, "other.example")}, nil, ""},
		{"no password, no TLS", "taken 250 2.0.0", script{}, func(r *mail.Relay) { r.Username, r.Password = "", "" }, ""},
		{"on this machine, no TLS", "taken 250 2.0.0", script{offers: []string{"AUTH PLAIN"}, answers: map[string]string{"AUTH": "235 2.7.0 in"}},
			func(r *mail.Relay) { r.Host = "127.0.0.1" }, plainAUTH},
		{"sender refused for want of AUTH", "reply temporary 530 5.7.0", script{answers: map[string]string{"MAIL": "530 5.7.0 AUTH first"}},
			func(r *mail.Relay) { r.Username, r.Password = "", "" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, c.s, func(o *deliver.Options) { o.Roots, o.AllowPrivate = ours.pool, false })
			w.zone.Set("A", "smart.example", "127.0.0.1")
			tr := smarthost(func(r *mail.Relay) {
				r.Port = h.port()
				if c.change != nil {
					c.change(r)
				}
			})
			w.expect(t, tr, c.want)
			if got := h.heard("AUTH"); c.auth == "" && got != nil || c.auth != "" && !slices.Equal(got, []string{c.auth}) {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestImplicitTLS speaks TLS from the first byte, with a password and without.
func TestImplicitTLS(t *testing.T) {
	ours := newAuthority(t)
	h := listenTLS(t, script{offers: []string{"AUTH PLAIN"}, answers: map[string]string{"AUTH": "235 2.7.0 in"}}, ours.config(t, "smart.example"))
	w := newWorld(t, h.port(), func(o *deliver.Options) { o.Roots = ours.pool })
	w.zone.Set("A", "smart.example", "127.0.0.1")
	w.zone.Set("A", "wrong.example", "127.0.0.1")
	tr := transfer(plain, "bob@elsewhere.example")
	tr.Relay = &mail.Relay{Host: "smart.example", Port: h.port(), Username: "user", Password: "pass", ImplicitTLS: true}
	w.expect(t, tr, "taken 250 2.0.0")
	tr.Relay = &mail.Relay{Host: "wrong.example", Port: h.port(), Username: "user", Password: "pass", ImplicitTLS: true}
	w.expect(t, tr, "tls temporary 0 4.7.5")
	tr.Relay = &mail.Relay{Host: "wrong.example", Port: h.port(), ImplicitTLS: true}
	w.expect(t, tr, "taken 250 2.0.0")
}
