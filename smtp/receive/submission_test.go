package receive_test

import (
	"context"
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/receive"
)

func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestALoginComesBeforeAMessage (RFC 4954 4), which goes on.
func TestALoginComesBeforeAMessage(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	login := "AUTH PLAIN " + b64("\x00alice@podmail.test\x00"+d.key)
	p.ask(login, "235 ")
	p.ask("MAIL FROM:<alice@podmail.test>", "250 ")
	p.ask(login, "503 5.5.1 ")
	p.ask("RCPT TO:<bob@podmail.test>", "250 ")
	p.ask("RSET", "250 ")
	p.ask(login, "503 5.5.1 ") // nor twice
}

func TestSubmission(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	if caps := p.ask("EHLO laptop", "250-"); !strings.Contains(caps, "AUTH SCRAM-SHA-256 PLAIN LOGIN") {
		t.Errorf("no AUTH: %s", caps)
	}
	p.ask("MAIL FROM:<alice@podmail.test>", "530 5.7.0 ")
	p.ask("AUTH LOGIN", "334 ")
	p.ask(b64("alice@podmail.test"), "334 ")
	p.ask(b64(d.key), "235 ")
	p.ask("MAIL FROM:<bob@podmail.test>", "550 5.7.1 ")
	p.ask("MAIL FROM:<alice@podmail.test>", "250 ")
	p.ask("RCPT TO:<bob@podmail.test>", "250 ")
	p.ask("RCPT TO:<far@example.net>", "250 ")
	p.ask("DATA", "354 ")
	p.send("From: Bob <bob@podmail.test>\r\nSubject: forged\r\n\r\nx\r\n.\r\n")
	p.expect("550 5.7.1 ")
	p.ask("MAIL FROM:<alice@podmail.test>", "250 ")
	p.ask("RCPT TO:<bob@podmail.test>", "250 ")
	p.ask("RCPT TO:<far@example.net>", "250 ")
	p.ask("DATA", "354 ")
	p.send("From: Alice <alice@podmail.test>\r\nTo: bob@podmail.test\r\nBcc: far@example.net\r\nSubject: hello\r\n\r\nx\r\n.\r\n")
	p.expect("250 2.0.0 ")
	for i := 0; len(d.inbox(t, d.bob)) == 0 && i < 200; i++ {
		time.Sleep(10 * time.Millisecond)
	}
	d.has(t, d.bob, "hello")
	d.has(t, d.alice, "hello")
	got, _, err := d.Server.ListMessages(t.Context(), d.bob, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, c, err := d.Server.GetMessage(t.Context(), d.bob, got[0].MessageID)
	if err != nil || c.Headers["Bcc"] != "" || c.Headers["Date"] == "" || c.Headers["Message-ID"] != got[0].MessageID {
		t.Errorf("headers: %v %v", c.Headers, err)
	}
	queued, _, err := d.Server.ListDeliveries(t.Context(), d.alice, mail.Page{Limit: 10})
	if err != nil || len(queued) != 1 || queued[0].Recipient != "far@example.net" {
		t.Errorf("queue: %+v %v", queued, err)
	}
}

// TestASubmissionSaysOnceWhoseItIs has programs claim to be somebody else beside the inbox, now and for later.
func TestASubmissionSaysOnceWhoseItIs(t *testing.T) {
	d := open(t, receive.Options{})
	submit := func(parameters, header, answer string) {
		t.Helper()
		p := dial(t, d.submission) // anew: who makes many errors is hung up on
		defer p.Close()
		p.ask("EHLO laptop", "250-")
		p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
		p.ask("MAIL FROM:<alice@podmail.test>"+parameters, "250 ")
		p.ask("RCPT TO:<bob@podmail.test>", "250 ")
		p.ask("DATA", "354 ")
		p.send(header + "\r\n\r\nx\r\n.\r\n")
		if got := p.reply(); !strings.HasPrefix(got, answer) {
			t.Errorf("%.90q is answered with %q", header, got)
		}
	}
	const alice = "From: Alice <alice@podmail.test>\r\n"
	for _, c := range []struct{ header, answer string }{
		{alice + "From: CEO <ceo@bank.test>", "550 5.7.1 The From field must be alice@podmail.test."},
		{alice + "from : CEO <ceo@bank.test>", "550 5.7.1 "},
		{"FROM: ceo@bank.test\r\n" + alice + "Subject: x", "550 5.7.1 "},
		{alice + "Subject: x\r\nFrom: alice+work@podmail.test", "550 5.7.1 A message has one From field, and this has more (RFC 5322 3.6)."},
		{"From: <ceo@bank.test> <alice@podmail.test>", "550 5.7.1 "},
		{"From: ceo@bank.test, alice@podmail.test", "550 5.7.1 "},
		{"From: \"Ceo\" <ceo@bank.test> (<alice@podmail.test>)", "550 5.7.1 The From field must be alice@podmail.test."},
		{"From: ceo@bank.test <alice@podmail.test>", "550 5.7.1 "},
		{"From: ceo@bank.test alice@podmail.test", "550 5.7.1 "},
		{"From: alice@podmail.test@", "550 5.7.1 The From field must be alice@podmail.test, and this cannot be read to its end in one way only."},
		{"From: " + strings.Repeat("alice@podmail.test,\r\n ", 1000) + "ceo@bank.test", "550 5.7.1 "},
		{"From: alice:;", "554 "},
		{"Subject: none", "554 "},
		{alice + "Sender: \"x\" <ceo@bank.test> (<alice@podmail.test>)", "550 5.7.1 The Sender field must be alice@podmail.test."},
		{alice + "Sender: ceo@bank.test", "550 5.7.1 The Sender field must be alice@podmail.test."},
		{alice + "Sender: alice@podmail.test\r\nSender: alice@podmail.test", "550 5.7.1 A message has one Sender field"},
		{alice + "Reply-To: alice@podmail.test\r\nReply-To: eve@else.test", "550 5.7.1 A message has one Reply-To field"},
		{alice + "Subject: one\r\nsubject: two", "550 5.7.1 A message has one subject field"},
		{alice + "To: bob@podmail.test\r\nTo: carol@podmail.test", "550 5.7.1 "},
		{alice + "Cc: bob@podmail.test\r\nCc: carol@podmail.test", "550 5.7.1 "},
		{alice + "Date: Fri, 2 Jan 2026 03:04:05 +0000\r\nDate: Fri, 2 Jan 2026 03:04:05 +0000", "550 5.7.1 "},
		{alice + "Message-ID: <1@a.test>\r\nMessage-ID: <2@a.test>", "550 5.7.1 "},
		{alice + strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 291) + "From: ceo@bank.test", "552 5.3.4 "},
	} {
		submit("", c.header, c.answer)
		submit(" HOLDFOR=60", c.header, c.answer)
	}
	submit("", "From: \"ceo@bank.test\" <Alice(c)@podmail . test.>\r\nSubject: odd", "250 ")
	submit("", alice+"Sender: alice@podmail.test\r\nBcc: a@x.test\r\nBcc: b@x.test\r\nX-From: ceo@bank.test\r\nSubject: good", "250 ")
	d.comesTo(t, d.bob, "good", "odd")
}

