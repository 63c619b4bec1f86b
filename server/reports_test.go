package server_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/storage"
)

// failed is a notification, as Postfix writes them, on a message and those of its recipients who did not get it.
func failed(action, status, said, messageID string, recipients ...string) string {
	var fields strings.Builder
	for _, to := range recipients {
		fmt.Fprintf(&fields, "\nFinal-Recipient: rfc822; %s\nAction: %s\nStatus: %s\nDiagnostic-Code: smtp; %s\n", to, action, status, said)
	}
	return "From: Mail Delivery System <MAILER-DAEMON@mx.other.test>\nTo: alice@podmail.test\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n" +
		"Message-ID: <notice." + strings.Trim(messageID, "<>") + ">\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nIt came back.\n" +
		"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.other.test\n" + fields.String() +
		"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: " + messageID + "\nSubject: Hello\n--b--\n"
}

// complaint is a report that a message was not wanted.
func complaint(kind, messageID, more string) string {
	return "From: <feedback@other.test>\nTo: alice@podmail.test\nSubject: complaint\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n" +
		"--b\n\nNot wanted.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: " + kind + "\nUser-Agent: test/1\nVersion: 1\n" + more +
		"\n--b\nContent-Type: message/rfc822\n\nMessage-ID: " + messageID + "\nSubject: Hello\n\nHi.\n--b--\n"
}

// comes delivers mail from outside.
func (w *sending) comes(t *testing.T, from, to, raw string) {
	t.Helper()
	err := w.Server.Deliver(context.Background(), server.Incoming{ReversePath: from, Recipients: []string{to}, Session: server.Session{HELO: "mx.other.test", Protocol: "ESMTP"},
		Body: strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n"))})
	if err != nil {
		t.Fatal(err)
	}
}

// delivered sends a message that all hosts take.
func (w *sending) delivered(t *testing.T, to ...string) mail.Message {
	t.Helper()
	m := w.send(t, w.alice, to...)
	w.carry(t, "it is delivered", func() bool { return len(w.waiting(t)) == 0 })
	if got := w.labels(t, m); got != "delivered sent" {
		t.Fatal("labels:", got)
	}
	return m
}

// suppressed are the entries of the send block list of alice's pod.
func (w *sending) suppressed(t *testing.T) (entries []string) {
	t.Helper()
	pod := w.alice
	pod.Scope.Inbox, pod.InboxID = 0, ""
	list, _, err := w.Server.ListListEntries(context.Background(), pod, server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}, mail.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if !e.ReadOnly {
			t.Errorf("%s is not read-only", e.Entry)
		}
		entries = append(entries, e.Entry+": "+e.Reason)
	}
	return entries
}

func TestBouncesThatComeBackLater(t *testing.T) {
	const gone = "550 5.1.1 no such user"
	for name, c := range map[string]struct {
		to          []string
		from        string
		report      func(id string) string
		labels      string
		event       string // the last
		suppression string
	}{
		"hard": {[]string{"bob@other.test"}, "", func(id string) string { return failed("failed", "5.1.1", gone, id, "bob@other.test") },
			"bounced sent", "bounced Permanent/NoEmail", "bob@other.test: hard bounce: " + gone},
		"by its Message-ID": {[]string{"bob@other.test"}, "", func(id string) string { return failed("failed", "5.1.1", gone, id, "bob@other.test") },
			"bounced sent", "bounced Permanent/NoEmail", ""}, // who has read it in an archive could have made it up
		"soft": {[]string{"bob@other.test"}, "", func(id string) string {
			return failed("failed", "5.2.2", "552 5.2.2 mailbox full", id, "bob@other.test")
		},
			"bounced sent", "bounced Transient/MailboxFull", ""},
		"one of two": {[]string{"bob@other.test", "carol@other.test"}, "", func(id string) string { return failed("failed", "5.1.1", gone, id, "BOB@other.test") },
			"bounced delivered sent", "bounced Permanent/NoEmail", ""}, // carol could have made it up
		"forwarded": {[]string{"bob@other.test"}, "", func(id string) string { return failed("failed", "5.1.1", gone, id, "robert@far.test") },
			"bounced sent", "bounced Permanent/NoEmail", "bob@other.test: hard bounce: " + gone},
		"delayed":       {[]string{"bob@other.test"}, "", func(id string) string { return failed("delayed", "4.2.0", "later", id, "bob@other.test") }, "delayed delivered sent", "delivered", ""},
		"delivered":     {[]string{"bob@other.test"}, "", func(id string) string { return failed("delivered", "2.0.0", "ok", id, "bob@other.test") }, "delivered sent", "delivered", ""},
		"of a person":   {[]string{"bob@other.test"}, "eve@other.test", func(id string) string { return failed("failed", "5.1.1", gone, id, "bob@other.test") }, "delivered sent", "delivered", ""},
		"of a daemon":   {[]string{"bob@other.test"}, "MAILER-DAEMON@other.test", func(id string) string { return failed("failed", "5.2.1", "off", id, "bob@other.test") }, "bounced sent", "bounced Permanent/NoEmail", "bob@other.test: hard bounce: off"},
		"another's":     {[]string{"bob@other.test"}, "", func(string) string { return failed("failed", "5.1.1", gone, "<other@podmail.test>", "bob@other.test") }, "delivered sent", "delivered", ""},
		"not addressed": {[]string{"bob@other.test", "carol@other.test"}, "", func(id string) string { return failed("failed", "5.1.1", gone, id, "eve@other.test") }, "delivered sent", "delivered", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, nil)
			m := w.delivered(t, c.to...)
			for range 2 { // the second tells nothing new
				to := w.hosts.Seen()[0].ReversePath
				if name == "by its Message-ID" || name == "another's" {
					to = "alice@podmail.test"
				}
				w.comes(t, c.from, to, c.report(m.MessageID))
			}
			if got := w.labels(t, m); got != c.labels {
				t.Errorf("labels: %s", got)
			}
			got := slices.DeleteFunc(w.events(t), func(e string) bool { return e == "received" })
			if last := got[len(got)-1]; last != c.event || len(got) > 2+len(c.to) {
				t.Errorf("events: %q", got)
			}
			if got := strings.Join(w.suppressed(t), "\n"); got != c.suppression {
				t.Errorf("suppressed: %q", got)
			}
		})
	}
}

