package server_test

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// arrive has a message come in of which this was found out.
func arrive(w *servertest.World, to, raw string, a *mail.Authentication) error {
	return arriveFiltered(w, []string{to}, raw, a, "")
}

// arriveFiltered has a message come in of which rspamd says what to do; empty: it is not asked.
func arriveFiltered(w *servertest.World, to []string, raw string, a *mail.Authentication, action string) error {
	in := server.Incoming{ReversePath: "joe@example.org", Recipients: to, Session: server.Session{HELO: "mail.example.org", Protocol: "ESMTP"}, Body: message(raw)}
	if a != nil {
		in.Authenticate = func() mail.Authentication { return *a }
	}
	if action != "" {
		in.Filter = func() mail.FilterResult { return mail.FilterResult{Action: action} }
	}
	return w.Server.Deliver(context.Background(), in)
}

// message is a message's bytes.
func message(raw string) io.Reader { return strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n")) }

const hello = "From: joe@example.org\nTo: alice@podmail.test\nSubject: hello\nMessage-ID: <1@example.org>\n\nhello\n"

// found is what was found out about a message from example.org.
func found(change func(*mail.Authentication)) *mail.Authentication {
	a := &mail.Authentication{Remote: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.org", ReversePath: "joe@example.org",
		Reverse: mail.ReverseResult{Result: mail.AuthPass, Name: "mail.example.org"}, HELOSPF: mail.SPFResult{Result: mail.AuthNone},
		SPF: mail.SPFResult{Result: mail.AuthNone, Domain: "example.org"}, DKIM: []mail.DKIMResult{}, ARC: mail.ARCResult{Result: mail.AuthNone},
		DMARC: mail.DMARCResult{Result: mail.AuthNone, From: "example.org"}}
	change(a)
	return a
}

func fails(policy mail.DMARCPolicy) func(*mail.Authentication) {
	return func(a *mail.Authentication) {
		a.DMARC = mail.DMARCResult{Result: mail.AuthFail, From: "example.org", Domain: "example.org", Policy: policy, Percent: 100}
	}
}

func TestWhatItsDomainDisownsIsKeptOutOfTheInboxOrRefused(t *testing.T) {
	spfFail := func(a *mail.Authentication) { a.SPF.Result = mail.AuthFail }
	sealed := func(sealers ...string) func(*mail.Authentication) {
		return func(a *mail.Authentication) {
			fails(mail.PolicyReject)(a)
			a.ARC = mail.ARCResult{Result: mail.AuthPass, Sealers: sealers, Origin: "pass"}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*mail.Authentication)
		label   string      // where it is kept
		refused mail.Reason // if the operator wants that; empty: kept all the same
	}{
		{"nothing known", func(*mail.Authentication) {}, "received", ""},
		{"DMARC passes", func(a *mail.Authentication) { a.DMARC.Result = mail.AuthPass; a.SPF.Result = mail.AuthFail }, "received", ""},
		{"reject", fails(mail.PolicyReject), "unauthenticated", mail.ReasonUnauthenticatedMessage},
		{"quarantine", fails(mail.PolicyQuarantine), "unauthenticated", ""},
		{"none", fails(mail.PolicyNone), "received", ""},
		{"none, and SPF fails", func(a *mail.Authentication) { fails(mail.PolicyNone)(a); spfFail(a) }, "received", ""},
		{"sampled out of reject", func(a *mail.Authentication) { fails(mail.PolicyReject)(a); a.DMARC.Sampled = true }, "unauthenticated", ""},
		{"sampled out of quarantine", func(a *mail.Authentication) { fails(mail.PolicyQuarantine)(a); a.DMARC.Sampled = true }, "received", ""},
		{"DMARC unknown yet", func(a *mail.Authentication) { a.DMARC.Result = mail.AuthTempError }, "received", mail.ReasonAuthenticationFailed},
		{"there are two From fields", func(a *mail.Authentication) {
			a.DMARC = mail.DMARCResult{Result: mail.AuthPermError, Reason: "there are 2 From fields"}
			a.SPF.Result = mail.AuthPass
		}, "unauthenticated", mail.ReasonUnauthenticatedMessage},
		{"there is no From field", func(a *mail.Authentication) {
			a.DMARC = mail.DMARCResult{Result: mail.AuthPermError, Reason: "there is no From field"}
		}, "unauthenticated", mail.ReasonUnauthenticatedMessage},
		{"the policy cannot be read", func(a *mail.Authentication) { a.DMARC.Result = mail.AuthPermError }, "received", ""},
		{"SPF fails", spfFail, "unauthenticated", mail.ReasonSPFFailed},
		{"SPF fails softly", func(a *mail.Authentication) { a.SPF.Result = mail.AuthSoftFail }, "received", ""},
		{"SPF fails, a signature holds", func(a *mail.Authentication) {
			spfFail(a)
			a.DKIM = []mail.DKIMResult{{Result: mail.AuthPass, Domain: "mail.example.org"}}
		}, "received", ""},
		{"SPF fails, a stranger's signature holds", func(a *mail.Authentication) {
			spfFail(a)
			a.DKIM = []mail.DKIMResult{{Result: mail.AuthPass, Domain: "elsewhere.example"}}
		}, "unauthenticated", mail.ReasonSPFFailed},
		{"SPF fails, a signature does not hold", func(a *mail.Authentication) {
			spfFail(a)
			a.DKIM = []mail.DKIMResult{{Result: mail.AuthFail, Domain: "example.org"}}
		}, "unauthenticated", mail.ReasonSPFFailed},
		{"a trusted list vouches", sealed("lists.trusted.example"), "received", ""},
		{"another list vouches", sealed("lists.example"), "unauthenticated", mail.ReasonUnauthenticatedMessage},
		{"a trusted list after another", sealed("lists.example", "trusted.example"), "unauthenticated", mail.ReasonUnauthenticatedMessage},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, refuse := range []bool{false, true} {
				w := servertest.New(t, func(o *server.Options) {
					o.Intake = server.IntakeRules{RefuseUnauthenticated: refuse, TrustedSealers: []string{"trusted.example"}}
				})
				alice := w.Inbox(t, w.Pod(t, "a"), "alice")
				err := arrive(w, "alice@podmail.test", hello, found(c.change))
				if refuse && c.refused != "" {
					if e, ok := err.(*mail.Error); !ok || e.Reason != c.refused {
						t.Fatalf("it is answered with %v", err)
					}
					if _, _, err := w.Server.ExplainMessage(t.Context(), alice, "<1@example.org>"); mail.CodeOf(err) != mail.CodeNotFound {
						t.Errorf("and kept: %v", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				isKept(t, w, alice, c.label)
			}
		})
	}
}

// isKept checks all that follows from where a message was placed.
func isKept(t *testing.T, w *servertest.World, alice mail.Grant, label string) {
	t.Helper()
	m, in, err := w.Server.ExplainMessage(t.Context(), alice, "<1@example.org>")
	if err != nil || in.Placement != label || in.Reason == "" || in.Authentication == nil || in.Authentication.HELO != "mail.example.org" {
		t.Fatalf("%+v, %v, want %s", in, err, label)
	}
	aside := label != mail.LabelReceived
	if slices.Contains(m.Labels, label) != true || !slices.Contains(m.Labels, mail.LabelReceived) {
		t.Errorf("labels %v", m.Labels)
	}
	listed, _, err := w.Server.ListMessages(t.Context(), alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || (len(listed) == 0) != aside {
		t.Errorf("%s: the list shows %d, %v", label, len(listed), err)
	}
	all, _, err := w.Server.ListMessages(t.Context(), alice, mail.MessageFilter{Include: mail.HiddenUnauthenticated | mail.HiddenBlocked | mail.HiddenSpam}, mail.Page{Limit: 10})
	if err != nil || len(all) != 1 {
		t.Errorf("%s: with everything the list shows %d, %v", label, len(all), err)
	}
	name := "INBOX"
	if aside {
		name = "Spam"
	}
	if sel, err := w.Server.SelectMailbox(t.Context(), alice, name); err != nil || len(sel.UIDs) != 1 {
		t.Errorf("%s holds %d messages, %v", name, len(sel.UIDs), err)
	}
	_, c, err := w.Server.GetMessage(t.Context(), alice, "<1@example.org>")
	if err != nil || !strings.HasPrefix(c.Headers["Authentication-Results"], "mx.podmail.test;") {
		t.Errorf("Authentication-Results: %q, %v", c.Headers["Authentication-Results"], err)
	}
}

func TestListsGoBeforeAuthentication(t *testing.T) {
	w := servertest.New(t, func(o *server.Options) { o.Intake.RefuseUnauthenticated = true })
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	if _, err := w.Server.CreateListEntry(t.Context(), alice, server.List{Direction: mail.DirectionReceive, Type: mail.ListBlock}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	if err := arrive(w, "alice@podmail.test", hello, found(fails(mail.PolicyReject))); err != nil {
		t.Fatal(err)
	}
	isKept(t, w, alice, mail.LabelBlocked)
}

// onlyMessage reads the one message of an inbox.
func onlyMessage(t *testing.T, w *servertest.World, g mail.Grant) (raw string) {
	t.Helper()
	sel, err := w.Server.SelectMailbox(t.Context(), g, "INBOX")
	if err != nil || len(sel.UIDs) != 1 {
		t.Fatal(sel.UIDs, err)
	}
	err = w.Server.FetchMessages(t.Context(), g, sel.Mailbox.ID, []mail.UIDRange{{First: 1, Last: 1000}}, server.FetchWant{Raw: true}, func(f *server.FetchedMessage) error {
		b, err := io.ReadAll(io.NewSectionReader(f.Raw, 0, f.Size))
		raw = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestResultsInOurNameAreOurs(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	forged := "Authentication-Results: MX.podmail.test;\n dmarc=pass header.from=bank.example\nAuthentication-Results: mx.example.org; spf=pass\n" + hello
	if err := arrive(w, "alice@podmail.test", forged, found(func(*mail.Authentication) {})); err != nil {
		t.Fatal(err)
	}
	raw := onlyMessage(t, w, alice)
	if strings.Contains(raw, "bank.example") || strings.Count(raw, "Authentication-Results: mx.podmail.test") != 1 || !strings.Contains(raw, "Authentication-Results: mx.example.org; spf=pass\r\n") {
		t.Error(raw)
	}
}

func TestTheOperatorAsksByMessageIDAlone(t *testing.T) {
	w := servertest.New(t)
	alice, bob := w.Inbox(t, w.Pod(t, "a"), "alice"), w.Inbox(t, w.Pod(t, "b"), "bob")
	for to, a := range map[string]*mail.Authentication{"alice@podmail.test": found(fails(mail.PolicyReject)), "bob@podmail.test": nil} {
		if err := arrive(w, to, hello, a); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.Server.ExplainEverywhere(t.Context(), w.Org, "1@example.org")
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, x := range got {
		if aside := x.Message.InboxID == alice.InboxID; aside != (x.Intake.Placement == mail.LabelUnauthenticated) || aside != (x.Intake.Authentication != nil) {
			t.Errorf("%s: %+v", x.Message.InboxID, x.Intake)
		}
	}
	for _, g := range []mail.Grant{alice, bob} {
		if _, err := w.Server.ExplainEverywhere(t.Context(), g, "1@example.org"); mail.CodeOf(err) != mail.CodeNotFound {
			t.Errorf("an inbox's key: %v", err)
		}
	}
	if _, err := w.Server.ExplainEverywhere(t.Context(), w.Org, "2@example.org"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Error(err)
	}
}

func TestWhatAScannerFindsIsRefused(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	for verdict, code := range map[mail.ScanVerdict]mail.Code{mail.ScanInfected: mail.CodeForbidden, mail.ScanFailed: mail.CodeUnavailable, mail.ScanClean: "", mail.ScanTooLarge: ""} {
		id := "<" + string(verdict) + "@example.org>"
		err := w.Server.Deliver(t.Context(), server.Incoming{ReversePath: "joe@example.org", Recipients: []string{"alice@podmail.test"}, Session: server.Session{Protocol: "ESMTP"},
			Body: strings.NewReader("Message-ID: " + id + "\r\n\r\nhello\r\n"), Scan: func() mail.ScanResult { return mail.ScanResult{Verdict: verdict, Name: "Test"} }})
		if code != "" {
			if mail.CodeOf(err) != code {
				t.Errorf("%s: %v", verdict, err)
			}
			continue
		}
		_, in, explained := w.Server.ExplainMessage(t.Context(), alice, id)
		if err != nil || explained != nil || in.Scan == nil || in.Scan.Verdict != verdict {
			t.Errorf("%s: %v, %+v %v", verdict, err, in, explained)
		}
	}
}

func TestRspamdIsHeeded(t *testing.T) {
	w := servertest.New(t)
	alice := w.Inbox(t, w.Pod(t, "a"), "alice")
	deliver := func(id, action string) error {
		return w.Server.Deliver(t.Context(), server.Incoming{ReversePath: "joe@example.org", Recipients: []string{"alice@podmail.test"}, Session: server.Session{Protocol: "ESMTP"},
			Body:   strings.NewReader("From: joe@example.org\r\nMessage-ID: <" + id + "@example.org>\r\n\r\nhello\r\n"),
			Filter: func() mail.FilterResult { return mail.FilterResult{Action: action, Score: 7, Required: 15} }})
	}
	for i, c := range []struct {
		action    string
		code      mail.Code
		placement string
	}{{"no action", "", "received"}, {"add header", "", "spam"}, {"rewrite subject", "", "spam"}, {"", "", "received"}, {"reject", mail.CodeForbidden, ""}, {"soft reject", mail.CodeRateLimited, ""}} {
		id := string(rune('a' + i))
		err := deliver(id, c.action)
		if c.code != "" {
			if mail.CodeOf(err) != c.code {
				t.Errorf("%s: %v", c.action, err)
			}
			continue
		}
		_, in, explained := w.Server.ExplainMessage(t.Context(), alice, "<"+id+"@example.org>")
		if err != nil || explained != nil || in.Placement != c.placement || in.Filter == nil || in.Filter.Action != c.action {
			t.Errorf("%s: %v, %+v %v", c.action, err, in, explained)
		}
	}
	if _, err := w.Server.CreateListEntry(t.Context(), alice, server.List{Direction: mail.DirectionReceive, Type: mail.ListAllow}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	if err := deliver("allowed", "reject"); err != nil {
		t.Errorf("on an allow list: %v", err)
	}
}
