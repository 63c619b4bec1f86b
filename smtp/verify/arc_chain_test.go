package verify

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// exampleOfRFC8617 is the message of RFC 8617's appendix B. Nobody has the keys of its seals, so that all but their values
// can be checked here; arc_test.go has it sealed anew.
func exampleOfRFC8617(t *testing.T) (h header, body []byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/rfc8617-appendix-b.eml")
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := bytes.Cut(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), []byte("\r\n\r\n"))
	return splitHeader(append(head, "\r\n"...)), body
}

// TestTheChainOfRFC8617IsRead whole, and in its order.
func TestTheChainOfRFC8617IsRead(t *testing.T) {
	h, body := exampleOfRFC8617(t)
	c := readChain(h)
	if c.fault != "" || len(c.sets) != 3 {
		t.Fatalf("%d sets: %s", len(c.sets), c.fault)
	}
	for i, want := range []struct{ domain, selector, cv, results string }{
		{"lists.example.org", "dk-lists", "none", "spf=pass dkim=pass dmarc=pass"},
		{"gmail.example", "20120806", "pass", "spf=fail dkim=fail dmarc=fail arc=pass"},
		{"clochette.example.org", "clochette", "pass", "spf=fail dkim=fail dmarc=fail arc=pass"},
	} {
		set := c.sets[i]
		for name, s := range map[string]*signature{"seal": set.seal, "message signature": set.message} {
			if s.domain != want.domain || s.selector != want.selector || s.tags["t"] != "12345" || len(s.value) != 64 {
				t.Errorf("%s %d: %s %s, %d bytes", name, i+1, s.domain, s.selector, len(s.value))
			}
		}
		if set.seal.tags["cv"] != want.cv || !slices.Equal(set.message.signed, []string{"message-id", "date", "from", "to", "subject"}) {
			t.Errorf("set %d: cv=%s, signed %q", i+1, set.seal.tags["cv"], set.message.signed)
		}
		var results []string
		for _, r := range parseResults(set.results.unfolded()) {
			if r.method != "i" {
				results = append(results, r.method+"="+r.value)
			}
		}
		if got := strings.Join(results, " "); got != want.results {
			t.Errorf("results %d: %s, want %s", i+1, got, want.results)
		}
		set.message.body = newBodyHash(set.message.relaxedBody, set.message.length)
		set.message.body.write(body)
		set.message.body.finish()
		if wrong := set.message.checkBody(); wrong != nil {
			t.Errorf("body as instance %d signed it: %s", i+1, wrong.reason)
		}
	}
	if got := c.origin(); got != "pass" {
		t.Errorf("the first one found %s", got)
	}
}

// TestNoOrderOfFieldsChangesAChain: the instances say what belongs together, not the places (RFC 8617 4.2.1).
func TestNoOrderOfFieldsChangesAChain(t *testing.T) {
	h, _ := exampleOfRFC8617(t)
	want := readChain(h)
	slices.Reverse(h)
	got := readChain(h)
	if got.fault != "" || len(got.sets) != 3 {
		t.Fatal(got.fault)
	}
	for i := range got.sets {
		if !bytes.Equal(got.sealed(i+1), want.sealed(i+1)) {
			t.Errorf("the seal of instance %d signs something else", i+1)
		}
	}
}

// TestWhatEachInstanceMaySayOfTheChain is RFC 8617's 5.2, on its own example.
func TestWhatEachInstanceMaySayOfTheChain(t *testing.T) {
	for _, c := range []struct{ old, new, fault string }{
		{"", "", ""},
		{"cv=none", "cv=pass", "instance 1 says cv=pass"},
		{"cv=none", "cv=fail", "instance 1 says cv=fail"},
		{"cv=none; ", "", "instance 1 says cv="},
		{"i=2; a=rsa-sha256; cv=pass", "i=2; a=rsa-sha256; cv=none", "instance 2 says cv=none"},
		{"i=2; a=rsa-sha256; cv=pass", "i=2; a=rsa-sha256; cv=fail", "instance 2 says cv=fail"},
		{"i=3; a=rsa-sha256; cv=pass", "i=3; a=rsa-sha256; cv=fail", "instance 3 says cv=fail"},
		{"i=3; a=rsa-sha256; cv=pass", "i=3; a=rsa-sha256; cv=PASS", ""},
		{"i=3; a=rsa-sha256; cv=pass", "i=3; a=rsa-sha256; h=from; cv=pass", "the seal of instance 3 has h="},
		{"i=3; a=rsa-sha256; cv=pass", "i=3; a=rsa-sha1; cv=pass", "arc-seal of instance 3: the algorithm"},
		{"ARC-Message-Signature: i=3; a=rsa-sha256;", "ARC-Message-Signature: i=3; a=rsa-sha1;", "arc-message-signature of instance 3: the algorithm"},
		{"h=message-id:date:from:to:subject; s=\r\n        clochette", "h=arc-seal:from; s=\r\n        clochette", "the message signature of instance 3 signs a seal"},
		{"ARC-Seal: i=3", "ARC-Seal: i=4", "instance 3 is not complete"},
		{"ARC-Seal: i=3", "ARC-Seal: i=2", "instance 2 has two fields arc-seal"},
		{"ARC-Seal: i=3", "X-Seal: i=3", "instance 3 is not complete"},
		{"ARC-Seal: i=3", "ARC-Seal: i=x", "arc-seal has no instance"},
		{"ARC-Authentication-Results: i=3; ", "ARC-Authentication-Results: ", "arc-authentication-results has no instance"},
		{"Results: i=3; clochette.example.org; ", "Results: clochette.example.org; i=3; ", "arc-authentication-results has no instance"},
	} {
		h, _ := exampleOfRFC8617(t)
		var text bytes.Buffer
		for _, f := range h {
			text.Write(f.raw)
		}
		if !strings.Contains(text.String(), c.old) {
			t.Fatalf("the example has no %q", c.old)
		}
		got := readChain(splitHeader([]byte(strings.Replace(text.String(), c.old, c.new, 1))))
		if (got.fault == "") != (c.fault == "") || !strings.Contains(got.fault, c.fault) {
			t.Errorf("%q for %q: %q, want %q", c.new, c.old, got.fault, c.fault)
		}
	}
}
