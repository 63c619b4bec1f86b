package verify

import (
	"strings"
	"testing"

	"podmail/mail"
)

// FuzzMessage lets any header and body arrive in two pieces, whatever they say of signatures and seals.
func FuzzMessage(f *testing.F) {
	f.Add([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from:to; c=relaxed; l=3; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=aGVsbG8=\r\nFrom: a@a.example\r\n\r\nhello\r\n"), 20)
	f.Add([]byte("ARC-Seal: i=1; cv=none; a=rsa-sha256; d=a.example; s=s; b=aGVsbG8=\r\nARC-Authentication-Results: i=1; a.example; dmarc=pass\r\n"+
		"ARC-Message-Signature: i=1; a=ed25519-sha256; d=a.example; s=s; h=from; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=aGVsbG8=\r\n\r\n"), 100)
	f.Fuzz(func(t *testing.T, message []byte, at int) {
		at = min(max(at, 0), len(message))
		whole, pieces := headerReader{most: 1 << 20}, headerReader{most: 1 << 20}
		rest, _ := whole.write(message)
		first, _ := pieces.write(message[:at])
		second, _ := pieces.write(message[at:])
		if string(whole.header) != string(pieces.header) || string(rest) != string(first)+string(second) {
			t.Fatalf("the header is %q in one piece, %q in two", whole.header, pieces.header)
		}
		for _, relaxed := range []bool{false, true} {
			one, two := newBodyHash(relaxed, -1), newBodyHash(relaxed, -1)
			one.write(rest)
			two.write(first)
			two.write(second)
			one.finish()
			two.finish()
			if string(one.final) != string(two.final) {
				t.Fatalf("the body %q hashes otherwise in two pieces", rest)
			}
		}
		h := splitHeader(whole.header)
		c := readChain(h)
		for _, s := range c.signatures() {
			s.signedFields(h)
		}
		for _, field := range h.named("dkim-signature") {
			if s, wrong := readSignature(field); wrong == nil && s.readMessageSignature() == nil {
				s.signedFields(h)
			}
		}
		authors(whole.header)
	})
}

func FuzzSPF(f *testing.F) {
	for _, s := range []string{"v=spf1 a:%{d1r-}/24//64 mx ip4:192.0.2.0/24 ip6:2001:db8::/32 exists:%{ir}.x.example -all", "v=spf1 redirect=a.example exp=%{o}", "v=spf1 x=%{s} ?ptr"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := readSPF("v=spf1 " + s)
		if err != nil {
			return
		}
		e := &evaluation{sender: "a@b.example", helo: "c.example"}
		for _, m := range r.mechanisms {
			if strings.Contains(strings.ToLower(m.domain), "p") { // asks DNS
				continue
			}
			if _, err := e.target(m.domain, "d.example"); err != nil {
				t.Errorf("%s was read and cannot be expanded: %v", m.text, err)
			}
		}
	})
}

func known(p mail.DMARCPolicy) bool {
	return p == mail.PolicyNone || p == mail.PolicyQuarantine || p == mail.PolicyReject
}

func FuzzRecords(f *testing.F) {
	f.Add("v=DMARC1; p=reject; sp=none; pct=50; adkim=s; aspf=r; rua=mailto:a@b.example")
	f.Add("v=DKIM1; k=rsa; t=s:y; h=sha256; s=email; p=aGVsbG8=")
	f.Add("i=1; a.example (x\\)); dmarc=pass (p=none) header.from=b; \"dkim=pass\"; spf/1 = fail")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := readPolicy(s); err == nil && (!known(r.policy) || !known(r.subdomains) || r.percent < 0 || r.percent > 100) {
			t.Errorf("%q: %+v", s, r)
		}
		if k, fault := readKey(s); (k == nil) == (fault == nil) {
			t.Errorf("%q: %v %v", s, k, fault)
		}
		for _, r := range parseResults(s) {
			if r.method == "" || r.value == "" {
				t.Errorf("%q: %+v", s, r)
			}
		}
	})
}