func TestWhatASenderAsksForIsKept(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	p = p.startTLS()
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
	p.ask("MAIL FROM:<alice@podmail.test> RET=hdrs ENVID=QQ+2B314159 REQUIRETLS", "250 ")
	p.ask("RCPT TO:<far@example.net> notify=success,Delay ORCPT=rfc822;Far+2Baway@example.org", "250 ")
	p.ask("RCPT TO:<near@example.net>", "250 ")
	p.ask("RCPT TO:<FAR@example.net> NOTIFY=NEVER", "250 ") // once, as it was asked for first
	p.ask("DATA", "354 ")
	p.send("From: alice@podmail.test\r\nSubject: asked\r\n\r\nx\r\n.\r\n")
	p.expect("250 2.0.0 ")
	queued, _, err := d.Server.ListDeliveries(t.Context(), d.alice, mail.Page{Limit: 10, Ascending: true})
	if err != nil || len(queued) != 2 {
		t.Fatal(queued, err)
	}
	handling := mail.Handling{EnvelopeID: "QQ+314159", Return: "HDRS", RequireTLS: true}
	if got, want := queued[0].Reporting, (mail.Reporting{Notify: "SUCCESS,DELAY", OriginalRecipient: "rfc822;Far+away@example.org"}); got != want || queued[0].Handling != handling {
		t.Errorf("%+v %+v", got, queued[0].Handling)
	}
	if queued[1].Reporting != (mail.Reporting{Notify: "FAILURE,DELAY"}) || queued[1].Handling != handling {
		t.Errorf("%+v", queued[1])
	}
}

