package deliver_test

import (
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server/dns"
	"podmail/smtp/deliver"
)

// TestDANENames is under which names TLSA records are looked for, and for which a certificate may be, by what DNS vouches
// for (RFC 7672 2.2, 3.2). Records come over the wire.
func TestDANENames(t *testing.T) {
	own := newAuthority(t) // known by its records only
	const taken, refused, hidden = "taken 250 2.0.0", "tls temporary 0 4.7.5", "dns temporary 0 4.7.5"
	const alias = "mx.example.org. 60 IN CNAME host.example.net.|host.example.net. 60 IN A 127.0.0.1|"
	for _, c := range []struct {
		name, want string
		cert       string // name that the host's certificate is for; empty: it offers no TLS
		records    string // R and W: what is about the host's certificate, or another; T: about its authority
		unsigned   string
		broken     string
		sni        string // name that the host is asked for
	}{
		{"at what the host's name is an alias of", taken, "x.example", alias + "_PORT._tcp.host.example.net. 60 IN TLSA R|_PORT._tcp.mx.example.org. 60 IN TLSA W", "", "", "host.example.net"},
		{"there, another certificate", refused, "mx.example.org", alias + "_PORT._tcp.host.example.net. 60 IN TLSA W|_PORT._tcp.mx.example.org. 60 IN TLSA R", "", "", ""},
		{"at the alias, if there is none there", taken, "x.example", alias + "_PORT._tcp.mx.example.org. 60 IN TLSA R", "", "", "mx.example.org"},
		{"at the alias, another certificate", refused, "x.example", alias + "_PORT._tcp.mx.example.org. 60 IN TLSA W", "", "", ""},
		{"there under no signature, then at the alias", refused, "x.example", alias + "_PORT._tcp.host.example.net. 60 IN TLSA R|_PORT._tcp.mx.example.org. 60 IN TLSA W", "TLSA _PORT._tcp.host.example.net.", "", ""},
		{"a signed alias of a name that is not", refused, "x.example", alias + "_PORT._tcp.host.example.net. 60 IN TLSA R|_PORT._tcp.mx.example.org. 60 IN TLSA W", "A host.example.net.", "", ""},
		{"an unsigned alias of one that is", taken, "", alias + "_PORT._tcp.host.example.net. 60 IN TLSA R|_PORT._tcp.mx.example.org. 60 IN TLSA W", "CNAME mx.example.org.", "", ""},
		{"records that are aliases themselves", taken, "x.example", "mx.example.org. 60 IN A 127.0.0.1|_PORT._tcp.mx.example.org. 60 IN CNAME all.example.org.|all.example.org. 60 IN TLSA R", "", "", "mx.example.org"},
		{"an authority, for what the host's name is an alias of", taken, "host.example.net", alias + "_PORT._tcp.host.example.net. 60 IN TLSA T", "", "", "host.example.net"},
		{"an authority, for the alias", taken, "mx.example.org", alias + "_PORT._tcp.host.example.net. 60 IN TLSA T", "", "", ""},
		{"an authority, for another name", refused, "x.example", alias + "_PORT._tcp.host.example.net. 60 IN TLSA T", "", "", ""},
		{"an authority, for what the domain is an alias of", taken, "example.net", "example.org. 60 IN CNAME example.net.|example.net. 60 IN MX 10 mx.example.org.|mx.example.org. 60 IN A 127.0.0.1|_PORT._tcp.mx.example.org. 60 IN TLSA T", "", "", ""},
		{"no MX", taken, "x.example", "example.org. 60 IN A 127.0.0.1|_PORT._tcp.example.org. 60 IN TLSA R", "", "", "example.org"},
		{"no MX, another certificate", refused, "x.example", "example.org. 60 IN A 127.0.0.1|_PORT._tcp.example.org. 60 IN TLSA W", "", "", ""},
		{"no MX, an alias", taken, "x.example", "example.org. 60 IN CNAME host.example.net.|host.example.net. 60 IN A 127.0.0.1|_PORT._tcp.host.example.net. 60 IN TLSA R", "", "", "host.example.net"},
		{"an unsigned MX of a signed host", taken, "x.example", "mx.example.org. 60 IN A 127.0.0.1|_PORT._tcp.mx.example.org. 60 IN TLSA R", "MX example.org.", "", "mx.example.org"},
		{"an unsigned MX, another certificate", refused, "x.example", "mx.example.org. 60 IN A 127.0.0.1|_PORT._tcp.mx.example.org. 60 IN TLSA W", "MX example.org.", "", ""},
		{"an unsigned host", taken, "", "mx.example.org. 60 IN A 127.0.0.1|_PORT._tcp.mx.example.org. 60 IN TLSA W", "A mx.example.org.", "", ""},
		{"no records", taken, "", "mx.example.org. 60 IN A 127.0.0.1", "", "", ""},
		{"records that cannot be looked up", hidden, "mx.example.org", "mx.example.org. 60 IN A 127.0.0.1", "", "TLSA _PORT._tcp.mx.example.org.", ""},
		{"those of the alias cannot", hidden, "mx.example.org", alias, "", "TLSA _PORT._tcp.mx.example.org.", ""},
		{"those there cannot, though the alias has some", hidden, "x.example", alias + "_PORT._tcp.mx.example.org. 60 IN TLSA R", "", "TLSA _PORT._tcp.host.example.net.", ""},
		{"addresses of a family cannot", "dns temporary 0 4.4.3", "mx.example.org", "mx.example.org. 60 IN A 127.0.0.1", "", "AAAA mx.example.org.", ""},
		{"nor can they of an unsigned host", taken, "", "mx.example.org. 60 IN A 127.0.0.1", "A mx.example.org.", "AAAA mx.example.org.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script{}
			right, asked := own.config(t, "x.example"), make(chan string, 1)
			if c.cert != "" {
				right = own.config(t, c.cert)
				s.offers, s.tls = []string{"STARTTLS"}, noting(right, asked)
			}
			h := listen(t, "127.0.0.1:0", s)
			names := serveNames(t)
			fill := strings.NewReplacer("PORT", h.port(), "TLSA R", "TLSA "+tlsa(3, 1, 1, right.Certificates[0].Leaf), "TLSA W", "TLSA "+tlsa(3, 1, 1, own.cert), "TLSA T", "TLSA "+tlsa(2, 0, 1, own.cert))
			if !strings.Contains(c.records, "example.org. 60 IN MX") && !strings.HasPrefix(c.records, "example.org.") && !strings.Contains(c.records, "|example.net. 60 IN MX") {
				names.publish(t, "example.org. 60 IN MX 10 mx.example.org.")
			}
			names.publish(t, strings.Split(strings.Trim(fill.Replace(c.records), "|"), "|")...)
			names.doubt(fill.Replace(c.unsigned), fill.Replace(c.broken))
			w := newWorld(t, h.port(), func(o *deliver.Options) { o.Resolver = dns.NewClient(names.address, false) })
			w.expect(t, transfer(plain, "bob@example.org"), c.want)
			if c.want != taken && h.took() != nil || strings.HasPrefix(c.want, "dns") && h.connections() != 0 {
				t.Error("the host was trusted")
			}
			if c.sni != "" {
				if got := <-asked; got != c.sni {
					t.Errorf("the host was asked for %q", got)
				}
			}
		})
	}
}

