package server_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/parse"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

const wantsReports = "v=DMARC1; p=reject; sp=none; rua=mailto:rua@example.org,mailto:agg@far.test,mailto:no@stranger.test"

// published is what was found out about a message of a domain that has this record.
func published(record string, result mail.AuthResult) *mail.Authentication {
	return found(func(a *mail.Authentication) {
		a.SPF.Result = result
		a.DKIM = []mail.DKIMResult{{Result: mail.AuthFail, Domain: "example.org", Selector: "s1"}}
		a.DMARC = mail.DMARCResult{Result: result, From: "example.org", Domain: "example.org", Policy: mail.PolicyReject, Percent: 100, SPF: result == mail.AuthPass, Record: record}
	})
}

// reporters is a world that reports, and what it told.
type reporters struct {
	*sending
	mu   sync.Mutex
	told map[string]*dmarc.Report // by recipient
	sent int
}

// reporting starts one whose reports are all taken.
func reporting(t *testing.T, change ...func(*server.Options)) *reporters {
	t.Helper()
	r := &reporters{told: map[string]*dmarc.Report{}}
	hosts := servertest.NewCourier(func(tr mail.Transfer) []mail.TransferResult {
		r.take(t, tr)
		return servertest.ForEach(tr, mail.TransferResult{Code: 250, Text: "250 OK"})
	})
	w := servertest.New(t, append(change, func(o *server.Options) { o.Courier, o.Intake.DMARCReports = hosts, true })...)
	r.sending = &sending{w, hosts, w.Inbox(t, w.Pod(t, "a"), "alice")}
	return r
}

func (w *reporters) take(t *testing.T, tr mail.Transfer) {
	p, err := parse.Message(io.NewSectionReader(tr.Message, 0, tr.Size))
	if err != nil {
		t.Error(err)
		return
	}
	report, err := dmarc.Read(p, tr.Message)
	if err != nil || report == nil {
		t.Errorf("to %s: %v, %v", tr.Destination, report, err)
	}
	if len(tr.Keys) != 2 || tr.Keys[0].Domain != "podmail.test" || p.Envelope.From[0].Addr() != "dmarc-reports@podmail.test" {
		t.Errorf("from %v, signed with %+v", p.Envelope.From, tr.Keys)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	for _, to := range tr.Recipients {
		w.told[to.Address] = report
	}
}

// reports are those that left so far, by recipient, and how many transfers they took.
func (w *reporters) reports() (map[string]*dmarc.Report, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.told), w.sent
}

