package server_test

import (
	"context"
	"io"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/mail/tlsrpt"
	"podmail/server"
	"podmail/server/servertest"
)

// TestTLSReports: who asks for it is told once a day what was counted, and nobody else.
func TestTLSReports(t *testing.T) {
	hosts := servertest.NewCourier(nil)
	counted := []tlsrpt.Result{
		{Policy: tlsrpt.Policy{Type: "sts", Domain: "asks.example", String: tlsrpt.Strings{"version: STSv1"}}, Summary: tlsrpt.Summary{Successful: 3, Failed: 1},
			Failures: []tlsrpt.Failure{{Type: "certificate-expired", ReceivingMX: "mx.asks.example", Sessions: 1}}},
		{Policy: tlsrpt.Policy{Type: "tlsa", Domain: "asks.example"}, Summary: tlsrpt.Summary{Successful: 2}},
		{Policy: tlsrpt.Policy{Type: "no-policy-found", Domain: "silent.example"}, Summary: tlsrpt.Summary{Successful: 5}},
	}
	w := servertest.New(t, func(o *server.Options) {
		o.Courier = hosts
		o.TLSResults = func() []tlsrpt.Result { all := counted; counted = nil; return all }
	})
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=mailto:tls@reports.example,https://x.example")
	step := func() {
		t.Helper()
		if _, err := w.Server.ReportTLS(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	step()
	w.Clock.Step(time.Hour)
	step()
	if got := hosts.Seen(); len(got) != 0 {
		t.Fatalf("told before the day was over: %+v", got)
	}
	w.Clock.Step(24 * time.Hour)
	step()
	step()
	seen := hosts.Seen()
	if len(seen) != 1 {
		t.Fatalf("%d reports", len(seen))
	}
	tr := seen[0]
	if tr.Destination != "reports.example" || tr.Recipients[0].Address != "tls@reports.example" || tr.ReversePath != "" || !tr.AnyTLS {
		t.Errorf("%+v", tr)
	}
	if len(tr.Keys) != 2 || tr.Keys[0].Domain != "podmail.test" { // RFC 8460 3
		t.Errorf("it is signed with %+v", tr.Keys)
	}
	p, err := parse.Message(io.NewSectionReader(tr.Message, 0, tr.Size))
	if err != nil {
		t.Fatal(err)
	}
	if from := p.Envelope.From[0].Addr(); from != "postmaster@podmail.test" {
		t.Errorf("it is from %s", from)
	}
	report, err := tlsrpt.Read(p, tr.Message)
	if err != nil || report == nil {
		t.Fatal(report, err)
	}
	if len(report.Policies) != 2 || report.Policies[0].Summary.Failed != 1 || report.Policies[0].Failures[0].ReceivingMX != "mx.asks.example" || report.Range.End.Sub(report.Range.Start) < 24*time.Hour {
		t.Errorf("%+v", report)
	}
}
