package receive_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/receive"
)

func TestMailComesInForExistingInboxesOnly(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	caps := p.ask("EHLO mail.example.org", "250-")
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN", "SMTPUTF8", "SIZE 62914560", "LIMITS RCPTMAX=1000"} {
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

// TestNobodyIsToldOfOtherRecipients: Received names the recipient if there is one only (RFC 5321 7.6).
func TestNobodyIsToldOfOtherRecipients(t *testing.T) {
	d := open(t, receive.Options{})
	for _, c := range []struct {
		subject string
		to      []string
		named   string
	}{
		{"one", []string{"alice+tag@podmail.test"}, "for <alice+tag@podmail.test>;"},
		{"two", []string{"alice@podmail.test", "bob@podmail.test"}, ""},
	} {
		p := dial(t, d.mx)
		p.ask("EHLO mail.example.org", "250-")
		p.ask(`MAIL FROM:<"a b"@example.org>`, "250 ")
		for _, to := range c.to {
			p.ask("RCPT TO:<"+to+">", "250 ")
		}
		p.ask("DATA", "354 ")
		p.send("Message-ID: <" + c.subject + "@x>\r\nFrom: joe@example.org\r\n\r\nHi.\r\n.\r\n")
		p.expect("250 ")
		_, m, err := d.Server.GetMessage(t.Context(), d.alice, "<"+c.subject+"@x>")
		if err != nil {
			t.Fatal(err)
		}
		received := m.Headers["Received"]
		if strings.Contains(received, "for <") != (c.named != "") || !strings.Contains(received, c.named) || strings.Contains(received, "bob") {
			t.Errorf("%s: %s", c.subject, received)
		}
		if path := m.Headers["Return-Path"]; path != `<"a b"@example.org>` {
			t.Errorf("%s: the return path is %s", c.subject, path)
		}
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

func TestChunksThatAreNotTaken(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p.send("BDAT 6 LAST\r\nQUIT\r\n") // no recipient: the chunk is skipped, not obeyed
	p.expect("503 5.5.1 ")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<alice@podmail.test>", "250 ")
	p.send("BDAT 6\r\nhel\nlo" + "BDAT 6\r\nQUIT\r\n" + "BDAT 3 LAST\r\nx\r\n") // all at once, as PIPELINING allows
	p.expect("550 5.6.11 ")
	p.expect("503 5.5.1 ")
	p.expect("503 5.5.1 ")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<alice@podmail.test>", "250 ")
	p.send("BDAT 5\r\nhello")
	p.expect("250 ")
	p.ask("NOOP", "250 ")
	p.ask("DATA", "503 5.5.1 ")
	p.ask("RCPT TO:<bob@podmail.test>", "503 5.5.1 ")
	p.ask("RSET", "250 ")
	p.send("BDAT 0 LAST\r\n")
	p.expect("503 5.5.1 ")
	p.ask("BDAT x", "501 5.5.4 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after a chunk of unknown size: %s", got)
	}
	d.has(t, d.alice)
	d.has(t, d.bob)
}

func TestCommandsMayComeTogether(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.send("EHLO mail.example.org\r\nMAIL FROM:<s@example.org> BODY=8BITMIME SIZE=40\r\nRCPT TO:<nobody@podmail.test>\r\nRCPT TO:<alice@podmail.test>\r\nDATA\r\n")
	for _, want := range []string{"250-", "250 2.1.0", "550 5.1.1", "250 2.1.5", "354"} {
		p.expect(want)
	}
	p.send("Subject: piped\r\n\r\nhello\r\n.\r\nMAIL FROM:<s@example.org>\r\nRSET\r\nQUIT\r\n")
	for _, want := range []string{"250 2.0.0 OK: queued as ", "250 2.1.0", "250 2.0.0", "221 "} {
		p.expect(want)
	}
	d.has(t, d.alice, "piped")
}

func TestCommandsThatAreRefused(t *testing.T) {
	d := open(t, receive.Options{MaxErrors: 100})
	p := dial(t, d.mx)
	p.ask("MAIL FROM:<s@example.org>", "503 5.5.1 ")
	p.ask("EHLO", "501 5.5.4 ")
	p.ask("EHLO a b", "501 5.5.4 ")
	p.ask("HELO mail.example.org", "250 mx.podmail.test")
	p.ask("MAIL FROM:<s@example.org> SIZE=1", "555 5.5.4 ")
	p.ask("EHLO [192.0.2.1]", "250-")
	for line, want := range map[string]string{
		"NONSENSE": "500 5.5.1 ", "": "500 5.5.2 ", "EXPN list": "502 5.5.1 ", "VRFY alice": "252 2.5.2 ", "HELP": "214 ", "AUTH PLAIN": "502 5.5.1 ", "STARTTLS": "502 5.5.1 ",
		"MAIL TO:<s@example.org>": "501 5.5.4 ", "MAIL FROM:<s>": "501 5.1.7 ",
		"MAIL FROM:<s@example.org> BODY=BINARYMIME": "504 5.5.4 ", "MAIL FROM:<s@example.org> BODY=X": "501 5.5.4 ", "MAIL FROM:<s@example.org> X=Y": "555 5.5.4 ",
		"MAIL FROM:<s@example.org> REQUIRETLS": "555 5.5.4 ", "MAIL FROM:<s@example.org> HOLDFOR=60": "555 5.5.4 ", "MAIL FROM:<s@example.org> SIZE=x": "501 5.5.4 ",
		"MAIL FROM:<s@example.org> RET=SOME": "501 5.5.4 ", "MAIL FROM:<s@example.org> ENVID=+0": "501 5.5.4 ", "MAIL FROM:<jürgen@example.org>": "553 5.6.7 ",
		"MAIL FROM:<s@example.org> SIZE=1 SIZE=1": "501 5.1.7 ",
	} {
		p.ask(line, want)
	}
	p.ask("MAIL FROM:<jürgen@example.org> SMTPUTF8", "250 ")
	for line, want := range map[string]string{
		"RCPT FROM:<alice@podmail.test>": "501 5.5.4 ", "RCPT TO:<>": "501 5.1.3 ", "RCPT TO:<alice@podmail.test> NOTIFY=SOMETIMES": "501 5.5.4 ",
		"RCPT TO:<alice@podmail.test> NOTIFY=NEVER,DELAY": "501 5.5.4 ", "RCPT TO:<alice@podmail.test> ORCPT=x": "501 5.5.4 ", "RCPT TO:<alice@podmail.test> X=Y": "555 5.5.4 ",
		"RCPT TO:<alice@podmail.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@example.org": "250 ", "DATA now": "501 5.5.4 ",
	} {
		p.ask(line, want)
	}
}

func TestCommandsEndInCRLF(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.send("EHLO mail.example.org\n")
	p.expect("500 5.5.2 ")
	p.ask("EHLO mail.example.org", "250-")
}

func TestNoSessionIsSpentOnNothing(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	for range 200 {
		p.ask("NOOP", "250 ")
	}
	p.ask("NOOP", "421 4.7.0 ")
	p = dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	for i := range 300 { // which is not nothing
		p.ask(fmt.Sprintf("RCPT TO:<alice+%d@podmail.test>", i), "250 ")
	}
	p.ask("DATA", "354 ")
	p.send("Subject: once\r\n\r\nhello\r\n.\r\n")
	p.expect("250 2.0.0 ")
	d.has(t, d.alice, "once")
}

func TestHeadersAndLinesWithoutEndAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a header":      {"Subject: x\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 80)+"\r\n", 50) + "\r\nx\r\n.\r\n", "552 5.3.4 "},
		"a header line": {"Subject: " + strings.Repeat("x", 5000) + "\r\n\r\nx\r\n.\r\n", "552 5.3.4 "},
		"a body line":   {"Subject: x\r\n\r\n" + strings.Repeat("x", 1<<20) + "\r\n.\r\n", "550 5.6.0 "},
		"just enough":   {"Subject: x\r\n\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 80)+"\r\n", 50) + "\r\nx\r\n.\r\n", "250 2.0.0 "},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, receive.Options{MaxHeaderSize: 4 << 10})
			p := dial(t, d.mx)
			p.to("alice@podmail.test")
			p.ask("DATA", "354 ")
			p.send(c.body)
			p.expect(c.want)
			p.ask("NOOP", "250 ")
		})
	}
}