// TestDANEAndPolicies: where the MX can be forged, records of whatever host it names do not stand in for the policy.
func TestDANEAndPolicies(t *testing.T) {
	web, own := newAuthority(t), newAuthority(t)
	for _, c := range []struct{ name, mode, want string }{
		{"enforced", "enforce", "tls temporary 0 4.7.5"}, {"in testing", "testing", "taken 250 2.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			right := own.config(t, "mx.example.org")
			p := servePolicy(t, web.config(t, "mta-sts.example.org"), policy(c.mode, "mx.example.org"))
			w, h := strict(t, web, script{offers: []string{"STARTTLS"}, tls: right}, p)
			name := "_" + h.port() + "._tcp.mx.example.org"
			w.zone.Set("TLSA", name, tlsa(3, 1, 1, right.Certificates[0].Leaf))
			for kind, of := range map[mail.RecordType]string{"A": "mx.example.org", "AAAA": "mx.example.org", "TLSA": name} {
				w.zone.Sign(kind, of)
			}
			w.expect(t, transfer(plain, "bob@example.org"), c.want)
			w.zone.Sign(mail.RecordMX, "example.org")
			w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
		})
	}
}

// TestDANEOfRelays: a relay's own records say who it is, also to a password, instead of whom the web trusts.
func TestDANEOfRelays(t *testing.T) {
	web, own := newAuthority(t), newAuthority(t)
	const taken, refused = "taken 250 2.0.0", "tls temporary 0 4.7.5"
	for _, c := range []struct {
		name, want string
		by         *authority // of the relay's certificate; nil: it offers no TLS
		record     string     // R, W, T as above; empty: none
		unsigned   bool
		broken     bool
		password   bool
	}{
		{"right", taken, own, "R", false, false, false},
		{"another certificate", refused, own, "W", false, false, false},
		{"no TLS", "tls temporary 0 4.7.4", nil, "W", false, false, false},
		{"right, with a password", taken, own, "R", false, false, true},
		{"another certificate, though the web trusts it", refused, web, "W", false, false, true},
		{"an authority", taken, own, "T", false, false, true},
		{"no usable record, no password: TLS, of whomever", taken, own, "U", false, false, false},
		{"no usable record, and a password", refused, own, "U", false, false, true},
		{"no usable record, and whom the web trusts", taken, web, "U", false, false, true},
		{"unsigned", taken, own, "W", true, false, false},
		{"unsigned, with a password", refused, own, "R", true, false, true},
		{"cannot be looked up", "dns temporary 0 4.7.5", own, "", false, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script{answers: map[string]string{"AUTH": "235 2.7.0 in"}}
			right := own.config(t, "smart.example")
			if c.by != nil {
				right = c.by.config(t, "smart.example")
				s.offers, s.tls = []string{"STARTTLS", "AUTH PLAIN"}, right
			}
			h := listen(t, "127.0.0.1:0", s)
			names := serveNames(t)
			names.publish(t, "smart.example. 60 IN A 127.0.0.1")
			record := map[string]string{"R": tlsa(3, 1, 1, right.Certificates[0].Leaf), "W": tlsa(3, 1, 1, own.cert), "T": tlsa(2, 0, 1, own.cert), "U": tlsa(1, 1, 1, own.cert)}[c.record]
			about := "_" + h.port() + "._tcp.smart.example."
			if record != "" {
				names.publish(t, about+" 60 IN TLSA "+record)
			}
			if c.unsigned {
				names.doubt("A smart.example.", "")
			}
			if c.broken {
				names.doubt("", "TLSA "+about)
			}
			w := newWorld(t, h.port(), func(o *deliver.Options) { o.Resolver, o.Roots = dns.NewClient(names.address, false), web.pool })
			tr := transfer(plain, "bob@elsewhere.example")
			tr.Relay = &mail.Relay{Host: "smart.example", Port: h.port()}
			if c.password {
				tr.Relay.Username, tr.Relay.Password = "user", "pass"
			}
			w.expect(t, tr, c.want)
			if c.want != taken && (h.heard("AUTH") != nil || h.took() != nil) {
				t.Error("the relay was trusted")
			}
		})
	}
}