// TestReportsAreFiledWithTheirMessage: what came back is kept, in the thread of what it is about, and marked.
func TestReportsAreFiledWithTheirMessage(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	m := w.delivered(t, "bob@other.test")
	w.comes(t, "", "alice@podmail.test", failed("failed", "5.1.1", "550 gone", m.MessageID, "bob@other.test"))
	_, messages, _, err := w.Server.GetThread(ctx, w.alice, m.ThreadID, mail.Page{Limit: 10})
	if err != nil || len(messages) != 2 || strings.Join(messages[1].Labels, " ") != "automatic received unread" {
		t.Errorf("%d messages, %v: %v", len(messages), err, messages)
	}
}

// TestWhatAProgramWroteIsMarked, by what its header says or by its null reverse-path.
func TestWhatAProgramWroteIsMarked(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	plain := "From: joe@other.test\nMessage-ID: <%d@other.test>\n%s\nhello\n"
	for i, c := range []struct{ from, more, want string }{
		{"joe@other.test", "", "received unread"},
		{"joe@other.test", "Auto-Submitted: no\n", "received unread"},
		{"", "", "automatic received unread"},
		{"joe@other.test", "Auto-Submitted: auto-replied\n", "automatic received unread"},
		{"joe@other.test", "List-Id: <talk.other.test>\n", "automatic received unread"},
		{"joe@other.test", "Content-Type: multipart/report; boundary=b\n", "automatic received unread"},
	} {
		w.comes(t, c.from, "alice@podmail.test", fmt.Sprintf(plain, i, c.more))
		m, _, err := w.Server.GetMessage(context.Background(), w.alice, fmt.Sprintf("<%d@other.test>", i))
		if got := strings.Join(m.Labels, " "); err != nil || got != c.want {
			t.Errorf("from %q, %q: %q, %v", c.from, c.more, got, err)
		}
	}
}

