package api_test

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/tlsrpt"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/web"
)

func TestDomainReports(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	rival := d.tenantNamed(t, "rival")
	d.Verified(t, n.pod, server.NewDomain{Name: "acme.example"})
	d.Verified(t, rival.pod, server.NewDomain{Name: "competitor.example"})
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	take := func(to string, write func(*bytes.Buffer) error) {
		t.Helper()
		var raw bytes.Buffer
		if err := write(&raw); err != nil {
			t.Fatal(err)
		}
		inbox, err := d.Server.Recipient(context.Background(), "", to)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Server.Deliver(context.Background(), server.Incoming{ReversePath: "r@provider.test", Recipients: []string{to}, Inboxes: []mail.Inbox{inbox}, Body: &raw}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ domain, organization string }{{"acme.example", "provider.test"}, {"competitor.example", servertest.Poison}} {
		take("dmarc-reports@"+c.domain, func(b *bytes.Buffer) error {
			return dmarc.Write(b, &dmarc.Message{Submitter: "provider.test", Date: begin, MessageID: "<r@provider.test>", From: "r@provider.test", To: "x@" + c.domain,
				Report: &dmarc.Report{Organization: c.organization, Email: "r@provider.test", ID: "r1", Begin: begin, End: begin.Add(time.Hour), Policy: dmarc.Policy{Domain: c.domain, Policy: "reject", ADKIM: "s", Percent: 100},
					Records: []dmarc.Record{{Source: netip.MustParseAddr("192.0.2.7"), Count: 3, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: c.domain, DKIMResults: []dmarc.DKIMResult{{Domain: c.domain, Selector: "podmail", Result: "pass"}},
						Reasons: []dmarc.Reason{{Type: "forwarded", Comment: "a list"}}}}}})
		})
		take("tls-reports@"+c.domain, func(b *bytes.Buffer) error {
			return tlsrpt.Write(b, &tlsrpt.Message{Submitter: "provider.test", Domain: c.domain, Date: begin, MessageID: "<t@provider.test>", From: "r@provider.test", To: "x@" + c.domain,
				Report: &tlsrpt.Report{Organization: c.organization, ID: "t1", Range: tlsrpt.DateRange{Start: begin, End: begin.Add(time.Hour)}, Policies: []tlsrpt.Result{{Policy: tlsrpt.Policy{Type: "sts", Domain: c.domain},
					Summary: tlsrpt.Summary{Successful: 9, Failed: 1}, Failures: []tlsrpt.Failure{{Type: "certificate-expired", Sessions: 1, ReceivingMX: "mx." + c.domain}}}}}})
		})
	}
	dmarcWant := `"reports":[{"report_id":"r1","organization":"provider.test","contact":"r@provider.test","begin":"2026-01-01T00:00:00.000Z","end":"2026-01-01T01:00:00.000Z","passed":3,"failed":0,"created_at":`
	sourceWant := `"policy":{"domain":"acme.example","policy":"reject","dkim_alignment":"s","percent":100},"sources":[{"source_ip":"192.0.2.7","count":3,"disposition":"none","dkim":"pass","spf":"fail",` +
		`"header_from":"acme.example","dkim_results":[{"domain":"acme.example","selector":"podmail","result":"pass"}],"spf_results":[],"reasons":["forwarded: a list"]}]}]}`
	tlsWant := `"policies":[{"type":"sts","domain":"acme.example","passed":9,"failed":1,"failures":[{"type":"certificate-expired","count":1,"receiving_mx":"mx.acme.example"}]}]}]}`
	for _, c := range []struct {
		key, path string
		status    int
		has       []string
	}{
		{n.podKey, "/v0/domains/acme.example/dmarc-reports", 200, []string{`{"count":1,"limit":50,`, dmarcWant, sourceWant}},
		{n.podKey, "/v0/pods/" + n.pod.PodID + "/domains/ACME.example/tls-reports?limit=1&ascending=true", 200, []string{`"passed":9,"failed":1,"created_at":`, tlsWant}},
		{n.podKey, "/v0/domains/acme.example/dmarc-reports?page_token=x", 400, []string{`"page_token"`}},
		{n.podKey, "/v0/domains/competitor.example/dmarc-reports", 404, nil},
		{n.podKey, "/v0/domains/competitor.example/tls-reports", 404, nil},
		{n.podKey, "/v0/domains/nothing.example/tls-reports", 404, nil},
		{n.inboxKey, "/v0/domains/acme.example/dmarc-reports", 403, []string{`"missing_permission"`}},
		{rival.podKey, "/v0/domains/competitor.example/dmarc-reports", 200, []string{servertest.Poison}},
	} {
		got := d.call(t, c.key, "GET", c.path, "")
		if got.status != c.status {
			t.Errorf("%s: %d %s", c.path, got.status, got.body)
		}
		for _, want := range c.has {
			if !strings.Contains(got.body, want) {
				t.Errorf("%s: no %s in %s", c.path, want, got.body)
			}
		}
		if c.key != rival.podKey && strings.Contains(got.body, servertest.Poison) {
			t.Errorf("%s shows another tenant's: %s", c.path, got.body)
		}
	}
}
