package receive_test

import (
	"context"
	"encoding/base64"
	"net"
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

func TestSubmission(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	if caps := p.ask("EHLO laptop", "250-"); !strings.Contains(caps, "AUTH PLAIN LOGIN") {
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
