package verify_test

import (
	"strings"
	"testing"

	"podmail/mail"
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
		{"no author", "undisclosed", nil, mail.DMARCResult{Result: mail.AuthNone}, "none"},
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

func TestNoFromHidesBehindALongHeader(t *testing.T) {
	a := newWorld().check(t, strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 300)+dinner)
	if a.DMARC.Result != mail.AuthPermError || !a.DMARC.NoAuthor() {
		t.Errorf("%+v", a.DMARC)
	}
}