// TestMailIsHeldUntilItsTime: it is a scheduled draft meanwhile, and leaves with the envelope it came with.
func TestMailIsHeldUntilItsTime(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	if caps := p.ask("EHLO laptop", "250-"); !strings.Contains(caps, "FUTURERELEASE 31622400 2027-01-03T") {
		t.Errorf("EHLO: %s", caps)
	}
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
	for _, bad := range []string{"HOLDFOR=x", "HOLDFOR=31622401", "HOLDUNTIL=tomorrow", "HOLDUNTIL=2028-01-01T00:00:00Z", "HOLDFOR=60 HOLDUNTIL=2026-02-01T00:00:00Z"} {
		p.ask("MAIL FROM:<alice@podmail.test> "+bad, "501 5.5.4 ")
	}
	for subject, parameter := range map[string]string{"for": "HOLDFOR=3600", "until": "HOLDUNTIL=2026-01-02T04:04:05Z", "never": "HOLDFOR=3600", "now": "HOLDFOR=0"} {
		p.ask("MAIL FROM:<alice@podmail.test> "+parameter, "250 ")
		p.ask("RCPT TO:<bob@podmail.test> NOTIFY=FAILURE", "250 ")
		p.ask("RCPT TO:<far@example.net> NOTIFY=NEVER", "250 ")
		p.ask("DATA", "354 ")
		p.send("From: alice@podmail.test\r\nTo: somebody-else@example.net\r\nSubject: " + subject + "\r\nX-Odd:   as it   came\r\n\r\nx\r\n.\r\n")
		p.expect("250 2.0.0 ")
	}
	d.comesTo(t, d.bob, "now")
	drafts, _, err := d.Server.ListDrafts(t.Context(), d.alice, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(drafts) != 3 || drafts[0].SendStatus != mail.SendScheduled || drafts[0].SendAt.Before(d.Clock.Now().Add(50*time.Minute)) {
		t.Fatalf("%+v %v", drafts, err)
	}
	for _, draft := range drafts {
		if draft.Message.Envelope.Subject == "never" {
			if err := d.Server.DeleteDraft(t.Context(), d.alice, draft.DraftID); err != nil {
				t.Fatal(err)
			}
		}
	}
	d.Clock.Step(61 * time.Minute)
	d.comesTo(t, d.bob, "now", "for", "until")
	if odd := d.header(t, d.bob, "X-Odd"); odd != "as it   came" {
		t.Errorf("the message was written anew: %q", odd)
	}
	queued, _, err := d.Server.ListDeliveries(t.Context(), d.alice, mail.Page{Limit: 10})
	if err != nil || len(queued) != 3 || queued[0].Recipient != "far@example.net" || queued[0].Notify != "NEVER" {
		t.Errorf("queue: %+v %v", queued, err)
	}
}

// comesTo waits until an inbox has these subjects, in any order.
func (d *door) comesTo(t *testing.T, g mail.Grant, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	for range 1000 {
		if got = d.inbox(t, g); len(got) >= len(want) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the inbox has %q, want %q", got, want)
	}
}

// TestAnInboxNamedTwiceGetsMailOnce names it as it is, in other letters and with details.
func TestAnInboxNamedTwiceGetsMailOnce(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
	p.ask("MAIL FROM:<alice@podmail.test>", "250 ")
	for _, to := range []string{"bob@podmail.test", "Bob@Podmail.test", "bob+a@podmail.test", "bob+b@podmail.test", "postmaster@podmail.test", "abuse@podmail.test"} {
		p.ask("RCPT TO:<"+to+">", "250 ")
	}
	p.ask("DATA", "354 ")
	p.send("From: alice@podmail.test\r\nSubject: once\r\n\r\nx\r\n.\r\n")
	p.expect("250 2.0.0 ")
	mx := dial(t, d.mx)
	mx.to("bob@podmail.test")
	for _, to := range []string{"BOB@podmail.test", "bob+a@podmail.test", "bob@podmail.test"} {
		mx.ask("RCPT TO:<"+to+">", "250 ")
	}
	mx.ask("DATA", "354 ")
	mx.send("Subject: twice\r\n\r\nx\r\n.\r\n")
	mx.expect("250 2.0.0 ")
	d.comesTo(t, d.bob, "once", "twice")
	operator, err := d.Server.InInbox(t.Context(), d.Org, "postmaster@podmail.test")
	if err != nil {
		t.Fatal(err)
	}
	d.comesTo(t, operator, "once")
}

func TestLoginsThatAreRefused(t *testing.T) {
	d := open(t, receive.Options{})
	_, readOnly, err := d.Server.CreateAPIKey(context.Background(), d.alice, server.NewAPIKey{Permissions: mail.Permissions{mail.MessageRead: true}})
	if err != nil {
		t.Fatal(err)
	}
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH PLAIN "+b64("\x00bob@podmail.test\x00"+d.key), "535 5.7.8 ") // a key of another inbox
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+readOnly), "535 5.7.8 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00wrong"), "421 4.7.0 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after too many failed logins: %s", got)
	}
}

func TestShutdownLetsABodyFinish(t *testing.T) {
	d := open(t, receive.Options{})
	idle, busy := dial(t, d.mx), dial(t, d.mx)
	busy.to("alice@podmail.test")
	busy.ask("DATA", "354 ")
	busy.send("Subject: last\r\n\r\n")
	time.Sleep(50 * time.Millisecond)
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		done <- d.smtp.Shutdown(ctx)
	}()
	idle.expect("421 4.3.2 ")
	busy.send("hello\r\n.\r\n")
	busy.expect("250 2.0.0 ")
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.has(t, d.alice, "last")
}