// TestForgedReportsDoNothing: nobody but the inbox that sent a message is told of it, whatever a report says.
func TestForgedReportsDoNothing(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	pod := w.Pod(t, "b")
	w.Inbox(t, pod, "eve")
	sibling := w.alice
	sibling.Scope.Inbox, sibling.InboxID = 0, ""
	w.Inbox(t, sibling, "sibling")
	m := w.delivered(t, "bob@other.test")
	path := w.hosts.Seen()[0].ReversePath
	tag := strings.TrimPrefix(path, "alice")
	for _, to := range []string{"eve@podmail.test", "eve" + tag, "sibling@podmail.test", "sibling" + tag, "poison.alice@podmail.test"} {
		w.comes(t, "", to, failed("failed", "5.1.1", "550 gone", m.MessageID, "bob@other.test"))
		w.comes(t, "", to, complaint("abuse", m.MessageID, "Original-Rcpt-To: bob@other.test\n"))
	}
	for _, wrong := range []string{path[:len("alice+bounce-1-")] + "000000000000@podmail.test", "alice+bounce-zzzzzzzzzzzzzzz-0@podmail.test", "alice+bounce-@podmail.test", "alice+bounce--1-0@podmail.test"} {
		w.comes(t, "", wrong, failed("failed", "5.1.1", "550 gone", "<unknown@x.test>", "bob@other.test"))
	}
	if got := w.labels(t, m); got != "delivered sent" {
		t.Error("labels:", got)
	}
	if got := w.suppressed(t); len(got) != 0 {
		t.Error("suppressed:", got)
	}
	err := w.Store.For(pod.Scope).Read(context.Background(), func(tx storage.Tx) error {
		events, err := tx.ListEvents(0, 100)
		for _, e := range events {
			if e.Type == mail.EventBounced || e.Type == mail.EventComplained {
				t.Errorf("%+v", e)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBouncePaths: what comes back to the path under which it left is believed without its Message-ID, but only of the
// host that was told the path.
func TestBouncePaths(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	m := w.delivered(t, "bob@other.test", "carol@other.test", "dave@far.test")
	paths := map[string]string{}
	for _, tr := range w.hosts.Seen() {
		paths[tr.Destination] = tr.ReversePath
	}
	w.comes(t, "", paths["other.test"], failed("failed", "5.1.1", "550 gone", "<rewritten@other.test>", "dave@far.test"))
	if got := w.suppressed(t); len(got) != 0 {
		t.Error("another host's recipient:", got)
	}
	w.comes(t, "", strings.ToUpper(paths["other.test"]), failed("failed", "5.1.1", "550 gone", "<rewritten@other.test>", "carol@other.test"))
	if got := w.suppressed(t); len(got) != 0 {
		t.Error("bob, who was told the same path, could have written it:", got)
	}
	if got := w.labels(t, m); got != "bounced delivered sent" {
		t.Error("labels:", got)
	}
	w.comes(t, "", strings.ToUpper(paths["far.test"]), failed("failed", "5.1.1", "550 gone", "<rewritten@far.test>", "dave@far.test"))
	if got := w.suppressed(t); len(got) != 1 || got[0] != "dave@far.test: hard bounce: 550 gone" {
		t.Error("suppressed:", got)
	}
}

func TestComplaints(t *testing.T) {
	for name, c := range map[string]struct {
		to          []string
		report      func(id string) string
		labels      string
		recipients  string
		suppression string
	}{
		"told": {[]string{"bob@other.test"}, func(id string) string { return complaint("abuse", id, "Original-Rcpt-To: <bob@other.test>\n") },
			"complained delivered sent", "abuse/General [bob@other.test]", "bob@other.test: complaint: abuse"},
		"redacted": {[]string{"bob@other.test"}, func(id string) string { return complaint("abuse", id, "") },
			"complained delivered sent", "abuse/General [bob@other.test]", "bob@other.test: complaint: abuse"},
		"redacted, of two":        {[]string{"bob@other.test", "carol@far.test"}, func(id string) string { return complaint("abuse", id, "") }, "complained delivered sent", "abuse/General []", ""},
		"one of two":              {[]string{"bob@other.test", "carol@far.test"}, func(id string) string { return complaint("fraud", id, "Original-Rcpt-To: bob@other.test\n") }, "complained delivered sent", "fraud/General [bob@other.test]", ""},
		"not spam":                {[]string{"bob@other.test"}, func(id string) string { return complaint("not-spam", id, "") }, "delivered sent", "", ""},
		"authentication":          {[]string{"bob@other.test"}, func(id string) string { return complaint("auth-failure", id, "") }, "delivered sent", "", ""},
		"of a message of others'": {[]string{"bob@other.test"}, func(string) string { return complaint("abuse", "<hello@example.org>", "") }, "delivered sent", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, nil)
			m := w.delivered(t, c.to...)
			for range 2 {
				w.comes(t, "feedback@other.test", "alice@podmail.test", c.report(m.MessageID))
			}
			labels := strings.Split(c.labels, " ")
			slices.Sort(labels)
			if got := w.labels(t, m); got != strings.Join(labels, " ") {
				t.Errorf("labels: %s", got)
			}
			var told []string
			err := w.Store.For(w.alice.Scope).Read(context.Background(), func(tx storage.Tx) error {
				events, err := tx.ListEvents(0, 100)
				for _, e := range events {
					if e.Type == mail.EventComplained {
						told = append(told, fmt.Sprintf("%v/%v %v", e.Details["type"], e.Details["sub_type"], e.Details["recipients"]))
					}
				}
				return err
			})
			if got := strings.Join(told, "\n"); err != nil || got != c.recipients {
				t.Errorf("events: %q %v", got, err)
			}
			if got := strings.Join(w.suppressed(t), "\n"); got != c.suppression {
				t.Errorf("suppressed: %q", got)
			}
		})
	}
}

// TestForgedReports are kept like any mail, and change nothing; what passes, or is not known to fail, is believed.
func TestForgedReports(t *testing.T) {
	for name, c := range map[string]struct {
		found  func(*mail.Authentication)
		labels string
	}{
		"DMARC fails":               {fails(mail.PolicyReject), "delivered sent"},
		"and nothing is asked for":  {fails(mail.PolicyNone), "delivered sent"},
		"SPF fails":                 {func(a *mail.Authentication) { a.SPF.Result = mail.AuthFail }, "delivered sent"},
		"DMARC passes":              {func(a *mail.Authentication) { a.DMARC.Result, a.SPF.Result = mail.AuthPass, mail.AuthFail }, "complained delivered sent"},
		"nothing is published":      {func(*mail.Authentication) {}, "complained delivered sent"},
		"DMARC cannot be looked up": {func(a *mail.Authentication) { a.DMARC.Result = mail.AuthTempError }, "complained delivered sent"},
		"SPF fails, a signature not": {func(a *mail.Authentication) {
			a.SPF.Result, a.DKIM = mail.AuthFail, []mail.DKIMResult{{Result: mail.AuthPass, Domain: "example.org"}}
		}, "complained delivered sent"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, nil)
			m := w.delivered(t, "bob@other.test")
			if err := arrive(w.World, "alice@podmail.test", complaint("abuse", m.MessageID, ""), found(c.found)); err != nil {
				t.Fatal(err)
			}
			if got := w.labels(t, m); got != c.labels {
				t.Errorf("labels: %s", got)
			}
			if got := len(w.suppressed(t)) > 0; got != strings.Contains(c.labels, "complained") {
				t.Errorf("suppressed: %v", got)
			}
			here, _, err := w.Server.ListMessages(context.Background(), w.alice, mail.MessageFilter{Include: mail.HiddenUnauthenticated}, mail.Page{Limit: 10})
			if err != nil || len(here) != 2 {
				t.Errorf("the complaint is not kept: %d messages, %v", len(here), err)
			}
			w.disbelieved(t, c.found, strings.Contains(c.labels, "complained"))
		})
	}
}

// disbelieved has two notifications of failure come: one that names a message by its Message-ID, which is believed or not,
// and one that comes to the path under which the message left, which is believed whatever else is known of it.
func (w *sending) disbelieved(t *testing.T, change func(*mail.Authentication), believed bool) {
	t.Helper()
	m := w.delivered(t, "carol@far.test")
	comes := func(to string) string {
		in := server.Incoming{Recipients: []string{to}, Session: server.Session{HELO: "mx.far.test", Protocol: "ESMTP"}, Authenticate: func() mail.Authentication { return *found(change) },
			Body: strings.NewReader(strings.ReplaceAll(failed("failed", "5.1.1", "550 gone", m.MessageID, "carol@far.test"), "\n", "\r\n"))}
		if err := w.Server.Deliver(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		return w.labels(t, m)
	}
	if got := comes("alice@podmail.test"); (got == "bounced sent") != believed {
		t.Errorf("a notification that names it: %s", got)
	}
	if got := comes(w.hosts.Seen()[1].ReversePath); got != "bounced sent" {
		t.Errorf("a notification that comes to its path: %s", got)
	}
}

// TestReportsByEnvelopeID: a sender's own name for a message is enough, to him.
func TestReportsByEnvelopeID(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	m := w.submit(t, mail.Handling{EnvelopeID: "order+1"}, "FAILURE", "bob@other.test")
	w.carry(t, "it is delivered", func() bool { return len(w.waiting(t)) == 0 })
	report := func(envelopeID string) string {
		return strings.Replace(failed("failed", "5.1.1", "550 gone", "<rewritten@other.test>", "bob@other.test"), "Reporting-MTA:", "Original-Envelope-Id: "+envelopeID+"\nReporting-MTA:", 1)
	}
	w.comes(t, "", "alice@podmail.test", report("order+2B2"))
	if got := w.labels(t, m); got != "delivered sent" {
		t.Error("another's report:", got)
	}
	w.comes(t, "", "alice@podmail.test", report("order+2B1"))
	if got := w.labels(t, m); got != "bounced sent" {
		t.Error("labels:", got)
	}
}

// TestLargeReports: what comes back whole, however large, is read where it lies.
func TestLargeReports(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	m := w.delivered(t, "bob@other.test")
	raw := failed("failed", "5.1.1", "550 gone", m.MessageID, "bob@other.test")
	raw = strings.Replace(raw, "text/rfc822-headers", "message/rfc822", 1)
	raw = strings.Replace(raw, "\n--b--", "\n"+strings.Repeat(strings.Repeat("x", 70)+"\n", 20_000)+"--b--", 1)
	raw = strings.Replace(raw, "It came back.\n", strings.Repeat("It came back.\n", 30_000), 1)
	w.comes(t, "", "alice@podmail.test", raw)
	if got := w.labels(t, m); got != "bounced sent" {
		t.Error("labels:", got)
	}
}
