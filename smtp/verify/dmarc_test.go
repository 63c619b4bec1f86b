package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/server/servertest"
	"podmail/smtp/verify"
)

// TestDMARC is RFC 7489's rules by example: the envelope's sender is joe@example.org from 192.0.2.1, for which SPF
// passes; every message is signed by news.example.com.
func TestDMARC(t *testing.T) {
	signed := sign(t, job{Kind: "dkim", Message: []byte(dinner), Selector: "r", Domain: "football.example.com", Key: pemOf(keys().rsa),
		Form: [2]string{"relaxed", "relaxed"}, Algorithm: "rsa-sha256"})[0]
	for _, c := range []struct {
		name    string
		from    string            // instead of the signed From, which then does not hold
		records map[string]string // below _dmarc.
		want    mail.DMARCResult
		asks    mail.DMARCPolicy
	}{
		{"no record", "", nil, mail.DMARCResult{Result: mail.AuthNone}, "none"},
		{"signed by the very domain", "", map[string]string{"football.example.com": "v=DMARC1; p=reject; adkim=s"}, mail.DMARCResult{Result: mail.AuthPass, DKIM: true, Policy: "reject", Domain: "football.example.com"}, "none"},
		{"by the organizational domain", "", map[string]string{"example.com": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthPass, DKIM: true, Policy: "reject", Domain: "example.com"}, "none"},
		{"SPF aligned, relaxed", "joe@mail.example.org", map[string]string{"example.org": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthPass, SPF: true, Policy: "reject", Domain: "example.org"}, "none"},
		{"SPF aligned, strict", "joe@mail.example.org", map[string]string{"example.org": "v=DMARC1; p=reject; aspf=s"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "example.org"}, "reject"},
		{"SPF strict, the very domain", "joe@example.org", map[string]string{"example.org": "v=DMARC1; p=reject; aspf=s"}, mail.DMARCResult{Result: mail.AuthPass, SPF: true, Policy: "reject", Domain: "example.org"}, "none"},
		{"reject", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example"}, "reject"},
		{"quarantine", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1;p=quarantine"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "quarantine", Domain: "bank.example"}, "quarantine"},
		{"none", "ceo@bank.example", map[string]string{"bank.example": "v = DMARC1 ; p = none"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "none", Domain: "bank.example"}, "none"},
		{"for subdomains", "ceo@x.bank.example", map[string]string{"bank.example": "v=DMARC1; p=none; sp=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example"}, "reject"},
		{"subdomains as the domain", "ceo@x.y.bank.example", map[string]string{"bank.example": "v=DMARC1; p=quarantine"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "quarantine", Domain: "bank.example"}, "quarantine"},
		{"a subdomain's own record", "ceo@x.bank.example", map[string]string{"bank.example": "v=DMARC1; p=reject", "x.bank.example": "v=DMARC1; p=none; sp=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "none", Domain: "x.bank.example"}, "none"},
		{"a domain under a public suffix", "ceo@bank.co.uk", map[string]string{"co.uk": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthNone}, "none"},
		{"pct=0 of reject", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1; p=reject; pct=0"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example", Sampled: true}, "quarantine"},
		{"pct=0 of quarantine", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1; p=quarantine; pct=0"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "quarantine", Domain: "bank.example", Sampled: true}, "none"},
		{"a bad policy", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1; p=burn"}, mail.DMARCResult{Result: mail.AuthPermError}, "none"},
		{"a bad policy with reports", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC1; p=burn; rua=mailto:a@bank.example"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "none", Domain: "bank.example"}, "none"},
		{"another version", "ceo@bank.example", map[string]string{"bank.example": "v=DMARC2; p=reject"}, mail.DMARCResult{Result: mail.AuthNone}, "none"},
		{"p before v", "ceo@bank.example", map[string]string{"bank.example": "p=reject; v=DMARC1"}, mail.DMARCResult{Result: mail.AuthNone}, "none"},
		{"two authors, one false", "joe@example.org, ceo@bank.example", map[string]string{"example.org": "v=DMARC1; p=reject", "bank.example": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example"}, "reject"},
		{"two From fields", "joe@example.org\r\nFrom: ceo@bank.example", map[string]string{"example.org": "v=DMARC1; p=reject", "bank.example": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example"}, "reject"},
		{"two From fields, both true", "joe@example.org\r\nFrom: ceo@example.org", map[string]string{"example.org": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthPermError}, "none"},
		{"two From fields, one true and one without a policy", "joe@example.org\r\nfrom : ceo@bank.example", map[string]string{"example.org": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthPermError}, "none"},
		{"two From fields without a domain", "joe\r\nFrom: ceo", nil, mail.DMARCResult{Result: mail.AuthPermError}, "none"},
		{"two addresses run together", "<ceo@bank.example> <joe@example.org>", map[string]string{"example.org": "v=DMARC1; p=reject", "bank.example": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "bank.example"}, "reject"},
		{"no author", "undisclosed", nil, mail.DMARCResult{Result: mail.AuthPermError}, "none"},
		{"another script", "ceo@bänk.example", map[string]string{"xn--bnk-qla.example": "v=DMARC1; p=reject"}, mail.DMARCResult{Result: mail.AuthFail, Policy: "reject", Domain: "xn--bnk-qla.example"}, "reject"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.Set(mail.RecordTXT, "r._domainkey.football.example.com", rsaRecord(&keys().rsa.PublicKey))
			w.Set(mail.RecordTXT, "example.org", "v=spf1 ip4:192.0.2.0/24 -all")
			for domain, record := range c.records {
				w.Set(mail.RecordTXT, "_dmarc."+domain, record)
			}
			message := signed
			if c.from != "" {
				message = strings.Replace(message, "Joe SixPack <joe@football.example.com>", c.from, 1)
			}
			a := w.check(t, message)
			got := a.DMARC
			if asks := got.Asks(); asks != c.asks {
				t.Errorf("it asks for %s, want %s", asks, c.asks)
			}
			got.From, got.Reason, got.Record, got.Percent = "", "", "", 0
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWhatCannotBeLookedUpIsATemporaryError(t *testing.T) {
	w := newWorld()
	w.Down(true)
	a := w.check(t, dinner)
	if a.SPF.Result != mail.AuthTempError || a.HELOSPF.Result != mail.AuthTempError || a.Reverse.Result != mail.AuthTempError || a.DMARC.Result != mail.AuthTempError || a.DMARC.Asks() != mail.PolicyNone {
		t.Errorf("%+v", a)
	}
}

// TestNoSpellingOfFromHidesWhoseItIs: bank.example wants what is not its own rejected, joe@example.org is who sends.
func TestNoSpellingOfFromHidesWhoseItIs(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "example.org", "v=spf1 ip4:192.0.2.0/24 -all")
	w.Set(mail.RecordTXT, "_dmarc.example.org", "v=DMARC1; p=reject")
	w.Set(mail.RecordTXT, "_dmarc.bank.example", "v=DMARC1; p=reject")
	const rejected, nobody, passes, unknown = "rejected", "nobody", "passes", "unknown"
	for from, want := range map[string]string{
		"From: Ceo <ceo@bank.example>\r\n":                                        rejected,
		"From: \"x\" <ceo@bank.example> (<joe@example.org>)\r\n":                  rejected,
		"From: ceo@bank.example (<joe@example.org>)\r\n":                          rejected,
		"From: <ceo@bank.example(c)>\r\n":                                         rejected,
		"From: <ceo@(c)bank.example>\r\n":                                         rejected,
		"From: <ceo@bank . example>\r\n":                                          rejected,
		"From: <ceo@bank\r\n .example>\r\n":                                       rejected,
		"From: <ceo @ bank.example.>\r\n":                                         rejected,
		"From: ceo@bank.example。\r\n":                                             rejected,
		"From: ceo@bank｡ｅxample\r\n":                                              rejected,
		"From: ceo@a_b.bank.example\r\n":                                          rejected,
		"From: ceo@-x.bank.example\r\n":                                           rejected,
		"From: ceo@*.bank.example\r\n":                                            rejected,
		"From: ceo@xn--a.bank.example\r\n":                                        rejected,
		"From: ceo@..bank.example\r\n":                                            rejected,
		"From: ceo@" + strings.Repeat("a", 64) + ".bank.example\r\n":              rejected,
		"From: ceo@" + strings.Repeat("a.", 200) + "bank.example\r\n":             rejected,
		"From: ceo@!.bank.example\r\n":                                            rejected,
		"From: \"joe@example.org\"@bank.example\r\n":                              rejected,
		"From: ceo@bank.example@\r\n":                                             rejected,
		"From: ceo@bank.example joe@example.org\r\n":                              rejected,
		"From: ceo@bank.example <joe@example.org>\r\n":                            rejected,
		"From: ceo@bank.example: <joe@example.org>;\r\n":                          rejected,
		"From: G: ceo@bank.example;\r\n":                                          rejected,
		"From: <@example.org:ceo@bank.example>\r\n":                               rejected,
		"From: \"x <ceo@bank.example>\r\n":                                        rejected,
		"From: (x <ceo@bank.example> joe@example.org\r\n":                         rejected,
		"From: [<ceo@bank.example>] <joe@example.org>\r\n":                        rejected,
		"From: <ceo@bank.example\r\n":                                             rejected,
		"From: ceo@ba\x00nk.example\r\n":                                          rejected,
		"":                                                                        nobody,
		"From: \r\n":                                                              nobody,
		"From: G:;\r\n":                                                           nobody,
		"From: ceo\r\n":                                                           nobody,
		"From: \"ceo@bank.example\"\r\n":                                          nobody,
		"From: =?utf-8?q?ceo=40bank.example?=\r\n":                                nobody,
		"From: ceo@missing-domain.invalid\r\n":                                    nobody,
		"From: ceo@[192.0.2.1]\r\n":                                               nobody,
		"From: ceo@bank.example\"\r\n":                                            nobody,
		"From: ceo@bank example\r\n":                                              nobody,
		"From: joe@example.org@\r\n":                                              nobody,
		"From: ..joe@..example.org\r\n":                                           nobody,
		"From: " + strings.Repeat("joe@example.org, ", 1000) + "c@x.test\r\n":     nobody,
		"From: " + strings.Repeat("joe@example.org, ", 999) + "j@example.org\r\n": passes,
		"From: \"ceo@bank.example\" <joe@example.org>\r\n":                        passes,
		"From: joe@example.org <joe@example.org>\r\n":                             passes,
		"From: Joe (of bank.example) <joe@lists.example.org>\r\n":                 passes,
		"From: joe@other.example\r\n":                                             unknown,
		"From: joe@my_host.other.example\r\n":                                     unknown,
	} {
		w.asked = nil
		a := w.check(t, from+"Subject: x\r\n\r\nHi.\r\n")
		got := unknown
		switch d := &a.DMARC; {
		case d.Asks() == mail.PolicyReject && d.Domain == "bank.example":
			got = rejected
		case d.NoAuthor() && d.Reason != "":
			got = nobody
		case d.Result == mail.AuthPass:
			got = passes
		}
		if got != want {
			t.Errorf("%.100q: %s, want %s: %+v", from, got, want, a.DMARC)
		}
		for _, name := range w.asked {
			if strings.HasSuffix(name, parse.MissingDomain) {
				t.Errorf("%.100q has %s looked up", from, name)
			}
		}
	}
}

func TestTooManyAuthorsAreNone(t *testing.T) {
	w := newWorld()
	from := func(n int) string {
		s := "From: joe@d0.example"
		for i := 1; i < n; i++ {
			s += fmt.Sprintf(", joe@d%d.example", i)
		}
		return s + "\r\n\r\n"
	}
	if d := w.check(t, from(10)).DMARC; d.Result != mail.AuthNone || d.From != "d0.example" {
		t.Errorf("ten authors: %+v", d)
	}
	if d := w.check(t, from(11)).DMARC; !d.NoAuthor() || d.Reason != "From names too many domains" {
		t.Errorf("eleven: %+v", d)
	}
}

// hanging is DNS in which some domains' servers do not answer before a name was asked for.
type hanging struct {
	*servertest.Zone
	release string
	asked   chan struct{}
	once    sync.Once
}

func (h *hanging) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if name == h.release {
		h.once.Do(func() { close(h.asked) })
	}
	if strings.HasPrefix(name, "_dmarc.hang") {
		select {
		case <-h.asked:
		case <-ctx.Done():
		}
		return nil, errors.New("no answer")
	}
	return h.Zone.LookupTXT(ctx, name)
}

func TestSilentServersHideNoPolicy(t *testing.T) {
	for _, policy := range []mail.DMARCPolicy{mail.PolicyReject, mail.PolicyQuarantine} {
		z := &hanging{Zone: servertest.NewZone(), release: "_dmarc.bank.example", asked: make(chan struct{})}
		z.Set(mail.RecordTXT, "_dmarc.bank.example", "v=DMARC1; p="+string(policy))
		w := &world{Zone: z.Zone, v: verify.New(verify.Options{Resolver: z, Clock: fixed(now), Hostname: "mx.podmail.test"})}
		a := w.check(t, "From: a@hang1.example, b@hang2.example, c@hang3.example, d@hang4.example, ceo@bank.example\r\n\r\n")
		if a.DMARC.Asks() != policy || a.DMARC.Domain != "bank.example" {
			t.Errorf("%+v", a.DMARC)
		}
	}
}

func TestNoFromHidesBehindALongHeader(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "_dmarc.football.example.com", "v=DMARC1; p=reject")
	long := strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 1140) + dinner // a mebibyte is let in
	if a := w.check(t, long); a.DMARC.Asks() != mail.PolicyReject {
		t.Errorf("%+v", a.DMARC)
	}
	w.v = verify.New(verify.Options{Resolver: w, Clock: fixed(now), MaxHeader: 100 << 10})
	if a := w.check(t, long); !a.DMARC.NoAuthor() || a.DMARC.Reason != "the header is too long" {
		t.Errorf("%+v", a.DMARC)
	}
}
