package server_test

import (
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// TestRolesRefuseNobody: whoever is refused everywhere else can say so to postmaster and abuse, and to nobody beside them.
func TestRolesRefuseNobody(t *testing.T) {
	const postmaster = "postmaster@podmail.test"
	for name, c := range map[string]struct {
		found  func(*mail.Authentication)
		filter string // what rspamd asks for
		label  string // for postmaster
	}{
		"on a DNS block list": {func(a *mail.Authentication) { a.BlockLists = []mail.ListedAt{{Zone: "dnsbl.test"}} }, "", "spam"},
		"DMARC fails":         {fails(mail.PolicyReject), "", "unauthenticated"},
		"DMARC unknown yet":   {func(a *mail.Authentication) { a.DMARC.Result = mail.AuthTempError }, "", "received"},
		"SPF fails":           {func(a *mail.Authentication) { a.SPF.Result = mail.AuthFail }, "", "unauthenticated"},
		"a stranger":          {func(*mail.Authentication) {}, "", "received"},
		"rspamd rejects":      {func(*mail.Authentication) {}, "reject", "spam"},
		"rspamd puts it off":  {func(*mail.Authentication) {}, "soft reject", "received"},
	} {
		t.Run(name, func(t *testing.T) {
			w := servertest.New(t, func(o *server.Options) {
				o.Intake.RefuseUnauthenticated, o.Intake.Greylist = true, name == "a stranger"
			})
			pod := w.Pod(t, "a")
			w.Verified(t, pod, server.NewDomain{Name: "acme.example"})
			w.Inbox(t, pod, "alice")
			if _, err := w.Server.CreateInbox(t.Context(), pod, server.NewInbox{Username: "abuse", Domain: "acme.example"}); err != nil {
				t.Fatal(err)
			}
			bring := func(to ...string) error { return arriveFiltered(w, to, hello, found(c.found), c.filter) }
			for _, to := range [][]string{{"alice@podmail.test"}, {postmaster, "alice@podmail.test"}, {"alice@podmail.test", "Abuse@acme.example"}} {
				if err := bring(to...); err == nil {
					t.Errorf("%v is let in", to)
				}
			}
			for _, to := range [][]string{{"Postmaster"}, {postmaster}, {"abuse+1@acme.example", postmaster}, {"abuse@mx.podmail.test"}} {
				if err := bring(to...); err != nil {
					t.Errorf("%v: %v", to, err)
				}
			}
			got, err := w.Server.ExplainEverywhere(t.Context(), w.Org, "1@example.org")
			if err != nil || len(got) != 2 { // the same message came to either inbox
				t.Fatalf("%d messages, %v", len(got), err)
			}
			for _, x := range got {
				if x.Intake.Placement != c.label || x.Intake.Reason == "" {
					t.Errorf("%s: %s, %s", x.Message.InboxID, x.Intake.Placement, x.Intake.Reason)
				}
			}
		})
	}
	w := servertest.New(t)
	err := w.Server.Deliver(t.Context(), server.Incoming{ReversePath: "joe@example.org", Recipients: []string{postmaster}, Session: server.Session{Protocol: "ESMTP"},
		Body: message(hello), Scan: func() mail.ScanResult { return mail.ScanResult{Verdict: mail.ScanInfected, Name: "Test"} }})
	if mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("a virus: %v", err)
	}
}
