package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/mail/tlsrpt"
	"podmail/server"
	"podmail/server/servertest"
)

// tlsReporters is a world whose courier has counted connections, and who gets the reports on them.
type tlsReporters struct {
	*servertest.World
	hosts *servertest.Courier

	mu      sync.Mutex
	counted []tlsrpt.Result
	posts   []string // URL and what was posted, unpacked
	refusal error    // of the next posts
}

func tlsReporting(t *testing.T) *tlsReporters {
	t.Helper()
	w := &tlsReporters{hosts: servertest.NewCourier(nil)}
	w.World = servertest.New(t, func(o *server.Options) {
		o.Courier = w.hosts
		o.TLSResults = func() []tlsrpt.Result {
			w.mu.Lock()
			defer w.mu.Unlock()
			all := w.counted
			w.counted = nil
			return all
		}
		o.PostTLSReport = func(_ context.Context, url string, packed []byte) error {
			z, err := gzip.NewReader(bytes.NewReader(packed))
			if err != nil {
				return err
			}
			text, err := io.ReadAll(z)
			w.mu.Lock()
			defer w.mu.Unlock()
			w.posts = append(w.posts, url+" "+string(text))
			return errors.Join(err, w.refusal)
		}
	})
	return w
}

// happen lets the courier count, and the server note it.
func (w *tlsReporters) happen(t *testing.T, results ...tlsrpt.Result) {
	t.Helper()
	w.mu.Lock()
	w.counted = append(w.counted, results...)
	w.mu.Unlock()
	w.step(t)
}

func (w *tlsReporters) step(t *testing.T) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.Server.ReportTLS(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// restart goes on with a server that knows what is in the file.
func (w *tlsReporters) restart(t *testing.T) {
	t.Helper()
	w.Server = server.New(w.Options)
	if _, err := w.Server.Bootstrap(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// dayEnds lets a day pass, and the hours over which its reports leave.
func (w *tlsReporters) dayEnds(t *testing.T) {
	t.Helper()
	w.Clock.Step(24 * time.Hour)
	w.step(t)
	w.Clock.Step(5 * time.Hour)
	w.step(t)
}

func (w *tlsReporters) posted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.posts)
}

func (w *tlsReporters) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal = err
}

func well(domain string, sessions int64) tlsrpt.Result {
	return tlsrpt.Result{Policy: tlsrpt.Policy{Type: "tlsa", Domain: domain}, Summary: tlsrpt.Summary{Successful: sessions}}
}

// TestTLSReports: who asks for it is told once the day is over what was counted, across restarts, by mail and by HTTPS, and
// nobody else.
func TestTLSReports(t *testing.T) {
	w := tlsReporting(t)
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=mailto:tls@reports.example,https://x.example/v1")
	failing := func(n int64) tlsrpt.Result {
		return tlsrpt.Result{Policy: tlsrpt.Policy{Type: "sts", Domain: "asks.example", String: tlsrpt.Strings{"version: STSv1"}}, Summary: tlsrpt.Summary{Successful: 3, Failed: n},
			Failures: []tlsrpt.Failure{{Type: "certificate-expired", ReceivingMX: "mx.asks.example", Sessions: n}}}
	}
	w.happen(t, failing(1), well("asks.example", 2), well("silent.example", 5))
	w.restart(t)
	w.happen(t, failing(4))
	w.Clock.Step(time.Hour)
	w.step(t)
	if got := w.hosts.Seen(); len(got) != 0 || w.posted() != nil {
		t.Fatalf("told before the day was over: %+v, %q", got, w.posted())
	}
	w.Clock.Step(24 * time.Hour)
	w.step(t)
	w.restart(t)
	w.Clock.Step(5 * time.Hour)
	w.step(t)
	w.dayEnds(t)
	seen, posts := w.hosts.Seen(), w.posted()
	if len(seen) != 1 || len(posts) != 1 {
		t.Fatalf("%d reports by mail, %d by HTTPS", len(seen), len(posts))
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
	url, text, _ := strings.Cut(posts[0], " ")
	byWeb, err := tlsrpt.Unmarshal(strings.NewReader(text))
	if url != "https://x.example/v1" || err != nil || byWeb.ID != report.ID {
		t.Errorf("to %s: %+v, %v", url, byWeb, err)
	}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	if !report.Range.Start.Equal(day) || !report.Range.End.Equal(day.Add(24*time.Hour-time.Second)) || report.ID != "20260102.asks.example@mx.podmail.test" {
		t.Errorf("%s from %s to %s", report.ID, report.Range.Start, report.Range.End)
	}
	if len(report.Policies) != 2 || report.Policies[0].Summary != (tlsrpt.Summary{Successful: 6, Failed: 5}) || len(report.Policies[0].Failures) != 1 ||
		report.Policies[0].Failures[0].Sessions != 5 || report.Policies[0].Failures[0].ReceivingMX != "mx.asks.example" || report.Policies[1].Summary.Successful != 2 {
		t.Errorf("%+v", report)
	}
}

// TestTLSReportsAreTriedAgain: one that is not taken is tried for a day, less and less often, over restarts, and no more once
// it was taken.
func TestTLSReportsAreTriedAgain(t *testing.T) {
	w := tlsReporting(t)
	later := func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Code: 451, Text: "451 later"})
	}
	never := func(tr mail.Transfer) []mail.TransferResult {
		return servertest.ForEach(tr, mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Code: 550, Text: "550 no"})
	}
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=mailto:tls@reports.example,https://x.example")
	w.hosts.Answer(later)
	w.refuse(errors.New("x.example answers 503"))
	w.happen(t, well("asks.example", 1))
	w.dayEnds(t)
	tries := func() string { return fmt.Sprint(len(w.hosts.Seen()), " ", len(w.posted())) }
	if got := tries(); got != "1 1" {
		t.Fatalf("%s tries", got)
	}
	w.step(t)
	if got := tries(); got != "1 1" {
		t.Errorf("%s tries at once", got)
	}
	w.restart(t)
	w.Clock.Step(10 * time.Minute)
	w.step(t)
	if got := tries(); got != "2 2" {
		t.Errorf("%s tries after ten minutes", got)
	}
	w.hosts.Answer(nil)
	w.Clock.Step(time.Hour)
	w.step(t)
	if got := tries(); got != "3 3" {
		t.Errorf("%s tries", got)
	}
	w.Clock.Step(48 * time.Hour)
	w.step(t)
	if mails := len(w.hosts.Seen()); mails != 3 {
		t.Errorf("%d transfers of a report that was taken by the third", mails)
	}

	w.hosts.Answer(never)
	before := len(w.hosts.Seen())
	w.happen(t, well("asks.example", 1))
	w.dayEnds(t)
	first := len(w.posted())
	for range 4 * 48 {
		w.Clock.Step(15 * time.Minute)
		w.step(t)
	}
	if n := len(w.hosts.Seen()) - before; n != 1 {
		t.Errorf("%d transfers of a report that was refused for good", n)
	}
	if n := len(w.posted()) - first; n < 6 || n > 14 {
		t.Errorf("%d more posts in two days", n)
	}
	all := len(w.posted())
	w.Clock.Step(24 * time.Hour)
	if w.step(t); len(w.posted()) != all {
		t.Error("a report was tried after it had been given up")
	}
}

