package tlsrpt

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podmail/mail/parse"
)

func provider() *Report {
	return &Report{Organization: "Provider", Range: DateRange{time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC)},
		Contact: "smtp-tls-reporting@provider.test", ID: "2026-11-24T00:00:00Z_sender.test",
		Policies: []Result{
			{Policy: Policy{Type: "sts", String: Strings{"version: STSv1", "mode: testing", "mx: mail.sender.test", "max_age: 86400"}, Domain: "sender.test", MX: Strings{"mail.sender.test"}},
				Summary: Summary{5326, 303},
				Failures: []Failure{
					{Type: "certificate-expired", SendingIP: "2001:db8:abcd:12::1", ReceivingMX: "mail.sender.test", Sessions: 100},
					{Type: "starttls-not-supported", SendingIP: "192.0.2.12", ReceivingMX: "mx2.sender.test", ReceivingIP: "198.51.100.2", Sessions: 203, Information: "https://provider.test/report"},
				}},
			{Policy: Policy{Type: "no-policy-found", Domain: "sender.test"}, Summary: Summary{1, 0}},
		}}
}

func TestUnmarshal(t *testing.T) {
	text, err := os.ReadFile("testdata/provider.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provider(), got); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{"empty": "", "no object": "[]", "no id": `{"policies":[{}]}`, "no policy": `{"report-id":"x"}`, "cut": `{"report-id":"x","policies":[`,
		"large": `{"report-id":"` + strings.Repeat("x", maxJSON) + `","policies":[{}]}`} {
		if r, err := Unmarshal(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestUnmarshalIsBounded(t *testing.T) {
	r, err := Unmarshal(strings.NewReader(`{"report-id":"` + strings.Repeat("x", 5000) + `","policies":[{"summary":{"total-failure-session-count":-4},"failure-details":[{}` +
		strings.Repeat(",{}", 2000) + `]}` + strings.Repeat(",{}", 200) + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.ID) != maxValue || len(r.Policies) != maxPolicies || len(r.Policies[0].Failures) != maxFailures || r.Policies[0].Summary.Failed != 0 {
		t.Errorf("an id of %d bytes, %d policies, %d failures, %d", len(r.ID), len(r.Policies), len(r.Policies[0].Failures), r.Policies[0].Summary.Failed)
	}
}

func TestWrite(t *testing.T) {
	var b bytes.Buffer
	m := &Message{Report: provider(), Domain: "sender.test", Submitter: "mail.test", From: "tls-reports@mail.test", To: "tls@sender.test", MessageID: "<r1@mail.test>", Date: time.Unix(1795612126, 0)}
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"\r\nTLS-Report-Domain: sender.test\r\n", "\r\nTLS-Report-Submitter: mail.test\r\n", "\r\nContent-Type: application/tlsrpt+gzip\r\n",
		"\r\nSubject: Report Domain: sender.test\r\n Submitter: mail.test\r\n Report-ID: <2026-11-24T00:00:00Z_sender.test>\r\n"} { // RFC 8460 5.3
		if !strings.Contains(b.String(), field) {
			t.Errorf("no %q", field)
		}
	}
	p, err := parse.Message(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if p.Structure.MediaType() != "multipart/report" || p.Structure.Params["report-type"] != "tlsrpt" || !p.Auto {
		t.Errorf("%s %v", p.Structure.MediaType(), p.Structure.Params)
	}
	if len(p.Attachments) != 1 || p.Attachments[0].Filename != "mail.test!sender.test!1795478400!1795564799.json.gz" {
		t.Errorf("%v", p.Attachments)
	}
	back, err := Read(p, bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provider(), back); diff != "" {
		t.Error(diff)
	}
}

// TestBombs are refused before they take memory.
func TestBombs(t *testing.T) {
	for name, text := range map[string]string{
		"policies": `{"report-id":"x","policies":[` + strings.Repeat("{},", maxJSON/3-20) + "{}]}",
		"failures": `{"report-id":"x","policies":[{"failure-details":[` + strings.Repeat("{},", maxJSON/3-30) + "{}]}]}",
		"deep":     strings.Repeat("[", maxJSON),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Unmarshal(strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: %d policies", name, len(r.Policies))
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8*maxJSON {
			t.Errorf("%s: %d bytes of memory", name, n)
		}
	}
}

func TestReadNone(t *testing.T) {
	raw := "Subject: hi\r\n\r\nhello\r\n"
	p, err := parse.Message(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := Read(p, strings.NewReader(raw)); r != nil || err != nil {
		t.Errorf("%v %v", r, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	text, err := os.ReadFile("testdata/provider.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"report-id":"x","policies":[{"policy":{"policy-string":"a","mx-host":["b"]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Unmarshal(bytes.NewReader(text))
		if err != nil {
			return
		}
		if len(r.Policies) > maxPolicies || len(r.ID) > maxValue {
			t.Errorf("%d policies, an id of %d bytes", len(r.Policies), len(r.ID))
		}
	})
}
