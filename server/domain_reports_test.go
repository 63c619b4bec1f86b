package server_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/tlsrpt"
	"podmail/server"
	"podmail/server/servertest"
)

// aggregate is a message with an aggregate report on a domain, of so many sources.
func aggregate(t *testing.T, domain, id string, sources int) string {
	t.Helper()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &dmarc.Report{Organization: "provider.test", Email: "dmarc@provider.test", ID: id, Begin: begin, End: begin.Add(24*time.Hour - time.Second),
		Policy: dmarc.Policy{Domain: domain, Policy: "none", Percent: 100}}
	for i := range sources {
		rec := dmarc.Record{Source: netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), Count: int64(i + 1), Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: domain}
		if i%2 == 1 {
			rec.DKIM = "fail"
		}
		r.Records = append(r.Records, rec)
	}
	var b bytes.Buffer
	if err := dmarc.Write(&b, &dmarc.Message{Report: r, Submitter: "provider.test", From: "dmarc@provider.test", To: "dmarc-reports@" + domain, MessageID: "<" + id + "@provider.test>",
		Date: begin}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tlsReport(t *testing.T, domain string) string {
	t.Helper()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &tlsrpt.Report{Organization: "Provider", ID: "t1", Range: tlsrpt.DateRange{Start: begin, End: begin.Add(time.Hour)}, Policies: []tlsrpt.Result{{Policy: tlsrpt.Policy{Type: "sts", Domain: domain},
		Summary: tlsrpt.Summary{Successful: 5, Failed: 2}, Failures: []tlsrpt.Failure{{Type: "certificate-expired", Sessions: 2}}}}}
	var b bytes.Buffer
	if err := tlsrpt.Write(&b, &tlsrpt.Message{Report: r, Domain: domain, Submitter: "provider.test", From: "tls@provider.test", To: "tls-reports@" + domain, MessageID: "<t1@provider.test>",
		Date: begin}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func deliver(w *servertest.World, raw string, to ...string) error {
	ctx := context.Background()
	var inboxes []mail.Inbox
	for _, address := range to {
		inbox, err := w.Server.Recipient(ctx, "", address)
		if err != nil {
			return err
		}
		inboxes = append(inboxes, inbox)
	}
	return w.Server.Deliver(ctx, server.Incoming{ReversePath: "r@provider.test", Recipients: to, Inboxes: inboxes, Session: server.Session{Protocol: "ESMTP"}, Body: strings.NewReader(raw)})
}

func TestReportsOnDomains(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	w.PoisonDomain(t)
	acme, rival := w.Pod(t, "acme"), w.Pod(t, "rival")
	d := w.Verified(t, acme, server.NewDomain{Name: "acme.example"})
	w.Verified(t, w.Org, server.NewDomain{Name: "all.example"})
	alice := w.Inbox(t, acme, "alice")
	if r := d.Records[len(d.Records)-1]; r.Value != "v=DMARC1; p=none; rua=mailto:dmarc-reports@acme.example" {
		t.Errorf("the record to publish: %+v", r)
	}
	for range 2 { // reports are sent again when an answer was lost
		if err := deliver(w, aggregate(t, "acme.example", "r1", 3), "DMARC-reports@acme.example", "alice@podmail.test"); err != nil {
			t.Fatal(err)
		}
	}
	if err := deliver(w, aggregate(t, "sub.acme.example", "r2", 40_000), "dmarc-reports@acme.example"); err != nil { // as large as they come
		t.Fatal(err)
	}
	if err := deliver(w, aggregate(t, "all.example", "r3", 1), "dmarc-reports@all.example"); err != nil {
		t.Fatal(err)
	}
	if err := deliver(w, tlsReport(t, "acme.example"), "tls-reports@acme.example"); err != nil {
		t.Fatal(err)
	}
	if err := deliver(w, aggregate(t, "poison.example", servertest.Poison, 1), "dmarc-reports@poison.example"); err != nil {
		t.Fatal(err)
	}
	got, _, err := w.Server.ListDMARCReports(ctx, acme, "acme.example", mail.Page{Limit: 10, Ascending: true})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d reports, %v", len(got), err)
	}
	if r := got[0]; r.ReportID != "r1" || r.Organization != "provider.test" || r.Passed != 4 || r.Failed != 2 || r.Begin.Day() != 1 || len(r.Report.Records) != 3 || r.Report.Records[0].Count != 3 {
		t.Errorf("%+v", r)
	}
	if r := got[1]; r.Passed != 20_000*20_000 || r.Failed != 20_000*20_001 || len(r.Report.Records) != 200 || r.Report.Records[0].Count != 40_000 {
		t.Errorf("a large report: %d passed, %d failed, %d records, the first of %d", r.Passed, r.Failed, len(r.Report.Records), r.Report.Records[0].Count)
	}
	tls, _, err := w.Server.ListTLSReports(ctx, acme, "acme.example", mail.Page{Limit: 10})
	if err != nil || len(tls) != 1 || tls[0].Passed != 5 || tls[0].Failed != 2 || tls[0].Report.Policies[0].Failures[0].Type != "certificate-expired" {
		t.Errorf("%+v %v", tls, err)
	}
	for _, domain := range []string{"acme.example", "poison.example", "all.example"} {
		if r, _, err := w.Server.ListDMARCReports(ctx, rival, domain, mail.Page{Limit: 10}); mail.CodeOf(err) != mail.CodeNotFound || len(r) != 0 {
			t.Errorf("a rival sees reports on %s: %v %v", domain, r, err)
		}
	}
	if all, _, err := w.Server.ListDMARCReports(ctx, w.Org, "all.example", mail.Page{Limit: 10}); err != nil || len(all) != 1 {
		t.Errorf("the organization's domain: %v %v", all, err)
	}
	if messages, _, err := w.Server.ListMessages(ctx, alice, mail.MessageFilter{}, mail.Page{Limit: 10}); err != nil || len(messages) != 2 {
		t.Errorf("the other recipient has %d messages, %v", len(messages), err)
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	w.Verified(t, pod, server.NewDomain{Name: "acme.example", SubdomainsEnabled: true})
	for name, c := range map[string]struct {
		raw, to string
		code    mail.Code
	}{
		"none":            {"Subject: hi\r\n\r\nhello\r\n", "dmarc-reports@acme.example", mail.CodeInvalid},
		"of another":      {aggregate(t, "rival.example", "x", 1), "dmarc-reports@acme.example", mail.CodeInvalid},
		"of a namesake":   {aggregate(t, "evilacme.example", "x", 1), "dmarc-reports@acme.example", mail.CodeInvalid},
		"of another kind": {aggregate(t, "acme.example", "x", 1), "tls-reports@acme.example", mail.CodeInvalid},
		"broken":          {strings.Replace(aggregate(t, "acme.example", "x", 1), "H4sI", "AAAA", 1), "dmarc-reports@acme.example", mail.CodeInvalid},
		"at a subdomain":  {aggregate(t, "acme.example", "x", 1), "dmarc-reports@sub.acme.example", mail.CodeNotFound},
		"at our own":      {aggregate(t, "podmail.test", "x", 1), "dmarc-reports@podmail.test", mail.CodeNotFound},
		"at none of ours": {aggregate(t, "acme.example", "x", 1), "dmarc-reports@rival.example", mail.CodeForbidden},
		"at another name": {aggregate(t, "acme.example", "x", 1), "spf-reports@acme.example", mail.CodeNotFound},
		"as it should be": {aggregate(t, "acme.example", "x", 1), "dmarc-reports@acme.example", ""},
	} {
		if err := deliver(w, c.raw, c.to); c.code != "" && mail.CodeOf(err) != c.code || c.code == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx := context.Background()
	if _, err := w.Server.CreateInbox(ctx, pod, server.NewInbox{Username: "tls-reports", Domain: "acme.example"}); err != nil {
		t.Fatal(err)
	}
	if err := deliver(w, "Subject: hi\r\n\r\nhello\r\n", "tls-reports@acme.example"); err != nil {
		t.Error("an inbox of the name takes any mail:", err)
	}
}

// TestForgedDomainReports are refused, so that none is shown and none pushes out true ones; what cannot be told yet is put off.
func TestForgedDomainReports(t *testing.T) {
	spf := func(result mail.AuthResult, domain string) func(*mail.Authentication) {
		return func(a *mail.Authentication) { a.SPF = mail.SPFResult{Result: result, Domain: domain} }
	}
	listed := func(a *mail.Authentication) {
		a.DMARC.Result, a.BlockLists = mail.AuthPass, []mail.ListedAt{{Zone: "dnsbl.test", Reason: "spam"}}
	}
	for name, c := range map[string]struct {
		found func(*mail.Authentication) // of example.org; nil: the peer is trusted
		list  mail.ListType              // on which the pod has example.org
		code  mail.Code
	}{
		"the peer is trusted":       {nil, "", ""},
		"DMARC passes":              {func(a *mail.Authentication) { a.DMARC.Result = mail.AuthPass }, "", ""},
		"DMARC fails":               {fails(mail.PolicyReject), "", mail.CodeForbidden},
		"and nothing is asked for":  {fails(mail.PolicyNone), "", mail.CodeForbidden},
		"and the pod allows it":     {fails(mail.PolicyReject), mail.ListAllow, ""},
		"DMARC passes, but blocked": {func(a *mail.Authentication) { a.DMARC.Result = mail.AuthPass }, mail.ListBlock, mail.CodeForbidden},
		"DMARC unknown yet":         {func(a *mail.Authentication) { a.DMARC.Result = mail.AuthTempError }, "", mail.CodeUnavailable},
		"no DMARC, SPF passes":      {spf(mail.AuthPass, "mail.example.org"), "", ""},
		"no DMARC, SPF of another":  {spf(mail.AuthPass, "attacker.test"), "", mail.CodeForbidden},
		"no DMARC, SPF fails":       {spf(mail.AuthFail, "example.org"), "", mail.CodeForbidden},
		"no DMARC, SPF unknown yet": {spf(mail.AuthTempError, "example.org"), "", mail.CodeUnavailable},
		"no DMARC, a signature holds": {func(a *mail.Authentication) {
			a.DKIM = []mail.DKIMResult{{Result: mail.AuthPass, Domain: "example.org"}}
		}, "", ""},
		"nothing known": {func(*mail.Authentication) {}, "", mail.CodeForbidden},
		"two From fields": {func(a *mail.Authentication) {
			a.DMARC = mail.DMARCResult{Result: mail.AuthPermError, Reason: "there are 2 From fields"}
		}, "", mail.CodeForbidden},
		"on a DNS block list":       {listed, "", mail.CodeForbidden},
		"and the pod allows it too": {listed, mail.ListAllow, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			w := servertest.New(t)
			pod := w.Pod(t, "acme")
			w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
			if c.list != "" {
				if _, err := w.Server.CreateListEntry(ctx, pod, server.List{Direction: mail.DirectionReceive, Type: c.list}, server.NewListEntry{Entry: "example.org"}); err != nil {
					t.Fatal(err)
				}
			}
			var a *mail.Authentication
			if c.found != nil {
				a = found(c.found)
			}
			for to, raw := range map[string]string{"dmarc-reports@acme.example": aggregate(t, "acme.example", "r1", 3), "tls-reports@acme.example": tlsReport(t, "acme.example")} {
				raw = strings.NewReplacer("dmarc@provider.test", "joe@example.org", "tls@provider.test", "joe@example.org", "\r\n", "\n").Replace(raw)
				if err := arrive(w, to, raw, a); mail.CodeOf(err) != c.code && !(err == nil && c.code == "") {
					t.Errorf("%s: %v", to, err)
				}
			}
			dmarc, _, err := w.Server.ListDMARCReports(ctx, pod, "acme.example", mail.Page{Limit: 10})
			tls, _, failed := w.Server.ListTLSReports(ctx, pod, "acme.example", mail.Page{Limit: 10})
			if want := map[bool]int{true: 1}[c.code == ""]; err != nil || failed != nil || len(dmarc) != want || len(tls) != want {
				t.Errorf("%d and %d reports are shown, %v, %v", len(dmarc), len(tls), err, failed)
			}
		})
	}
}

// TestReportsFromInboxes: a pod's mail to such an address is taken or comes back like a stranger's.
func TestReportsFromInboxes(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	alice := w.Inbox(t, pod, "alice")
	m, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"dmarc-reports@acme.example"}, Subject: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it comes back", func() bool {
		got, _, err := w.Server.GetMessage(ctx, alice, m.MessageID)
		return err == nil && strings.Join(got.Labels, " ") == "bounced sent"
	})
}

func TestReportsAreKeptForATime(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	pod := w.Pod(t, "acme")
	w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	count := func() int {
		t.Helper()
		n, token := 0, ""
		for {
			got, next, err := w.Server.ListDMARCReports(ctx, pod, "acme.example", mail.Page{Limit: 50, Token: token})
			if err != nil {
				t.Fatal(err)
			}
			if n += len(got); next == "" {
				return n
			}
			token = next
		}
	}
	for i := range 405 {
		if err := deliver(w, aggregate(t, "acme.example", fmt.Sprintf("r%d", i), 1), "dmarc-reports@acme.example"); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 400 {
		t.Errorf("%d reports are kept", n)
	}
	w.Clock.Step(401 * 24 * time.Hour)
	for range 3 {
		if _, err := w.Server.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n != 0 {
		t.Errorf("%d old reports are kept", n)
	}
	if err := deliver(w, aggregate(t, "acme.example", "last", 1), "dmarc-reports@acme.example"); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.DeleteDomain(ctx, pod, "acme.example"); err != nil {
		t.Fatal(err)
	}
	w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	if n := count(); n != 0 {
		t.Errorf("%d reports of the domain that was deleted", n)
	}
}
