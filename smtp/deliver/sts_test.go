package deliver_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/mtasts"
	"podmail/mail/tlsrpt"
	"podmail/smtp/deliver"
)

// policyHost answers for mta-sts.example.org.
type policyHost struct {
	port  string
	asked atomic.Int64
	text  atomic.Value // string
	code  atomic.Int64
	kind  atomic.Value // string
}

func servePolicy(t testing.TB, config *tls.Config, text string) *policyHost {
	t.Helper()
	p := &policyHost{}
	p.text.Store(text)
	p.kind.Store("text/plain; charset=utf-8")
	p.code.Store(200)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if r.URL.Path != "/.well-known/mta-sts.txt" || r.Host != "mta-sts.example.org" {
			t.Errorf("asked for %s at %s", r.URL.Path, r.Host)
		}
		w.Header().Set("Content-Type", p.kind.Load().(string))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(p.code.Load()))
		io.WriteString(w, p.text.Load().(string))
	}))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, p.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return p
}

func policy(mode string, mx ...string) string {
	return "version: STSv1\r\nmode: " + mode + "\r\nmx: " + strings.Join(mx, "\r\nmx: ") + "\r\nmax_age: 604800\r\n"
}

// strict is a world whose example.org has a policy.
func strict(t testing.TB, a *authority, s script, p *policyHost) (*world, *mx) {
	t.Helper()
	w, h := meet(t, s, func(o *deliver.Options) { o.Roots, o.PolicyPort = a.pool, p.port })
	w.zone.Set(mail.RecordTXT, "_mta-sts.example.org", "v=STSv1; id=1;")
	w.zone.Set("A", "mta-sts.example.org", "127.0.0.1")
	return w, h
}

// TestMTASTS is what a policy does to mail, and what is counted for the report (RFC 8461, RFC 8460).
func TestMTASTS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	offers := []string{"STARTTLS"}
	good := script{offers: offers, tls: ours.config(t, "mx.example.org")}
	wrongName := script{offers: offers, tls: ours.config(t, "example.org")}
	unknown := script{offers: offers, tls: other.config(t, "mx.example.org")}
	expired := script{offers: offers, tls: ours.until(t, time.Now().Add(-time.Minute), "mx.example.org")}
	for _, c := range []struct {
		name, text, want string
		s                script
		counted          string
	}{
		{"well", policy("enforce", "mx.example.org"), "taken 250 2.0.0", good, "sts 1 0 []"},
		{"by a pattern", policy("enforce", "other.example", "*.example.org"), "taken 250 2.0.0", good, "sts 1 0 []"},
		{"another host", policy("enforce", "mx.other.example"), "tls temporary 0 4.7.5", good, "sts 0 1 [validation-failure]"},
		{"wrong name", policy("enforce", "mx.example.org"), "tls temporary 0 4.7.5", wrongName, "sts 0 1 [certificate-host-mismatch]"},
		{"unknown authority", policy("enforce", "mx.example.org"), "tls temporary 0 4.7.5", unknown, "sts 0 1 [certificate-not-trusted]"},
		{"expired", policy("enforce", "mx.example.org"), "tls temporary 0 4.7.5", expired, "sts 0 1 [certificate-expired]"},
		{"no TLS", policy("enforce", "mx.example.org"), "tls temporary 0 4.7.4", script{}, "sts 0 1 [starttls-not-supported]"},
		{"TLS fails", policy("enforce", "mx.example.org"), "tls temporary 0 4.7.5", script{offers: offers}, "sts 0 1 [validation-failure]"},
		{"testing, wrong name", policy("testing", "mx.example.org"), "taken 250 2.0.0", wrongName, "sts 0 1 [certificate-host-mismatch]"},
		{"testing, no TLS", policy("testing", "mx.example.org"), "taken 250 2.0.0", script{}, "sts 0 1 [starttls-not-supported]"},
		{"testing, well", policy("testing", "mx.example.org"), "taken 250 2.0.0", good, "sts 1 0 []"},
		{"none", "version: STSv1\nmode: none\nmax_age: 1", "taken 250 2.0.0", wrongName, "no-policy-found 1 0 []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := servePolicy(t, ours.config(t, "mta-sts.example.org"), c.text)
			w, h := strict(t, ours, c.s, p)
			r := w.expect(t, transfer(plain, "bob@example.org"), c.want)[0]
			if strings.HasPrefix(c.want, "tls") && h.took() != nil {
				t.Error("the host got the message")
			}
			about := transfer(plain, "bob@example.org")
			about.AnyTLS = true // a report
			w.expect(t, about, "taken 250 2.0.0")
			if c.name == "well" && !strings.HasSuffix(r.TLS, ", verified for MTA-STS") {
				t.Errorf("TLS %q", r.TLS)
			}
			if got := counted(w.TLSResults()); got != c.counted {
				t.Errorf("counted %s, want %s", got, c.counted)
			}
			if got := w.TLSResults(); got != nil {
				t.Errorf("counted twice: %+v", got)
			}
		})
	}
}

