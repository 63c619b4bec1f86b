package compose_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
	"podmail/mail/compose"
)

// readResults has Debian's authres read fields: method, result and properties of each.
const readResults = `
import authres, json, sys
fields = []
for text in json.load(sys.stdin):
    header = authres.AuthenticationResultsHeader.parse(text)
    fields.append([header.authserv_id] + [" ".join([r.method + "=" + r.result] + ["%s.%s=%s" % (p.type, p.name, p.value) for p in r.properties])
                                          for r in header.results])
json.dump(fields, sys.stdout)
`

// TestAuthenticationResultsCanBeRead: what peers and messages say of themselves is seen as they said it, and as nothing more.
// authres passes over a quoted property that is not the last of its method.
func TestAuthenticationResultsCanBeRead(t *testing.T) {
	signed := func(selector, algorithm, signature string) []mail.DKIMResult {
		return []mail.DKIMResult{{Result: mail.AuthFail, Domain: "else.example", Selector: selector, Algorithm: algorithm, Signature: signature, Fault: mail.FaultBodyHash}}
	}
	cases := []struct {
		remote, helo, sender string
		signed               []mail.DKIMResult
		iprev, spf, dkim     string
	}{
		{"192.0.2.1", "mail.else.example", "joe@else.example", nil, "192.0.2.1", "smtp.mailfrom=else.example", "dkim=none"},
		{"2001:db8::25", "mail.else.example", "joe@else.example", nil, "2001:db8::25", "smtp.mailfrom=else.example", "dkim=none"},
		{"192.0.2.1", "[127.0.0.1]", "", nil, "192.0.2.1", "smtp.helo=[127.0.0.1]", "dkim=none"},
		{"192.0.2.1", "[IPv6:::1]", "", nil, "192.0.2.1", "smtp.helo=[IPv6:::1]", "dkim=none"},
		{"192.0.2.1", "dmarc=pass", "", nil, "192.0.2.1", "smtp.helo=dmarc=pass", "dkim=none"},
		{"192.0.2.1", "a/b?c@d", "", nil, "192.0.2.1", "smtp.helo=a/b?c@d", "dkim=none"},
		{"192.0.2.1", "a; dmarc=pass", "", nil, "192.0.2.1", "smtp.helo=admarc=pass", "dkim=none"},
		{"192.0.2.1", "a\"\\(b)\r\n", "", nil, "192.0.2.1", "smtp.helo=ab", "dkim=none"},
		{"192.0.2.1", "mail", "joe@else.example", signed("dmarc=pass", "rsa-sha256", "AAAA/+=="), "192.0.2.1", "smtp.mailfrom=else.example", "dkim=fail header.d=else.example header.a=rsa-sha256 header.b=AAAA/+=="},
		{"192.0.2.1", "mail", "joe@else.example", signed("s", "dmarc=pass", "AAAABBBB"), "192.0.2.1", "smtp.mailfrom=else.example", "dkim=fail header.d=else.example header.s=s header.b=AAAABBBB"},
	}
	var fields []string
	var want [][]string
	for _, c := range cases {
		a := &mail.Authentication{Remote: netip.MustParseAddr(c.remote), HELO: c.helo, ReversePath: c.sender, Reverse: mail.ReverseResult{Result: mail.AuthPass},
			SPF: mail.SPFResult{Result: mail.AuthPass, Domain: "else.example"}, DKIM: c.signed, ARC: mail.ARCResult{Result: mail.AuthNone},
			DMARC: mail.DMARCResult{Result: mail.AuthFail, From: "bank.example", Policy: mail.PolicyReject}}
		field := compose.AuthenticationResults("mx.podmail.test", a)
		for line := range strings.Lines(field) {
			if len(line) > 998 || !strings.HasSuffix(line, "\r\n") {
				t.Errorf("a line of %q", field)
			}
		}
		fields = append(fields, strings.ReplaceAll(strings.TrimSuffix(field, "\r\n"), "\r\n", ""))
		want = append(want, []string{"mx.podmail.test", "iprev=pass policy.iprev=" + c.iprev, "spf=pass " + c.spf, c.dkim, "dmarc=fail header.from=bank.example policy.dmarc=reject"})
	}
	input, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", readResults)
	cmd.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s (.ci/tools installs what it needs)\n%s", err, complaints.String(), input)
	}
	var got [][]string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, quoted := range []string{` header.s="dmarc=pass" header.a=`, ` header.a="dmarc=pass" header.b=AAAABBBB;`, ` policy.iprev="2001:db8::25";`, ` header.b="AAAA/+==";`} {
		if all := strings.ReplaceAll(strings.Join(fields, ""), "\t", " "); !strings.Contains(all, quoted) {
			t.Errorf("nowhere %s in %s", quoted, all)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
