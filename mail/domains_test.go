package mail

import (
	"slices"
	"strings"
	"testing"
)

func TestRecordsAreJudged(t *testing.T) {
	d := Domain{Name: "acme.example", SubdomainsEnabled: true, TrackingEnabled: true}
	records := RecordsOf(&d, []DKIMKey{{Selector: "s1", Algorithm: "rsa", Public: "QUJD"}, {Selector: "s2", Algorithm: "ed25519", Public: "REVG"}}, "mx.host.example")
	of := map[string]DomainRecord{}
	for _, r := range records {
		of[string(r.Type)+" "+r.Name] = r
		if r.Status != RecordMissing {
			t.Errorf("before any check: %+v", r)
		}
	}
	const mx, spf, rsa, ed, dmarc = "MX acme.example", "TXT acme.example", "TXT s1._domainkey.acme.example", "TXT s2._domainkey.acme.example", "TXT _dmarc.acme.example"
	const wildcard, link = "MX *.acme.example", "CNAME link.acme.example"
	for _, c := range []struct {
		record string
		found  []string
		want   RecordStatus
		reason string
	}{
		{mx, nil, RecordMissing, ""},
		{mx, []string{"MX.host.example."}, RecordValid, ""},
		{mx, []string{"mx.host.example", "mx.other.example"}, RecordInvalid, ReasonDuplicateRecords},
		{mx, []string{"mx.other.example"}, RecordInvalid, ReasonValueMismatch},
		{mx, []string{"."}, RecordInvalid, ReasonValueMismatch},
		{wildcard, []string{"mx.host.example"}, RecordValid, ""},
		{link, []string{"mx.host.example"}, RecordValid, ""},
		{link, []string{"elsewhere.example"}, RecordInvalid, ReasonValueMismatch},
		{spf, []string{"google-site-verification=x"}, RecordMissing, ""},
		{spf, []string{"other", "v=spf1 a:mx.host.example ~all"}, RecordValid, ""},
		{spf, []string{"V=SPF1 include:_spf.other.example +A:MX.Host.example -all"}, RecordValid, ""},
		{spf, []string{"v=spf1 mx -all"}, RecordValid, ""},
		{spf, []string{"v=spf1 mx:acme.example -all"}, RecordValid, ""},
		{spf, []string{"v=spf1 -all a:mx.host.example"}, RecordInvalid, ReasonValueMismatch},
		{spf, []string{"v=spf1 -a:mx.host.example ~all"}, RecordInvalid, ReasonValueMismatch},
		{spf, []string{"v=spf1 include:_spf.other.example ~all"}, RecordInvalid, ReasonValueMismatch},
		{spf, []string{"v=spf1"}, RecordInvalid, ReasonValueMismatch},
		{spf, []string{"v=spf10 a:mx.host.example"}, RecordMissing, ""},
		{spf, []string{"v=spf1 a:mx.host.example ~all", "v=spf1 -all"}, RecordInvalid, ReasonDuplicateRecords},
		{spf, []string{"v=spf1 a:mx.host.example ~all", "v=spf1 a:mx.host.example ~all"}, RecordInvalid, ReasonDuplicateRecords},
		{rsa, []string{"v=DKIM1; k=rsa; p=QUJD"}, RecordValid, ""},
		{rsa, []string{"v=DKIM1;p=QU JD;"}, RecordValid, ""},
		{rsa, []string{"p=QUJD"}, RecordValid, ""},
		{rsa, []string{"v=DKIM1; k=rsa; p=WFla"}, RecordInvalid, ReasonValueMismatch},
		{rsa, []string{"v=DKIM2; p=QUJD"}, RecordInvalid, ReasonValueMismatch},
		{rsa, []string{"v=DKIM1; p=QUJD; p=QUJD"}, RecordInvalid, ReasonValueMismatch},
		{rsa, []string{"v=DKIM1; p=QUJD", "v=DKIM1; p=WFla"}, RecordInvalid, ReasonDuplicateRecords},
		{rsa, []string{"nonsense"}, RecordInvalid, ReasonValueMismatch},
		{ed, []string{"v=DKIM1; k=ed25519; p=REVG"}, RecordValid, ""},
		{ed, []string{"v=DKIM1; p=REVG"}, RecordInvalid, ReasonValueMismatch},
		{dmarc, []string{"v=DMARC1; p=reject; rua=mailto:a@b.example"}, RecordValid, ""},
		{dmarc, []string{"v=DMARC1; p=whatever"}, RecordInvalid, ReasonValueMismatch},
		{dmarc, []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"}, RecordInvalid, ReasonDuplicateRecords},
		{dmarc, []string{"something else"}, RecordMissing, ""},
	} {
		r, ok := of[c.record]
		if !ok {
			t.Fatalf("no record %s", c.record)
		}
		r.Judge(c.found, false)
		if r.Status != c.want || r.Reason != c.reason {
			t.Errorf("%s with %q: %s %q, want %s %q", c.record, c.found, r.Status, r.Reason, c.want, c.reason)
		}
		if r.Judge([]string{r.Value}, false); r.Status != RecordValid {
			t.Errorf("%s as we ask for it: %+v", c.record, r)
		}
	}
	shared := of[mx]
	if shared.Judge([]string{"aspmx.other.example", "mx.host.example"}, true); shared.Status != RecordValid {
		t.Errorf("a shared MX: %+v", shared)
	}
}

func TestZoneFile(t *testing.T) {
	long := strings.Repeat("x", 300)
	got := ZoneFile([]DomainRecord{
		{Type: RecordMX, Name: "a.example", Value: "mx.example", Priority: 10},
		{Type: RecordTXT, Name: "k.a.example", Value: long},
		{Type: RecordTXT, Name: "q.a.example", Value: `a"b\c; d`},
		{Type: RecordCNAME, Name: "link.a.example", Value: "mx.example"},
	})
	want := "a.example. 3600 IN MX 10 mx.example.\n" +
		"k.a.example. 3600 IN TXT \"" + long[:255] + "\" \"" + long[255:] + "\"\n" +
		`q.a.example. 3600 IN TXT "a\"b\\c; d"` + "\n" +
		"link.a.example. 3600 IN CNAME mx.example.\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestParentDomains(t *testing.T) {
	for name, want := range map[string][]string{
		"a.b.example": {"a.b.example", "b.example"}, "b.example": {"b.example"}, "localhost": {"localhost"}, "x.podmail.localhost": {"x.podmail.localhost", "podmail.localhost"},
	} {
		if got := ParentDomains(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// FuzzJudge: what strangers publish is only read.
func FuzzJudge(f *testing.F) {
	f.Add("v=spf1 a:mx.host.example ~all", "v=DKIM1; k=rsa; p=QUJD")
	f.Add("v=DMARC1; p=none", ";;=;")
	d := Domain{Name: "acme.example"}
	records := RecordsOf(&d, []DKIMKey{{Selector: "s1", Algorithm: "rsa", Public: "QUJD"}}, "mx.host.example")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, r := range records {
			r.Judge([]string{a, b}, false)
			if (r.Status == RecordInvalid) != (r.Reason != "") {
				t.Errorf("%+v", r)
			}
		}
	})
}