// day lets a day pass, and has what is to be reported reported.
func (w *reporters) day(t *testing.T) {
	t.Helper()
	w.Clock.Step(24 * time.Hour)
	for more := true; more; {
		var err error
		if more, err = w.Server.ReportDMARC(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	w.carry(t, "the reports are on their way", func() bool { return len(w.waiting(t)) == 0 })
}

// lines are what a report tells, a line for each record.
func lines(r *dmarc.Report) (lines []string) {
	for _, rec := range r.Records {
		line := fmt.Sprintf("%d from %s: %s dkim=%s spf=%s of %s by %s", rec.Count, rec.Source, rec.Disposition, rec.DKIM, rec.SPF, rec.HeaderFrom, rec.EnvelopeFrom)
		for _, reason := range rec.Reasons {
			line += " " + reason.Type
		}
		lines = append(lines, line)
	}
	return lines
}

// TestDMARCReports: who asks for it is told once the day is over what came in, whatever pod got it, and across restarts.
func TestDMARCReports(t *testing.T) {
	w := reporting(t)
	other := w.Inbox(t, w.Pod(t, "b"), "bob")
	w.DNS.Set(mail.RecordTXT, "example.org._report._dmarc.far.test", "v=DMARC1; rua=mailto:other@far.test,mailto:x@elsewhere.test")
	comes := func(to string, a *mail.Authentication) {
		t.Helper()
		if err := arrive(w.World, to, strings.Replace(hello, "<1@", fmt.Sprintf("<%d@", w.Clock.Now().UnixMicro()), 1), a); err != nil {
			t.Fatal(err)
		}
	}
	far := published(wantsReports, mail.AuthFail)
	far.Remote = netip.MustParseAddr("::ffff:203.0.113.7")
	comes("alice@podmail.test", published(wantsReports, mail.AuthPass))
	comes(other.InboxID, published(wantsReports, mail.AuthPass))
	comes("alice@podmail.test", far)
	comes("alice@podmail.test", published("v=DMARC1; p=reject", mail.AuthFail))
	comes("alice@podmail.test", nil)
	comes("alice@podmail.test", published(wantsReports, mail.AuthTempError))
	if _, err := w.Server.ReportDMARC(context.Background()); err != nil { // which writes down what was counted
		t.Fatal(err)
	}
	w.Server = server.New(w.Options)
	if _, err := w.Server.Bootstrap(context.Background()); err != nil {
		t.Fatal(err)
	}
	comes("alice@podmail.test", published(wantsReports, mail.AuthPass))
	if _, err := w.Server.ReportDMARC(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, n := w.reports(); n != 0 {
		t.Fatalf("%d reports before the day is over", n)
	}
	w.day(t)
	told, _ := w.reports()
	if len(told) != 2 || told["rua@example.org"] == nil || told["other@far.test"] == nil {
		t.Fatalf("told: %v", told)
	}
	r := told["rua@example.org"]
	want := []string{"3 from 192.0.2.1: none dkim=fail spf=pass of example.org by example.org", "1 from 203.0.113.7: quarantine dkim=fail spf=fail of example.org by example.org local_policy"}
	if got := lines(r); !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
	if p := r.Policy; p.Domain != "example.org" || p.Policy != "reject" || p.Subdomain != "none" || p.Percent != 100 {
		t.Errorf("the policy: %+v", p)
	}
	if r.Begin != time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC) || r.End != time.Date(2026, 1, 2, 23, 59, 59, 0, time.UTC) || r.ID != "20260102.example.org@mx.podmail.test" {
		t.Errorf("%s from %s to %s", r.ID, r.Begin, r.End)
	}
	if d := r.Records[0]; len(d.DKIMResults) != 1 || d.DKIMResults[0].Selector != "s1" || d.SPFResults[0] != (dmarc.SPFResult{Domain: "example.org", Scope: "mfrom", Result: "pass"}) {
		t.Errorf("the checks: %+v", d)
	}
	w.day(t)
	if _, n := w.reports(); n != 2 {
		t.Errorf("%d reports after a day without mail", n)
	}
}

// TestDMARCReportsOfRefusals tell of them; where reports are off, which is the default, nobody is told.
func TestDMARCReportsOfRefusals(t *testing.T) {
	for _, on := range []bool{true, false} {
		w := reporting(t, func(o *server.Options) { o.Intake.RefuseUnauthenticated = true })
		if !on {
			w.Options.Intake.DMARCReports = false
			w.Server = server.New(w.Options)
			if _, err := w.Server.Bootstrap(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		const record = "v=DMARC1; p=reject; rua=mailto:rua@example.org"
		if err := arrive(w.World, "alice@podmail.test", hello, published(record, mail.AuthFail)); mail.CodeOf(err) != mail.CodeForbidden {
			t.Fatal(err)
		}
		w.day(t)
		told, _ := w.reports()
		if (len(told) == 1) != on {
			t.Fatalf("on %v: %v", on, told)
		}
		if on && lines(told["rua@example.org"])[0] != "1 from 192.0.2.1: reject dkim=fail spf=fail of example.org by example.org" {
			t.Errorf("told %q", lines(told["rua@example.org"]))
		}
	}
}

// TestDMARCReportsEnd: none is about mail to where reports are taken, none is larger than wanted, and what cannot be looked
// up is tried again, but not for ever.
func TestDMARCReportsEnd(t *testing.T) {
	w := reporting(t)
	const record = "v=DMARC1; p=none; rua=mailto:rua@example.org"
	if err := arrive(w.World, "alice@podmail.test", hello, published(record+"!1k", mail.AuthPass)); err != nil {
		t.Fatal(err)
	}
	w.day(t)
	if _, n := w.reports(); n != 0 {
		t.Errorf("%d reports that are too large", n)
	}
	w.DNS.Set(mail.RecordTXT, "example.org._report._dmarc.far.test", "v=DMARC1")
	for days, want := range map[int]int{1: 1, 4: 0} {
		_, seen := w.reports()
		if err := arrive(w.World, "alice@podmail.test", strings.Replace(hello, "<1@", fmt.Sprintf("<%d@", days), 1), published("v=DMARC1; p=none; rua=mailto:agg@far.test", mail.AuthPass)); err != nil {
			t.Fatal(err)
		}
		w.DNS.Down(true)
		for range days {
			w.day(t)
		}
		w.DNS.Down(false)
		w.Clock.Step(time.Hour)
		if _, err := w.Server.ReportDMARC(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.carry(t, "the report is on its way", func() bool { return len(w.waiting(t)) == 0 })
		if _, n := w.reports(); n-seen != want {
			t.Errorf("%d reports after %d days without answers", n-seen, days)
		}
	}
	_, seen := w.reports()
	if err := arrive(w.World, "dmarc-reports@podmail.test", hello, published(record, mail.AuthPass)); err != nil {
		t.Fatal(err)
	}
	w.day(t)
	if _, n := w.reports(); n != seen {
		t.Errorf("%d reports on answers to reports", n-seen)
	}
}

// TestDMARCReportsToOurselves: a domain that lives here is told like any, where its reports are read.
func TestDMARCReportsToOurselves(t *testing.T) {
	w := reporting(t)
	pod := w.Pod(t, "acme")
	w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
	a := published("v=DMARC1; p=none; rua=mailto:dmarc-reports@acme.example", mail.AuthFail)
	a.DMARC.Domain, a.DMARC.From = "acme.example", "acme.example"
	if err := arrive(w.World, "alice@podmail.test", hello, a); err != nil {
		t.Fatal(err)
	}
	w.day(t)
	eventually(t, "the report is with the domain", func() bool {
		if _, err := w.Server.DeliverDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		reports, _, err := w.Server.ListDMARCReports(context.Background(), pod, "acme.example", mail.Page{Limit: 10})
		return err == nil && len(reports) == 1 && reports[0].Failed == 1 && reports[0].Organization == "podmail.test"
	})
	for range 32 {
		w.day(t)
	}
	g, err := w.Server.InInbox(context.Background(), w.Org, "dmarc-reports@podmail.test")
	if err != nil {
		t.Fatal(err)
	}
	if left, _, err := w.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 10}); err != nil || len(left) != 0 {
		t.Errorf("what was sent is still there after 32 days: %+v, %v", left, err)
	}
}

// TestDMARCCountsAreBounded: what is alike is added up, and a domain has so many rows in a day and no more.
func TestDMARCCountsAreBounded(t *testing.T) {
	w, ctx := servertest.New(t), context.Background()
	day := w.Clock.Now().Truncate(24 * time.Hour)
	var kept []mail.DMARCCount
	err := w.Store.System().Write(ctx, func(tx storage.SystemTx) (err error) {
		for i := range 5 {
			for _, domain := range []string{"a.test", "b.test"} {
				c := mail.DMARCCount{Day: day, Domain: domain, Published: fmt.Sprint("p", i), Alike: fmt.Sprint("row", i%4), Messages: 1}
				if err := tx.AddDMARCCount(c, 3); err != nil {
					return err
				}
			}
		}
		kept, err = tx.ListDMARCCounts(day, "a.test")
		return err
	})
	if err != nil || len(kept) != 3 || kept[0] != (mail.DMARCCount{Day: day, Domain: "a.test", Published: "p4", Alike: "row0", Messages: 2}) {
		t.Errorf("%+v, %v", kept, err)
	}
}