// TestTLSReportsThatCannotBeMade wait for DNS, for a day.
func TestTLSReportsThatCannotBeMade(t *testing.T) {
	w := tlsReporting(t)
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=https://x.example")
	for _, c := range []struct {
		down time.Duration
		want int
	}{{3 * time.Hour, 1}, {30 * time.Hour, 1}} {
		w.happen(t, well("asks.example", 1))
		w.DNS.Down(true)
		w.Clock.Step(24 * time.Hour)
		for range c.down / time.Hour {
			w.step(t)
			w.Clock.Step(time.Hour)
		}
		w.step(t)
		w.DNS.Down(false)
		w.Clock.Step(time.Hour)
		w.dayEnds(t)
		if got := len(w.posted()); got != c.want {
			t.Errorf("%d reports after %s without DNS", got, c.down)
		}
	}
}

// TestTLSReportsToOurselves: an address that is here gets its reports like any other, without a host in between.
func TestTLSReportsToOurselves(t *testing.T) {
	w := tlsReporting(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=mailto:alice@podmail.test")
	w.happen(t, well("asks.example", 1))
	w.dayEnds(t)
	got, _, err := w.Server.ListMessages(context.Background(), alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(got) != 1 || !strings.Contains(got[0].Envelope.Subject, "Report Domain: asks.example") || len(w.hosts.Seen()) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTLSCountsOutliveTheServer: what the last transfers counted is written when the server stops.
func TestTLSCountsOutliveTheServer(t *testing.T) {
	w := tlsReporting(t)
	w.DNS.Set(mail.RecordTXT, "_smtp._tls.asks.example", "v=TLSRPTv1; rua=https://x.example")
	w.restart(t)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- w.Server.Run(ctx) }()
	w.mu.Lock()
	w.counted = []tlsrpt.Result{well("asks.example", 7)}
	w.mu.Unlock()
	stop()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	w.restart(t)
	w.dayEnds(t)
	if got := w.posted(); len(got) != 1 || !strings.Contains(got[0], `"total-successful-session-count":7`) {
		t.Errorf("%q", got)
	}
}

// TestTLSReportsLeaveOverHours, so that not everybody's come at midnight.
func TestTLSReportsLeaveOverHours(t *testing.T) {
	w := tlsReporting(t)
	for i := range 30 {
		domain := fmt.Sprintf("d%d.example", i)
		w.DNS.Set(mail.RecordTXT, "_smtp._tls."+domain, "v=TLSRPTv1; rua=https://x.example")
		w.happen(t, well(domain, 1))
	}
	w.Clock.Step(24 * time.Hour)
	w.step(t)
	if n := len(w.posted()); n > 20 {
		t.Errorf("%d of 30 reports left at once", n)
	}
	w.Clock.Step(5 * time.Hour)
	w.step(t)
	if n := len(w.posted()); n != 30 {
		t.Errorf("%d of 30 reports left", n)
	}
}
