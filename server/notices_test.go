package server_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/mail/parse"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

const submission = "From: alice@podmail.test\r\nTo: bob@other.test\r\nSubject: Hello\r\nMessage-ID: <hello@alice.test>\r\n\r\nThe body.\r\n"

// submit hands a message in as a mail program does.
func (w *sending) submit(t *testing.T, handling mail.Handling, notify string, to ...string) mail.Message {
	t.Helper()
	in := server.Incoming{Session: server.Session{Protocol: "ESMTPSA"}, ReversePath: "alice@podmail.test", Recipients: to, Handling: handling, Body: strings.NewReader(submission)}
	for _, address := range to {
		in.Reporting = append(in.Reporting, mail.Reporting{Notify: notify, OriginalRecipient: "rfc822;orig-" + address})
	}
	m, err := w.Server.Submit(context.Background(), w.alice, in)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// notices are the notifications in alice's inbox, oldest first, as their readers understand them, and their bytes.
func (w *sending) notices(t *testing.T) (reports []*dsn.Report, raws []string) {
	t.Helper()
	ctx := context.Background()
	all, _, err := w.Server.ListMessages(ctx, w.alice, mail.MessageFilter{Labels: []string{mail.LabelReceived}}, mail.Page{Limit: 100, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		var at storage.RawMessage
		err := w.Store.For(w.alice.Scope).Read(ctx, func(tx storage.Tx) (err error) {
			at, err = tx.FindRaw(m.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(io.NewSectionReader(w.Store.For(w.alice.Scope).Reader(ctx, at), 0, m.Size))
		if err != nil {
			t.Fatal(err)
		}
		p, err := parse.Message(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		report, err := dsn.Read(p, strings.NewReader(string(raw)))
		if err != nil || report == nil {
			t.Fatalf("no notification: %v\n%s", err, raw)
		}
		reports, raws = append(reports, report), append(raws, string(raw))
	}
	return reports, raws
}

// refusing is how hosts answer that have no mailbox nobody@ and are slow for later@.
func refusing(tr mail.Transfer) (results []mail.TransferResult) {
	for _, to := range tr.Recipients {
		r := mail.TransferResult{Recipient: to.Address, Code: 250, Text: "250 2.0.0 taken", Host: "mx.other.test", RemoteDSN: tr.Destination == "dsn.test"}
		switch {
		case strings.HasPrefix(to.Address, "nobody@"):
			r.Failure, r.Permanent, r.Code, r.Enhanced, r.Text = mail.TransferReply, true, 550, "5.1.1", "550 5.1.1 no such user"
		case strings.HasPrefix(to.Address, "later@"):
			r.Failure, r.Code, r.Enhanced, r.Text = mail.TransferReply, 451, "4.2.0", "451 4.2.0 come back"
		}
		results = append(results, r)
	}
	return results
}

func TestNoticesOfFailures(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, refusing)
	m := w.submit(t, mail.Handling{EnvelopeID: "env=1"}, "", "nobody@other.test", "bob@other.test", "nobody@podmail.test")
	eventually(t, "both failures are told", func() bool {
		if _, err := w.Server.CarryDue(ctx); err != nil {
			t.Fatal(err)
		}
		reports, _ := w.notices(t)
		return len(reports) == 2 && len(w.waiting(t)) == 0
	})
	reports, raws := w.notices(t)
	told := map[string]string{}
	for i, r := range reports {
		to := r.Recipients[0]
		told[to.Final] = string(to.Action) + " " + to.Status + " " + to.Original + " " + to.Diagnostic
		if len(r.Recipients) != 1 || r.EnvelopeID != "env=1" || r.MessageID != m.MessageID || strings.Contains(raws[i], "The body.") || !strings.HasPrefix(raws[i], "Return-Path: <>\r\n") {
			t.Errorf("%+v\n%s", r, raws[i])
		}
	}
	if told["nobody@other.test"] != "failed 5.1.1 orig-nobody@other.test 550 5.1.1 no such user" || told["nobody@podmail.test"] != "failed 5.1.1 orig-nobody@podmail.test 550 5.1.1 no such mailbox here" {
		t.Errorf("%q", told)
	}
	_, messages, _, err := w.Server.GetThread(ctx, w.alice, m.ThreadID, mail.Page{Limit: 10})
	if err != nil || len(messages) != 3 || strings.Join(messages[1].Labels, " ") != "automatic received unread" {
		t.Errorf("the thread: %d messages, %v", len(messages), err)
	}
	inbox, err := w.Server.SelectMailbox(ctx, w.alice, "INBOX")
	if err != nil || len(inbox.UIDs) != 2 {
		t.Errorf("INBOX: %v %v", inbox.UIDs, err)
	}
	if tr := w.hosts.Seen()[0]; tr.EnvelopeID != "env=1" || tr.Recipients[0].OriginalRecipient != "rfc822;orig-nobody@other.test" || tr.Recipients[0].Notify != "FAILURE,DELAY" {
		t.Errorf("what is handed on: %+v", tr)
	}
}

// TestNoticesNameTheirSources: who said what, and in whose words an address is.
func TestNoticesNameTheirSources(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) []mail.TransferResult {
		r := mail.TransferResult{Failure: mail.TransferReply, Permanent: true, Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 gone", Host: "mx1.test [127.0.1.1]"}
		if tr.Recipients[0].Address == "tls@other.test" {
			r = mail.TransferResult{Failure: mail.TransferTLS, Permanent: true, Enhanced: "5.7.10", Text: "it offers no TLS", Host: "mx2.test [127.0.1.2]"}
		}
		return servertest.ForEach(tr, r)
	})
	for to, want := range map[string]string{
		"gone@other.test":     "Original-Recipient: x400; /c=us/o=x|Remote-MTA: dns; mx1.test|Diagnostic-Code: smtp; 550 5.1.1 gone",
		"tls@other.test":      "Original-Recipient: x400; /c=us/o=x|Remote-MTA: dns; mx2.test|Diagnostic-Code: x-podmail; it offers no TLS",
		"nobody@podmail.test": "Original-Recipient: x400; /c=us/o=x|Diagnostic-Code: x-podmail; 550 5.1.1 no such mailbox here",
	} {
		_, err := w.Server.Submit(t.Context(), w.alice, server.Incoming{Session: server.Session{Protocol: "ESMTPSA"}, ReversePath: "alice@podmail.test", Recipients: []string{to},
			Reporting: []mail.Reporting{{OriginalRecipient: "x400;/c=us/o=x"}}, Body: strings.NewReader(strings.Replace(submission, "hello@", to, 1))})
		if err != nil {
			t.Fatal(err)
		}
		var raw string
		w.carry(t, to+" is told of", func() bool {
			_, raws := w.notices(t)
			i := slices.IndexFunc(raws, func(raw string) bool { return strings.Contains(raw, "Final-Recipient: rfc822; "+to) })
			if i >= 0 {
				raw = raws[i]
			}
			return i >= 0
		})
		var got []string
		for line := range strings.SplitSeq(raw, "\r\n") {
			if name, _, _ := strings.Cut(line, ":"); name == "Original-Recipient" || name == "Remote-MTA" || name == "Diagnostic-Code" {
				got = append(got, line)
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q", to, got)
		}
	}
}

// TestWhatSendersAskFor: NOTIFY and RET decide whether, and with what, a sender is told.
func TestWhatSendersAskFor(t *testing.T) {
	for name, c := range map[string]struct {
		notify, ret, to string
		want            string // action, and whether the body came back
	}{
		"never":             {"NEVER", "", "nobody@other.test", ""},
		"failure, full":     {"FAILURE", "FULL", "nobody@other.test", "failed body"},
		"failure, header":   {"FAILURE", "HDRS", "nobody@other.test", "failed"},
		"success only":      {"SUCCESS", "", "nobody@other.test", ""},
		"success":           {"SUCCESS,FAILURE", "", "bob@other.test", "relayed"},
		"success elsewhere": {"SUCCESS", "", "bob@dsn.test", ""}, // that host tells itself
		"success here":      {"SUCCESS", "", "carol@podmail.test", "delivered"},
		"the usual":         {"", "", "carol@podmail.test", ""},
		"never, here":       {"NEVER", "", "nobody@podmail.test", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, refusing)
			w.Inbox(t, w.Pod(t, "b"), "carol")
			w.submit(t, mail.Handling{Return: c.ret}, c.notify, c.to)
			w.carry(t, "it is settled", func() bool { return len(w.waiting(t)) == 0 })
			reports, raws := w.notices(t)
			got := ""
			for i, r := range reports {
				if got += string(r.Recipients[0].Action); strings.Contains(raws[i], "The body.") {
					got += " body"
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestNoticesOfDelay: a sender is told once that his mail is late, and when it is given up.
func TestNoticesOfDelay(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, refusing)
	w.submit(t, mail.Handling{}, "", "later@other.test")
	for hour := range 150 {
		if _, err := w.Server.CarryDue(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the attempt is over", func() bool {
			queued := w.waiting(t)
			return len(queued) == 0 || queued[0].NextAttemptAt.After(w.Clock.Now())
		})
		if reports, _ := w.notices(t); hour == 3 && len(reports) != 0 {
			t.Fatal("told too early")
		}
		w.Clock.Step(time.Hour)
	}
	reports, _ := w.notices(t)
	if len(reports) != 2 || reports[0].Recipients[0].Action != dsn.Delayed || reports[0].Recipients[0].RetryUntil.IsZero() || reports[1].Recipients[0].Action != dsn.Failed || reports[1].Recipients[0].Status != "4.4.7" {
		t.Errorf("%d notices: %v", len(reports), reports)
	}
}

// TestFeedbackByMail: who sends by the API is told by mail if the domain has it so, else by events alone.
func TestFeedbackByMail(t *testing.T) {
	ctx := context.Background()
	for _, feedback := range []bool{true, false} {
		w := newSending(t, server.QueueLimits{}, refusing)
		pod, err := w.Server.InPod(ctx, w.Org, w.alice.PodID)
		if err != nil {
			t.Fatal(err)
		}
		w.Verified(t, pod, server.NewDomain{Name: "acme.example", FeedbackEnabled: feedback})
		inbox, err := w.Server.CreateInbox(ctx, pod, server.NewInbox{Username: "sales", Domain: "acme.example"})
		if err != nil {
			t.Fatal(err)
		}
		if w.alice, err = w.Server.InInbox(ctx, pod, inbox.Address); err != nil {
			t.Fatal(err)
		}
		w.send(t, w.alice, "nobody@other.test", "bob@other.test")
		w.carry(t, "it is settled", func() bool { return len(w.waiting(t)) == 0 })
		reports, _ := w.notices(t)
		if told := len(reports) == 1 && reports[0].Recipients[0].Final == "nobody@other.test"; told != feedback || !feedback && len(reports) != 0 {
			t.Errorf("feedback_enabled %v: %v", feedback, reports)
		}
	}
}
