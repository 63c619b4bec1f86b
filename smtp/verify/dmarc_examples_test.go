package verify_test

import (
	"net/netip"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/smtp/verify"
)

// author is a message of RFC 7489's appendix B.
func author(from string) string {
	return "From: " + from + "\r\nDate: Fri, Feb 15 2002 16:54:30 -0800\r\nTo: receiver@example.org\r\nSubject: here's a sample\r\n\r\nhello\r\n"
}

// from lets a message arrive with an envelope's sender.
func (w *world) from(t *testing.T, reversePath, message string) mail.DMARCResult {
	t.Helper()
	c := w.v.Begin(t.Context(), verify.Peer{Remote: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.org", ReversePath: reversePath})
	defer c.Close()
	c.Write([]byte(message))
	return c.Finish().DMARC
}

// TestTheAlignmentExamplesOfRFC7489 are B.1.1 and B.1.2: in every one SPF or the signature passes, and what matters is
// whether for the author.
func TestTheAlignmentExamplesOfRFC7489(t *testing.T) {
	for _, c := range []struct {
		example         string
		reversePath     string // for which SPF passes; empty: none
		signer          string // d=; empty: no signature
		from            string
		relaxed, strict bool
	}{
		{"B.1.1 1: SPF in alignment", "sender@example.com", "", "sender@example.com", true, true},
		{"B.1.1 2: SPF in alignment (parent)", "sender@child.example.com", "", "sender@example.com", true, false},
		{"B.1.1 3: SPF not in alignment", "sender@example.net", "", "sender@child.example.com", false, false},
		{"B.1.2 1: DKIM in alignment", "", "example.com", "sender@example.com", true, true},
		{"B.1.2 2: DKIM in alignment (parent)", "", "example.com", "sender@child.example.com", true, false},
		{"B.1.2 3: DKIM not in alignment", "", "sample.net", "sender@child.example.com", false, false},
		{"3.1.1: the signer is below the author", "", "news.example.com", "alerts@example.com", true, false},
		{"3.1.1: a signer of a public suffix", "", "com", "alerts@example.com", false, false},
		{"3.1.2: the bounces' host", "cb@bounces.example.com", "", "sender@payments.example.com", true, false},
	} {
		message := author(c.from)
		if c.signer != "" {
			message = sign(t, job{Kind: "dkim", Message: []byte(message), Selector: "r", Domain: c.signer, Key: pemOf(keys().rsa), Form: [2]string{"relaxed", "relaxed"}, Algorithm: "rsa-sha256"})[0]
		}
		for mode, want := range map[string]bool{"": c.relaxed, "; aspf=r; adkim=r": c.relaxed, "; aspf=s; adkim=s": c.strict, "; aspf=s; adkim=r": c.strict || c.relaxed && c.signer != "", "; aspf=r; adkim=s": c.strict || c.relaxed && c.signer == ""} {
			w := newWorld()
			_, envelope, _ := strings.Cut(c.reversePath, "@")
			if envelope != "" {
				w.Set(mail.RecordTXT, envelope, "v=spf1 ip4:192.0.2.1 -all")
			} else {
				w.Set(mail.RecordTXT, "r._domainkey."+c.signer, rsaRecord(&keys().rsa.PublicKey))
			}
			w.Set(mail.RecordTXT, "_dmarc.example.com", "v=DMARC1; p=reject"+mode)
			got := w.from(t, c.reversePath, message)
			if (got.Result == mail.AuthPass) != want || (got.Result == mail.AuthFail) == want || got.SPF != (want && c.signer == "") || got.DKIM != (want && c.signer != "") {
				t.Errorf("%s%s: %+v", c.example, mode, got)
			}
		}
	}
}

// TestTheRecordsOfRFC7489 are the records of B.2 and B.3, and of 6.3's tags, each with a message that only SPF for
// another domain speaks for.
func TestTheRecordsOfRFC7489(t *testing.T) {
	for _, c := range []struct {
		example, at, record string
		from                string
		want                mail.DMARCPolicy
		percent             int
	}{
		{"B.2.1", "example.com", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com", "a@example.com", "none", 100},
		{"B.2.2", "example.com", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com", "a@example.com", "none", 100},
		{"B.2.3", "example.com", "v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@thirdparty.example.net", "a@example.com", "none", 100},
		{"B.2.4", "test.example.com", "v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; pct=25", "a@test.example.com", "quarantine", 25},
		{"B.3.1", "example.com", "v=DMARC1; p=reject; aspf=r; rua=mailto:dmarc-feedback@example.com", "a@example.com", "reject", 100},
		{"6.3 all tags", "example.com", "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=s; pct=50; fo=0:1:d:s; rf=afrf; ri=3600; rua=mailto:a@example.com!5m; ruf=mailto:b@example.com!1g", "a@example.com", "reject", 50},
		{"6.3 sp", "example.com", "v=DMARC1; p=reject; sp=quarantine", "a@sub.example.com", "quarantine", 100},
		{"6.3 sp of none", "example.com", "v=DMARC1; p=reject; sp=none", "a@sub.example.com", "none", 100},
		{"6.3 sp is not the domain's own", "example.com", "v=DMARC1; p=none; sp=reject", "a@example.com", "none", 100},
		{"6.3 ri that is no number", "example.com", "v=DMARC1; p=reject; ri=daily", "a@example.com", "reject", 100},
		{"6.3 rf unknown", "example.com", "v=DMARC1; p=reject; rf=iodef", "a@example.com", "reject", 100},
		{"6.3 fo unknown", "example.com", "v=DMARC1; p=reject; fo=9", "a@example.com", "reject", 100},
		{"6.3 pct beyond", "example.com", "v=DMARC1; p=reject; pct=101", "a@example.com", "reject", 100},
		{"6.3 an unknown tag", "example.com", "v=DMARC1; p=reject; np=none; psd=n; t=y", "a@example.com", "reject", 100},
		{"6.3 a semicolon at the end", "example.com", "v=DMARC1;p=reject;", "a@example.com", "reject", 100},
	} {
		w := newWorld()
		w.Set(mail.RecordTXT, "elsewhere.example", "v=spf1 ip4:192.0.2.1 -all")
		w.Set(mail.RecordTXT, "_dmarc."+c.at, c.record)
		got := w.from(t, "joe@elsewhere.example", author(c.from))
		if got.Result != mail.AuthFail || got.Policy != c.want || got.Percent != c.percent || got.Domain != c.at || got.Record != c.record {
			t.Errorf("%s: %+v, want %s %d", c.example, got, c.want, c.percent)
		}
	}
}

// TestTheReceiverOfRFC7489 is B.3.1: SPF passes for mail.example.com, a signature of example.com holds, and each is
// enough.
func TestTheReceiverOfRFC7489(t *testing.T) {
	plain := author("sender@example.com")
	signed := sign(t, job{Kind: "dkim", Message: []byte(plain), Selector: "r", Domain: "example.com", Key: pemOf(keys().rsa), Form: [2]string{"relaxed", "relaxed"}, Algorithm: "rsa-sha256"})[0]
	for _, c := range []struct {
		name, reversePath, message string
		spf, dkim                  bool
	}{
		{"both", "sender@mail.example.com", signed, true, true},
		{"SPF alone", "sender@mail.example.com", plain, true, false},
		{"DKIM alone", "sender@forwarder.example", signed, false, true},
		{"none", "sender@forwarder.example", plain, false, false},
		{"a broken signature", "sender@forwarder.example", strings.Replace(signed, "hello", "hallo", 1), false, false},
	} {
		w := newWorld()
		w.Set(mail.RecordTXT, "mail.example.com", "v=spf1 ip4:192.0.2.1 -all")
		w.Set(mail.RecordTXT, "r._domainkey.example.com", rsaRecord(&keys().rsa.PublicKey))
		w.Set(mail.RecordTXT, "_dmarc.example.com", "v=DMARC1; p=reject; aspf=r; rua=mailto:dmarc-feedback@example.com")
		got := w.from(t, c.reversePath, c.message)
		want, asks := mail.AuthPass, mail.PolicyNone
		if !c.spf && !c.dkim {
			want, asks = mail.AuthFail, mail.PolicyReject
		}
		if got.SPF != c.spf || got.DKIM != c.dkim || got.Result != want || got.Asks() != asks {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
