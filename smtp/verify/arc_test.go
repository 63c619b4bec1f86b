package verify_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"podmail/mail"
)

// hop is what an intermediary does: it notes what it found, and seals (RFC 8617 5.1).
func hop(t *testing.T, message, domain, results string) string {
	t.Helper()
	return sign(t, job{Kind: "arc", Message: []byte("Authentication-Results: " + domain + "; " + results + "\r\n" + message), Selector: "arc", Domain: domain,
		Key: pemOf(keys().rsa), Time: now.Unix()})[0]
}

// TestARCChains has dkimpy seal a message one to three times, as mailing lists would.
func TestARCChains(t *testing.T) {
	w := newWorld()
	lists := []string{"lists.example.org", "relay.example.net", "third.example.com"}
	for _, l := range lists {
		w.Set(mail.RecordTXT, "arc._domainkey."+l, rsaRecord(&keys().rsa.PublicKey))
	}
	one := hop(t, dinner, lists[0], "dkim=pass header.d=football.example.com; dmarc=pass (p=reject) header.from=football.example.com")
	two := hop(t, one, lists[1], "dmarc=fail header.from=football.example.com; arc=pass")
	three := hop(t, two, lists[2], "dmarc=fail header.from=football.example.com; arc=pass")
	broken := hop(t, one, lists[1], "dmarc=fail header.from=football.example.com; arc=fail")
	seal := func(s string, instance string) string { // without the seal of an instance
		lines := strings.SplitAfter(s, "\r\n")
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "ARC-Seal: i="+instance) })
		for lines = slices.Delete(lines, i, i+1); lines[i][0] == ' ' || lines[i][0] == '\t'; lines = slices.Delete(lines, i, i+1) {
		}
		return strings.Join(lines, "")
	}
	for _, c := range []struct {
		name, message string
		result        mail.AuthResult
		reason        string
		sealers       []string
	}{
		{"none", dinner, mail.AuthNone, "", nil},
		{"one", one, mail.AuthPass, "", lists[:1]},
		{"two", two, mail.AuthPass, "", lists[:2]},
		{"three", three, mail.AuthPass, "", lists},
		{"body changed after it", strings.Replace(two, "hungry", "thirsty", 1), mail.AuthFail, "message signature of instance 2: the body is not", lists[:2]},
		{"subject changed after it", strings.Replace(two, "ready?", "over?", 1), mail.AuthFail, "message signature of instance 2: a signed field", lists[:2]},
		{"old results changed", strings.Replace(two, "ARC-Authentication-Results: i=1; lists.example.org; dkim=pass", "ARC-Authentication-Results: i=1; lists.example.org; dkim=fail", 1), mail.AuthFail, "seal of instance", lists[:2]},
		{"first seal missing", seal(two, "1"), mail.AuthFail, "instance 1 is not complete", nil},
		{"last seal missing", seal(two, "2"), mail.AuthFail, "instance 2 is not complete", nil},
		{"an instance left out", strings.ReplaceAll(one, "i=1;", "i=2;"), mail.AuthFail, "instance 1 is not complete", nil},
		{"instance 0", strings.ReplaceAll(one, "i=1;", "i=0;"), mail.AuthFail, "has no instance", nil},
		{"instance 51", strings.ReplaceAll(one, "i=1;", "i=51;"), mail.AuthFail, "has no instance", nil},
		{"the same set twice", one[:strings.Index(one, "Authentication-Results: lists")] + one, mail.AuthFail, "has two fields", nil},
		{"sealed as broken", broken, mail.AuthFail, "instance 2 says cv=fail", nil},
	} {
		got := w.check(t, c.message).ARC
		if got.Result != c.result || !strings.Contains(got.Reason, c.reason) || !slices.Equal(got.Sealers, c.sealers) {
			t.Errorf("%s: %+v, want %s %q %v", c.name, got, c.result, c.reason, c.sealers)
		}
		if c.result == mail.AuthPass && got.Origin != "pass" {
			t.Errorf("%s: the first hop found %q", c.name, got.Origin)
		}
	}
	w.Set(mail.RecordTXT, "arc._domainkey."+lists[0])
	if got := w.check(t, two).ARC; got.Result != mail.AuthFail || !strings.Contains(got.Reason, "seal of instance 1: there is no key") {
		t.Errorf("without the first key: %+v", got)
	}
}

// TestTheExampleOfRFC8617 is appendix B: a list, and two that pass the message on. As it stands nobody has its keys; sealed
// anew by dkimpy, with the same words, it holds, though the second changed what the first had signed.
func TestTheExampleOfRFC8617(t *testing.T) {
	text, err := os.ReadFile("testdata/rfc8617-appendix-b.eml")
	if err != nil {
		t.Fatal(err)
	}
	example := crlf(string(text))
	sealers := []string{"lists.example.org", "gmail.example", "clochette.example.org"}
	w := newWorld()
	got := w.check(t, example)
	if got.ARC.Result != mail.AuthFail || !slices.Equal(got.ARC.Sealers, sealers) || got.ARC.Reason != "message signature of instance 3: there is no key at clochette._domainkey.clochette.example.org" {
		t.Errorf("as it stands: %+v", got.ARC)
	}
	if len(got.DKIM) != 1 || got.DKIM[0].Fault != mail.FaultAlgorithm { // RFC 8301 3.1
		t.Errorf("its signature with SHA-1: %+v", got.DKIM)
	}

	selectors := []string{"dk-lists", "20120806", "clochette"}
	found := []string{
		"spf=pass smtp.mfrom=jqd@d1.example; dkim=pass (512-bit key) header.i=@d1.example; dmarc=pass",
		"spf=fail smtp.from=jqd@d1.example; dkim=fail (512-bit key) header.i=@example.org; dmarc=fail; arc=pass (as.1.lists.example.org=pass, ams.1.lists.example.org=pass)",
		"spf=fail smtp.from=jqd@d1.example; dkim=fail (512-bit key) header.i=@d1.example; dmarc=fail; arc=pass (as.2.gmail.example=pass, ams.2.gmail.example=pass, as.1.lists.example.org=pass, ams.1.lists.example.org=fail (message has been altered))",
	}
	message := example[strings.Index(example, "Message-ID:"):]
	message = strings.Replace(message, "[List 2] ", "", 1)
	for i, domain := range sealers {
		w.Set(mail.RecordTXT, selectors[i]+"._domainkey."+domain, rsaRecord(&keys().rsa.PublicKey))
		if i == 1 {
			message = strings.Replace(message, "Subject: ", "Subject: [List 2] ", 1)
		}
		message = sign(t, job{Kind: "arc", Message: []byte("Authentication-Results: " + domain + "; " + found[i] + "\r\n" + message), Selector: selectors[i], Domain: domain,
			Key: pemOf(keys().rsa), Time: now.Unix()})[0]
	}
	if got := w.check(t, message).ARC; got.Result != mail.AuthPass || !slices.Equal(got.Sealers, sealers) || got.Origin != "pass" {
		t.Errorf("sealed anew: %+v", got)
	}
	w.Set(mail.RecordTXT, "20120806._domainkey.gmail.example", rsaRecord(&keys().other.PublicKey))
	if got := w.check(t, message).ARC; got.Result != mail.AuthFail || !strings.HasPrefix(got.Reason, "seal of instance 2: ") {
		t.Errorf("another key of gmail.example: %+v", got)
	}
}
