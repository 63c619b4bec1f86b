package dmarc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPolicy(t *testing.T) {
	for text, want := range map[string]struct {
		policy Policy
		to     []Recipient
	}{
		"v=DMARC1; p=reject; rua=mailto:a@b.test": {Policy{"x.test", "r", "r", "reject", "reject", 100, ""}, []Recipient{{"a@b.test", 0}}},
		"v=DMARC1;p=none;sp=Quarantine;adkim=s;aspf=S;pct=20;fo=1:d;rua=mailto:a@b.test!10m , MAILTO:c%21@d.test!2k, https://e.test/": {
			Policy{"x.test", "s", "s", "none", "quarantine", 20, "1:d"}, []Recipient{{"a@b.test", 10 << 20}, {"c!@d.test", 2 << 10}}},
		"v=DMARC1; rua=mailto:a@b.test!0, mailto:a@b.test!, mailto:a@b.test!k, mailto:a@b.test!99999999999t, mailto:two@at@b.test, mailto:, b@c.test": {Policy{"x.test", "r", "r", "none", "none", 100, ""}, nil},
		"v=DMARC1; p=none; rua=" + strings.Repeat("mailto:a@b.test,", 9): {Policy{"x.test", "r", "r", "none", "none", 100, ""},
			[]Recipient{{"a@b.test", 0}, {"a@b.test", 0}, {"a@b.test", 0}, {"a@b.test", 0}, {"a@b.test", 0}}},
		"v=DMARC1; rua=mailto:a@b.test!52428800, mailto:c@d.test!9223372036854775807, mailto:e@f.test!9007199254740992k": {
			Policy{"x.test", "r", "r", "none", "none", 100, ""}, []Recipient{{"a@b.test", 50 << 20}, {"c@d.test", 1<<63 - 1}}},
		// RFC 7489 B.2.4, and the units of 6.2
		"v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; pct=25": {Policy{"x.test", "r", "r", "quarantine", "quarantine", 25, ""},
			[]Recipient{{"dmarc-feedback@example.com", 0}, {"tld-test@thirdparty.example.net", 10 << 20}}},
		"v=DMARC1; p=none; rua=mailto:a@b.test!500,mailto:a@b.test!1K,mailto:a@b.test!5m,mailto:a@b.test!1g,mailto:a@b.test!1t": {Policy{"x.test", "r", "r", "none", "none", 100, ""},
			[]Recipient{{"a@b.test", 500}, {"a@b.test", 1 << 10}, {"a@b.test", 5 << 20}, {"a@b.test", 1 << 30}, {"a@b.test", 1 << 40}}},
		"v=spf1 -all; rua=mailto:a@b.test":       {},
		"p=none; v=DMARC1; rua=mailto:a@b.test":  {},
		"v=DMARC10; p=none; rua=mailto:a@b.test": {},
		"":                                       {},
	} {
		policy, to := ReadPolicy("x.test", text)
		if diff := cmp.Diff(want.policy, policy); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if diff := cmp.Diff(want.to, to); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// TestOrganizationalDomain is RFC 7489 3.2 with its own example, and names below public suffixes of several labels.
func TestOrganizationalDomain(t *testing.T) {
	for domain, want := range map[string]string{"a.b.c.d.example.com": "example.com", "example.com": "example.com", "com": "com",
		"mail.example.co.uk": "example.co.uk", "example.co.uk": "example.co.uk", "co.uk": "co.uk", "www.city.kawasaki.jp": "city.kawasaki.jp", "a.b.c.kawasaki.jp": "b.c.kawasaki.jp",
		"a.b.unheard-of": "b.unheard-of", "x.xn--bnk-qla.example": "xn--bnk-qla.example", "localhost": "localhost"} {
		if got := OrganizationalDomain(domain); got != want {
			t.Errorf("%s: %s, want %s", domain, got, want)
		}
	}
}

func TestReadConsent(t *testing.T) {
	for text, want := range map[string]string{"v=DMARC1": "", "v=DMARC1;": "", "v=DMARC1; rua=mailto:c@d.test": "c@d.test", "DMARC1": "no", "": "no", "v=spf1": "no"} {
		instead, ok := ReadConsent(text)
		got := "no"
		if ok {
			got = ""
		}
		for _, r := range instead {
			got += r.Address
		}
		if got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzReadPolicy(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; pct=50; adkim=s; fo=1; rua=mailto:a@b.test!10m,mailto:c@d.test")
	f.Add("v=DMARC1;rua=mailto:%0d%0a@x!1k")
	f.Fuzz(func(t *testing.T, text string) {
		p, to := ReadPolicy("x.test", text)
		if len(to) > maxRecipients || p.Percent < 0 || p.Percent > 100 {
			t.Errorf("%+v %v", p, to)
		}
		for _, r := range to {
			if strings.ContainsAny(r.Address, "\r\n <>,") || strings.Count(r.Address, "@") != 1 || r.MaxSize < 0 {
				t.Errorf("%+v", r)
			}
		}
	})
}
