package receive_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/receive"
)

func TestMailComesInForExistingInboxesOnly(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	caps := p.ask("EHLO mail.example.org", "250-")
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "SIZE 62914560"} {
		if !strings.Contains(caps, want) {
			t.Errorf("EHLO offers no %s: %s", want, caps)
		}
	}
	if strings.Contains(caps, "AUTH") {
		t.Errorf("the MX offers AUTH: %s", caps)
	}
	p.ask("MAIL FROM:<>", "250 ")
	p.ask("RCPT TO:<nobody@podmail.test>", "550 5.1.1 ")
	p.ask("RCPT TO:<someone@elsewhere.example>", "550 5.7.1 ")
	p.ask("RCPT TO:<Alice+tag@PODMAIL.test>", "250 ")
	p.ask("RCPT TO:<bob@podmail.test>", "250 ")
	p.ask("RCPT TO:<alice@podmail.test>", "250 ")
	p.ask("DATA", "354 ")
	p.send("Subject: one\r\n\r\n..dot\r\n.\r\n")
	p.expect("250 2.0.0 OK: queued as ")
	p.ask("QUIT", "221 ")
	d.has(t, d.alice, "one")
	d.has(t, d.bob, "one")
	messages, _, err := d.Server.ListMessages(t.Context(), d.alice, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	m, c, err := d.Server.GetMessage(t.Context(), d.alice, messages[0].MessageID)
	if err != nil || c.Text != ".dot\n" || c.Headers["Return-Path"] != "<>" || !strings.Contains(c.Headers["Received"], "from mail.example.org ([127.0.0.1])") {
		t.Errorf("%+v %+v %v", m, c, err)
	}
}

func TestBareLineBreaksAreRefused(t *testing.T) {
	bodies := map[string]string{
		"LF":               "Subject: x\r\n\r\nhello\nworld\r\n.\r\n",
		"CR":               "Subject: x\r\n\r\nhello\rworld\r\n.\r\n",
		"LF dot CRLF":      "Subject: x\r\n\r\nhello\n.\r\nMAIL FROM:<evil@example.org>\r\n.\r\n",
		"LF dot LF":        "Subject: x\r\n\r\nhello\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n",
		"CR dot CR":        "Subject: x\r\n\r\nhello\r.\rMAIL FROM:<evil@example.org>\r\n.\r\n",
		"CRLF dot LF":      "Subject: x\r\n\r\nhello\r\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n",
		"CRLF dot CR":      "Subject: x\r\n\r\nhello\r\n.\rMAIL FROM:<evil@example.org>\r\n.\r\n",
		"CRCRLF":           "Subject: x\r\n\r\nhello\r\r\nworld\r\n.\r\n",
		"at a read border": "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("a", 62)+"\r\n", 64) + "\n.\r\n.\r\n",
	}
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			d := open(t, receive.Options{})
			p := dial(t, d.mx)
			p.to("alice@podmail.test")
			p.ask("DATA", "354 ")
			p.send(b)
			p.expect("550 5.6.11 ")
			p.ask("NOOP", "250 ") // nothing of the body was taken for a command
			d.has(t, d.alice)
			p.ask("MAIL FROM:<s@example.org>", "250 ")
			p.ask("RCPT TO:<alice@podmail.test>", "250 ")
			p.ask("DATA", "354 ")
			p.send("Subject: clean\r\n\r\nhello\r\n.\r\n")
			p.expect("250 ")
			d.has(t, d.alice, "clean")
		})
	}
}

// TestATimeOutWithinABodyEndsTheConnection is the trap of go-smtp in which the rest of the body becomes commands.
func TestATimeOutWithinABodyEndsTheConnection(t *testing.T) {
	d := open(t, receive.Options{StallTime: 200 * time.Millisecond})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send("Subject: first\r\n\r\nhello\r\n")
	time.Sleep(500 * time.Millisecond)
	p.send("MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@podmail.test>\r\nDATA\r\nSubject: hidden\r\n\r\nx\r\n.\r\n")
	for got := p.reply(); got != "<closed>"; got = p.reply() {
		if strings.HasPrefix(got, "2") || strings.HasPrefix(got, "354") {
			t.Fatalf("a command was taken from the body: %s", got)
		}
	}
	d.has(t, d.alice)
	d.has(t, d.bob)
}

func TestACutOffChunkIsNotAccepted(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.send("BDAT 1000 LAST\r\nSubject: half\r\n\r\nhello\r\n")
	p.Conn.(interface{ CloseWrite() error }).CloseWrite()
	for got := p.reply(); got != "<closed>"; got = p.reply() {
		if strings.HasPrefix(got, "250") {
			t.Fatalf("accepted: %s", got)
		}
	}
	d.has(t, d.alice)
}

func TestChunks(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	first, second := "Subject: chunks\r\n\r\nhel", "lo\r\n"
	p.send(fmt.Sprintf("BDAT %d\r\n%s", len(first), first))
	p.expect("250 ")
	p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(second), second))
	p.expect("250 2.0.0 ")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<alice@podmail.test>", "250 ")
	bad := "Subject: bad\r\n\r\nhel\nlo\r\n"
	p.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(bad), bad))
	p.expect("550 5.6.11 ")
	p.ask("NOOP", "250 ")
	d.has(t, d.alice, "chunks")
}

func TestOneMessageAtATime(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("MAIL FROM:<other@example.org>", "503 5.5.1 ")
	p.ask("RSET", "250 ")
	p.ask("MAIL FROM:<other@example.org>", "250 ")
}

func TestSizeIsEnforced(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p.ask("MAIL FROM:<s@example.org> SIZE=70000000", "552 5.3.4 ")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<alice@podmail.test>", "250 ")
	p.ask("DATA", "354 ")
	p.send("Subject: big\r\n\r\n")
	line := strings.Repeat("x", 998) + "\r\n"
	go func() {
		io.Copy(p.Conn, strings.NewReader(strings.Repeat(line, 61<<20/len(line))+".\r\n"))
	}()
	p.expect("552 5.3.4 ")
	d.has(t, d.alice)
}

func TestLongLinesComeThrough(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	long := strings.Repeat("x", 100_000)
	p.send("Subject: long\r\n\r\n" + long + "\r\n.\r\n")
	p.expect("250 ")
	messages, _, err := d.Server.ListMessages(t.Context(), d.alice, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	_, c, err := d.Server.GetMessage(t.Context(), d.alice, messages[0].MessageID)
	if err != nil || c.Text != long+"\n" {
		t.Errorf("%d characters came through: %v", len(c.Text), err)
	}
	p.ask("NOOP "+strings.Repeat("y", 20_000), "") // a command of this length ends the session
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after an endless command: %s", got)
	}
}

func TestLimits(t *testing.T) {
	d := open(t, receive.Options{MaxConnections: 2, MaxRecipients: 2, MaxErrors: 3})
	p := dial(t, d.mx)
	dial(t, d.mx)
	c := &bytes.Buffer{}
	third := dialRaw(t, d.mx)
	io.Copy(c, third)
	if !strings.HasPrefix(c.String(), "421 4.3.2 ") {
		t.Errorf("the third connection got %q", c)
	}
	p.to("alice@podmail.test")
	p.ask("RCPT TO:<bob@podmail.test>", "250 ")
	p.ask("RCPT TO:<alice+2@podmail.test>", "452 4.5.3 ")
	p.ask("RSET", "250 ")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	for range 3 {
		p.ask("RCPT TO:<nobody@podmail.test>", "550 5.1.1 ")
	}
	p.ask("RCPT TO:<nobody@podmail.test>", "421 4.7.0 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after too many errors: %s", got)
	}
}