func counted(results []tlsrpt.Result) (out string) {
	for i, r := range results {
		var kinds []string
		for _, f := range r.Failures {
			kinds = append(kinds, f.Type)
		}
		out += strings.Repeat(" ", min(i, 1)) + fmt.Sprint(r.Policy.Type, " ", r.Summary.Successful, " ", r.Summary.Failed, " ", kinds)
	}
	return out
}

// TestPoliciesThatCannotBeHad do not stop mail, and are told.
func TestPoliciesThatCannotBeHad(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	enforce := policy("enforce", "mx.other.example")
	for name, c := range map[string]struct {
		config *tls.Config
		code   int64
		kind   string
		text   string
		want   string
	}{
		"a redirect":        {ours.config(t, "mta-sts.example.org"), 302, "text/plain", enforce, "sts-policy-fetch-error"},
		"not there":         {ours.config(t, "mta-sts.example.org"), 404, "text/plain", enforce, "sts-policy-fetch-error"},
		"another type":      {ours.config(t, "mta-sts.example.org"), 200, "text/html", enforce, "sts-policy-fetch-error"},
		"another name":      {ours.config(t, "example.org"), 200, "text/plain", enforce, "sts-webpki-invalid"},
		"unknown authority": {other.config(t, "mta-sts.example.org"), 200, "text/plain", enforce, "sts-webpki-invalid"},
		"unreadable":        {ours.config(t, "mta-sts.example.org"), 200, "text/plain", "hello", "sts-policy-invalid"},
		"too large":         {ours.config(t, "mta-sts.example.org"), 200, "text/plain", enforce + strings.Repeat("x: y\r\n", 20_000), "sts-policy-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			p := servePolicy(t, c.config, c.text)
			p.code.Store(c.code)
			p.kind.Store(c.kind)
			w, _ := strict(t, ours, script{}, p)
			w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
			asked := p.asked.Load()
			w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
			if p.asked.Load() != asked {
				t.Error("asked again at once")
			}
			w.clock.Step(6 * time.Minute)
			p.code.Store(200)
			p.kind.Store("text/plain")
			p.text.Store(enforce)
			if results := w.TLSResults(); !strings.Contains(counted(results), "["+c.want+"]") {
				t.Errorf("counted %s", counted(results))
			}
			if asked > 0 {
				w.expect(t, transfer(plain, "bob@example.org"), "tls temporary 0 4.7.5")
			}
		})
	}
}

// TestPoliciesAreKept: what was said holds for as long as it was said, whatever DNS and the web say meanwhile.
func TestPoliciesAreKept(t *testing.T) {
	ours := newAuthority(t)
	p := servePolicy(t, ours.config(t, "mta-sts.example.org"), policy("enforce", "mx.other.example"))
	w, _ := strict(t, ours, script{}, p)
	send := func(w *world, want string) { t.Helper(); w.expect(t, transfer(plain, "bob@example.org"), want) }
	const refused, taken = "tls temporary 0 4.7.5", "taken 250 2.0.0"
	send(w, refused)
	send(w, refused)
	if p.asked.Load() != 1 {
		t.Errorf("fetched %d times", p.asked.Load())
	}
	w.zone.Set(mail.RecordTXT, "_mta-sts.example.org") // an attacker takes it away
	send(w, refused)
	w.zone.Set(mail.RecordTXT, "_mta-sts.example.org", "v=STSv1; id=2;")
	p.code.Store(500)
	send(w, refused)
	w.clock.Step(10 * time.Minute)
	p.code.Store(200)
	p.text.Store(policy("testing", "mx.other.example"))
	send(w, taken)
	w.zone.Set(mail.RecordTXT, "_mta-sts.example.org", "v=STSv1; id=3;")
	p.text.Store(policy("enforce", "mx.other.example"))
	send(w, refused)
	w.zone.Set(mail.RecordTXT, "_mta-sts.example.org")
	w.clock.Step(8 * 24 * time.Hour)
	send(w, taken) // it has expired
}

func TestPoliciesOutliveTheCourier(t *testing.T) {
	ours := newAuthority(t)
	p := servePolicy(t, ours.config(t, "mta-sts.example.org"), policy("enforce", "mx.other.example"))
	var kept []mtasts.Fetched
	h := listen(t, "127.0.0.1:0", script{})
	for range 2 {
		w := newWorld(t, h.port(), func(o *deliver.Options) {
			o.Roots, o.PolicyPort, o.Policies = ours.pool, p.port, kept
			o.Keep = func(p mtasts.Fetched) { kept = append(kept, p) }
		})
		w.zone.Set("A", "mta-sts.example.org", "127.0.0.1")
		if kept == nil {
			w.zone.Set(mail.RecordTXT, "_mta-sts.example.org", "v=STSv1; id=1;")
		}
		w.expect(t, transfer(plain, "bob@example.org"), "tls temporary 0 4.7.5")
	}
	if len(kept) != 1 || kept[0].Domain != "example.org" || kept[0].ID != "1" || p.asked.Load() != 1 {
		t.Errorf("%+v, fetched %d times", kept, p.asked.Load())
	}
}