// TestABodyWithoutEndIsCutOff sends far more than a message may have, and no end.
func TestABodyWithoutEndIsCutOff(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	line := []byte(strings.Repeat("x", 998) + "\r\n")
	go func() {
		for range 200 << 20 / len(line) {
			if _, err := p.Conn.Write(line); err != nil {
				return
			}
		}
	}()
	p.expect("552 5.3.4 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after an endless body: %s", got)
	}
	d.has(t, d.alice)
}

func TestThePostmasterIsReached(t *testing.T) {
	d := open(t, receive.Options{})
	for _, to := range []string{"postmaster", "Postmaster@podmail.test", "abuse@podmail.test", "postmaster@mx.podmail.test", "abuse+x@mx.podmail.test"} {
		p := dial(t, d.mx)
		p.to(to)
		p.ask("DATA", "354 ")
		p.send("Subject: to " + to + "\r\n\r\nhelp\r\n.\r\n")
		p.expect("250 2.0.0 ")
		p.ask("QUIT", "221 ")
	}
	operator, err := d.Server.InInbox(t.Context(), d.Org, "postmaster@podmail.test")
	if err != nil {
		t.Fatal(err)
	}
	d.has(t, operator, "to postmaster", "to Postmaster@podmail.test", "to abuse@podmail.test", "to postmaster@mx.podmail.test", "to abuse+x@mx.podmail.test")
	// No customer can take these addresses at the domain that all share.
	pod := d.Pod(t, "c")
	for _, name := range []string{"postmaster", "abuse"} {
		if _, err := d.Server.CreateInbox(t.Context(), pod, server.NewInbox{Username: name}); mail.CodeOf(err) != mail.CodeForbidden {
			t.Errorf("a pod's %s: %v", name, err)
		}
	}
	p := dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p.ask("MAIL FROM:<>", "250 ")
	p.ask("RCPT TO:<postmaster@elsewhere.example>", "550 5.7.1 ")
	p.ask("RCPT TO:<hostmaster@mx.podmail.test>", "550 5.7.1 ")
}

