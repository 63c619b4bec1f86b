package server_test

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
)

// TestBouncesOfForwardsGoHome: what comes back to the address of a forward goes to the original sender; nothing else does.
func TestBouncesOfForwardsGoHome(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	received := w.receiving(t, refusing)
	w.forwards(t, w.alice, true, "ann@other.test")
	if err := w.arrives("Sue+x@far.test", spfPass, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	path := received()[0].ReversePath
	bounce := "From: mailer-daemon@other.test\r\nTo: " + path + "\r\nSubject: It came back\r\n\r\n" + strings.Repeat("No such user.\r\n", 40_000)
	err := w.Server.Deliver(ctx, server.Incoming{Recipients: []string{path}, Session: server.Session{Protocol: "ESMTP"}, Body: strings.NewReader(bounce)})
	if err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	got := received()[1]
	if got.ReversePath != "" || got.Recipients[0].Address != "Sue+x@far.test" || got.Recipients[0].Notify != "NEVER" || !strings.HasPrefix(got.raw, "Received: ") || !strings.HasSuffix(got.raw, bounce) || len(got.Keys)+len(got.raw)-len(bounce) > 500 {
		t.Errorf("what goes home: %+v %.500s", got.Transfer, got.raw)
	}
	if has := w.has(t, w.alice); has != "received unread" {
		t.Errorf("alice has %q", has)
	}
	for what, c := range map[string]struct {
		from, to string
		code     mail.Code
	}{
		"spam":           {"spammer@evil.test", path, mail.CodeForbidden},
		"a wrong hash":   {"", strings.Replace(path, "=far.test=", "=victim.test=", 1), mail.CodeNotFound},
		"another domain": {"", strings.Replace(path, "@podmail.test", "@elsewhere.test", 1), mail.CodeForbidden},
		"no hash":        {"", "SRS0=x=y=far.test=sue@podmail.test", mail.CodeNotFound},
	} {
		if _, err := w.Server.Recipient(ctx, c.from, c.to); mail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.Clock.Step(23 * 24 * time.Hour)
	if _, err := w.Server.Recipient(ctx, "", path); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("too old: %v", err)
	}
}

// TestWhatForwardersTell: of a forward that fails its sender is told who is known to be one, and of success whoever asked,
// in the words of RFC 3461.
func TestWhatForwardersTell(t *testing.T) {
	unknown := &mail.Authentication{SPF: mail.SPFResult{Result: mail.AuthNone}}
	for name, c := range map[string]struct {
		from     string
		a        *mail.Authentication
		keepCopy bool
		to       []string
		notify   string
		handedOn string // NOTIFY of the forward
		want     string
	}{
		"failure":                  {"sue@far.test", spfPass, true, []string{"nobody@other.test"}, "", "", "failed"},
		"failure, never":           {"sue@far.test", spfPass, true, []string{"nobody@other.test"}, "NEVER", "NEVER", ""},
		"failure, of nobody":       {"", spfPass, true, []string{"nobody@other.test"}, "", "", ""},
		"failure, of who knows":    {"sue@far.test", unknown, true, []string{"nobody@other.test"}, "", "", ""},
		"copied":                   {"sue@far.test", spfPass, true, []string{"ann@other.test"}, "SUCCESS,FAILURE", "FAILURE", "expanded"},
		"copied, success only":     {"sue@far.test", spfPass, true, []string{"ann@other.test"}, "SUCCESS", "NEVER", "expanded"},
		"to several":               {"sue@far.test", spfPass, false, []string{"ann@other.test", "bea@other.test"}, "SUCCESS", "NEVER", "expanded"},
		"redirected":               {"sue@far.test", spfPass, false, []string{"ann@other.test"}, "SUCCESS", "SUCCESS", "relayed"},
		"redirected, DSN":          {"sue@far.test", spfPass, false, []string{"ann@dsn.test"}, "SUCCESS", "SUCCESS", ""},
		"redirected here":          {"sue@far.test", spfPass, false, []string{"carol@podmail.test"}, "SUCCESS", "", "delivered"},
		"redirected, and fails":    {"sue@far.test", spfPass, false, []string{"nobody@other.test"}, "SUCCESS,FAILURE", "SUCCESS,FAILURE", "failed"},
		"copied, and fails":        {"sue@far.test", spfPass, true, []string{"nobody@other.test"}, "SUCCESS,FAILURE", "FAILURE", "expanded failed"},
		"redirected, asks nothing": {"sue@far.test", spfPass, false, []string{"ann@other.test"}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, nil)
			received := w.receiving(t, refusing)
			w.Inbox(t, w.Pod(t, "b"), "carol")
			w.forwards(t, w.alice, c.keepCopy, c.to...)
			if err := w.arrives(c.from, c.a, mail.Handling{EnvelopeID: "e1"}, map[string]mail.Reporting{"alice@podmail.test": {Notify: c.notify}}); err != nil {
				t.Fatal(err)
			}
			w.settled(t)
			var told []string
			for _, tr := range received() {
				if tr.ReversePath == "" && tr.Recipients[0].Address == "sue@far.test" {
					r := reportIn(t, tr.raw)
					if to := r.Recipients[0]; r.EnvelopeID != "e1" || (to.Action == "failed" || to.Action == "relayed") && to.Original != "alice@podmail.test" {
						t.Errorf("%+v", r)
					}
					told = append(told, string(r.Recipients[0].Action))
				} else if tr.Recipients[0].Notify != c.handedOn {
					t.Errorf("asked for beyond: %q, want %q", tr.Recipients[0].Notify, c.handedOn)
				}
			}
			slices.Sort(told)
			if got := strings.Join(told, " "); got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// TestNoticesOfForwardsAreNotForwarded: what tells an inbox of a forward that failed stays there.
func TestNoticesOfForwardsAreNotForwarded(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, refusing)
	bob := w.Inbox(t, w.Pod(t, "b"), "bob")
	w.forwards(t, bob, true, "nobody@other.test")
	w.forwards(t, w.alice, false, "ann@elsewhere.test")
	w.submit(t, mail.Handling{}, "", "bob@podmail.test")
	w.carry(t, "alice is told", func() bool { return strings.Contains(w.has(t, w.alice), "received") })
	w.settled(t)
	if reports, _ := w.notices(t); len(reports) != 1 || reports[0].Recipients[0].Final != "nobody@other.test" || reports[0].Recipients[0].Original != "orig-bob@podmail.test" {
		t.Errorf("alice is told %+v", reports)
	}
	if in := w.intake(t, w.alice); !strings.Contains(in.Forwarding, "It is not handed on") {
		t.Errorf("what she is told of that: %+v", in)
	}
	for _, tr := range w.hosts.Seen() {
		if tr.Destination == "elsewhere.test" {
			t.Errorf("handed on: %+v", tr)
		}
	}
}

// TestWhatComesBackAtOnceIsKept: a host that brings a message back before its 250 is noted finds the one in Trash, which is
// about to go; what it brings is kept.
func TestWhatComesBackAtOnceIsKept(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	from := server.Session{Remote: netip.MustParseAddrPort("192.0.2.1:25"), Protocol: "ESMTP"}
	w.receiving(t, func(tr mail.Transfer) []mail.TransferResult {
		raw := io.MultiReader(strings.NewReader("Received: from mx.podmail.test by mx.other.test with ESMTP id 1; Mon, 2 Mar 2026 10:00:00 +0000\r\n"), io.NewSectionReader(tr.Message, 0, tr.Size))
		if err := w.Server.Deliver(context.Background(), server.Incoming{Session: from, ReversePath: "ann@other.test", Recipients: []string{"alice@podmail.test"}, Body: raw}); err != nil {
			t.Error(err)
		}
		return refusing(tr)
	})
	w.forwards(t, w.alice, false, "ann@other.test")
	if err := w.arrives("sue@far.test", spfPass, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	if has := w.has(t, w.alice); has != "received unread" {
		t.Errorf("she has %q", has)
	}
}
