package server_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/mail/parse"
	"podmail/server"
)

// arrives delivers a message from elsewhere to the recipients, with what its sender asks for.
func (w *sending) arrives(reversePath string, a *mail.Authentication, h mail.Handling, to map[string]mail.Reporting) error {
	return w.arrivesWith("The body.\r\n", reversePath, a, h, to)
}

func (w *sending) arrivesWith(body, reversePath string, a *mail.Authentication, h mail.Handling, to map[string]mail.Reporting) error {
	in := server.Incoming{Session: server.Session{Protocol: "ESMTP"}, ReversePath: reversePath, Handling: h,
		Body: strings.NewReader("From: sue@far.test\r\nTo: bob@podmail.test\r\nSubject: Hello\r\nMessage-ID: <hello@far.test>\r\n\r\n" + body)}
	for address, reporting := range to {
		in.Recipients, in.Reporting = append(in.Recipients, address), append(in.Reporting, reporting)
	}
	if a != nil {
		in.Authenticate = func() mail.Authentication { return *a }
	}
	return w.Server.Deliver(context.Background(), in)
}

// carried is a transfer, with what it brought.
type carried struct {
	mail.Transfer
	raw string
}

// receiving has the hosts of the world keep what they are brought, and answer as they did.
func (w *sending) receiving(t *testing.T, answer func(mail.Transfer) []mail.TransferResult) func() []carried {
	t.Helper()
	var mu sync.Mutex
	var got []carried
	w.hosts.Answer(func(tr mail.Transfer) []mail.TransferResult {
		raw, err := io.ReadAll(io.NewSectionReader(tr.Message, 0, tr.Size))
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, carried{tr, string(raw)})
		return answer(tr)
	})
	return func() []carried {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

// reportIn is the notification that a message is.
func reportIn(t *testing.T, raw string) *dsn.Report {
	t.Helper()
	p, err := parse.Message(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	report, err := dsn.Read(p, strings.NewReader(raw))
	if err != nil || report == nil {
		t.Fatalf("no notification: %v\n%s", err, raw)
	}
	return report
}

// TestSendersAreToldOfArrivals: who asks for it, and proves who he is, gets a notification by mail.
func TestSendersAreToldOfArrivals(t *testing.T) {
	spf := &mail.Authentication{ReversePath: "sue@far.test", SPF: mail.SPFResult{Result: mail.AuthPass, Domain: "far.test"}}
	signed := &mail.Authentication{SPF: mail.SPFResult{Result: mail.AuthSoftFail}, DKIM: []mail.DKIMResult{{Result: mail.AuthPass, Domain: "far.test"}}}
	for name, c := range map[string]struct {
		from, notify, ret string
		a                 *mail.Authentication
		want              string // action, and whether the body came back
	}{
		"success, by SPF":       {"sue@far.test", "SUCCESS,FAILURE", "", spf, "delivered"},
		"success, by signature": {"sue@far.test", "SUCCESS", "HDRS", signed, "delivered"},
		"of a domain above":     {"sue@mail.far.test", "SUCCESS", "", signed, "delivered"},
		"of a trusted peer":     {"sue@far.test", "SUCCESS", "FULL", nil, "delivered body"},
		"never":                 {"sue@far.test", "NEVER", "", spf, ""},
		"failure only":          {"sue@far.test", "FAILURE,DELAY", "", spf, ""},
		"the usual":             {"sue@far.test", "", "", spf, ""},
		"nobody's":              {"", "SUCCESS", "", spf, ""},
		"forged":                {"sue@far.test", "SUCCESS", "", &mail.Authentication{SPF: mail.SPFResult{Result: mail.AuthSoftFail}}, ""},
		"of another's domain":   {"victim@other.test", "SUCCESS", "", signed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, nil)
			received := w.receiving(t, refusing)
			err := w.arrives(c.from, c.a, mail.Handling{EnvelopeID: "env=1", Return: c.ret},
				map[string]mail.Reporting{"alice+news@podmail.test": {Notify: c.notify, OriginalRecipient: "rfc822;Alice+news@old.test"}})
			if err != nil {
				t.Fatal(err)
			}
			w.carry(t, "nothing waits", func() bool { return len(w.waiting(t)) == 0 })
			seen := received()
			if c.want == "" {
				if len(seen) != 0 {
					t.Errorf("told: %s", seen[0].raw)
				}
				return
			}
			if len(seen) != 1 {
				t.Fatalf("%d transfers", len(seen))
			}
			if tr := seen[0]; tr.ReversePath != "" || tr.Recipients[0].Address != c.from || tr.Recipients[0].Notify != "NEVER" || len(tr.Keys) == 0 {
				t.Errorf("how it is mailed: %+v", tr)
			}
			raw := seen[0].raw
			report := reportIn(t, raw)
			to := report.Recipients[0]
			got := string(to.Action)
			if strings.Contains(raw, "The body.") {
				got += " body"
			}
			if got != c.want || report.EnvelopeID != "env=1" || report.MessageID != "<hello@far.test>" || to.Original != "Alice+news@old.test" || to.Final != "alice+news@podmail.test" {
				t.Errorf("%q, want %q: %+v", got, c.want, report)
			}
		})
	}
}

// TestOneNoticeForEachInbox: recipients learn nothing of each other, and what is gone of the queue is gone.
func TestOneNoticeForEachInbox(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	received := w.receiving(t, refusing)
	w.Inbox(t, w.Pod(t, "b"), "carol")
	asked := mail.Reporting{Notify: "SUCCESS"}
	large := strings.Repeat("a line\r\n", 50_000)
	if err := w.arrivesWith(large, "sue@far.test", nil, mail.Handling{RequireTLS: true, Return: "FULL"}, map[string]mail.Reporting{"alice@podmail.test": asked, "alice+x@podmail.test": asked, "carol@podmail.test": asked}); err != nil {
		t.Fatal(err)
	}
	w.carry(t, "nothing waits", func() bool { return len(w.waiting(t)) == 0 })
	recipients := map[int]int{}
	for _, tr := range received() {
		recipients[len(reportIn(t, tr.raw).Recipients)]++
		if !tr.RequireTLS || !strings.Contains(tr.raw, large) {
			t.Error("it goes with less TLS than the message came with, or without all of it")
		}
	}
	if recipients[1] != 1 || recipients[2] != 1 || len(recipients) != 2 {
		t.Errorf("notices by recipients: %v", recipients)
	}
	if _, err := received()[0].Message.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a notification that was taken is kept")
	}
}

// TestUndeliverableNoticesEnd: what cannot be told is given up, and nobody is told of that.
func TestUndeliverableNoticesEnd(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, refusing)
	if err := w.arrives("nobody@other.test", nil, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {Notify: "SUCCESS"}}); err != nil {
		t.Fatal(err)
	}
	w.carry(t, "nothing waits", func() bool { return len(w.waiting(t)) == 0 })
	if got := w.hosts.Seen(); len(got) != 1 {
		t.Errorf("%d transfers", len(got))
	}
	m, _, err := w.Server.ListMessages(context.Background(), w.alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(m) != 1 {
		t.Errorf("alice has %d messages, %v", len(m), err)
	}
}