// TestAMessageThatComesAgainIsThereOnce: a server that did not hear our answer, since the connection broke, brings the
// same bytes again. One that heard it and sends the same means it.
func TestAMessageThatComesAgainIsThereOnce(t *testing.T) {
	d := open(t, receive.Options{})
	bring := func(heard bool, body string, to ...string) {
		t.Helper()
		p := dial(t, d.mx)
		p.to(to[0])
		for _, more := range to[1:] {
			p.ask("RCPT TO:<"+more+">", "250 ")
		}
		p.ask("DATA", "354 ")
		p.send(body + "\r\n.\r\n")
		p.expect("250 2.0.0 ")
		if heard {
			p.ask("NOOP", "250 ")
		}
		p.Close()
	}
	const cut, heard = false, true
	const known = "Message-ID: <1@example.org>\r\nSubject: known\r\n\r\nhello"
	bring(cut, known, "alice@podmail.test")
	bring(cut, known, "alice+again@podmail.test", "bob@podmail.test") // bob did not have it
	bring(cut, known+" again", "alice@podmail.test")                  // the same name is another message
	bring(cut, "Subject: nameless\r\n\r\nhello", "alice@podmail.test")
	bring(cut, "Subject: nameless\r\n\r\nhello", "alice@podmail.test") // who has no name cannot be known again
	large := "Message-ID: <2@example.org>\r\nSubject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000)
	bring(cut, large, "alice@podmail.test")
	bring(heard, large, "alice@podmail.test")
	bring(heard, "Message-ID: <3@example.org>\r\nSubject: meant\r\n\r\nhello", "alice@podmail.test")
	bring(heard, "Message-ID: <3@example.org>\r\nSubject: meant\r\n\r\nhello", "alice@podmail.test")
	d.has(t, d.alice, "known", "known", "nameless", "nameless", "large", "meant", "meant")
	d.has(t, d.bob, "known")
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
