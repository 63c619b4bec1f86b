package receive_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/smtp/receive"
)

// TestABodyEndsWhereItEnds: go-smtp overlooks the end of a body behind a bare CR, and would go on reading commands as text.
func TestABodyEndsWhereItEnds(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	for _, body := range []string{"x\r\r\n.\r\n", "x\r\n.\r\r\n.\r\n", "x\r\n.\r.\r\n.\r\n", "\r\r\n.\r\n"} {
		p.to("alice@podmail.test")
		p.ask("DATA", "354 ")
		p.send("Subject: x\r\n\r\n" + body)
		p.expect("550 5.6.11 ")
		p.ask("NOOP", "250 2.0.0 ")
	}
	d.has(t, d.alice)
}

// TestAChunkOfUnknownSizeEndsTheSession: go-smtp refuses a size beyond 32 bits, and would take the chunk for commands.
func TestAChunkOfUnknownSizeEndsTheSession(t *testing.T) {
	d := open(t, receive.Options{})
	for size, want := range map[string]string{"4294967296": "552 5.3.4 ", "99999999999999999999": "501 5.5.4 ", "-1": "501 5.5.4 ", "1 LAST x": "501 5.5.4 "} {
		p := dial(t, d.mx)
		p.to("alice@podmail.test")
		p.send("BDAT " + size + "\r\nQUIT\r\n")
		p.expect(want)
		if got := p.reply(); got != "<closed>" {
			t.Errorf("BDAT %s: then %s", size, got)
		}
	}
	d.has(t, d.alice)
}

// TestAMessageInChunksIsGivenUp by every command that may do so, as often as anybody likes, and by hanging up.
func TestAMessageInChunksIsGivenUp(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	p := dial(t, d.mx)
	for i := range 50 {
		p.to("alice@podmail.test")
		p.send(fmt.Sprintf("BDAT %d\r\n%s", i%2*5, "hello"[:i%2*5]))
		p.expect("250 2.0.0 ")
		p.ask("MAIL FROM:<s@example.org>", "503 5.5.1 ")
		if i%2 == 0 {
			p.ask("RSET", "250 ")
		}
		p.ask("EHLO mail.example.org", "250-")
		p.ask("RCPT TO:<alice@podmail.test>", "503 5.5.1 ")
		if i%10 == 0 {
			p.Close()
			p = dial(t, d.mx)
		}
	}
	p.to("alice@podmail.test")
	p.send("BDAT 0\r\n")
	p.expect("250 2.0.0 ")
	p = p.startTLS()
	p.send("BDAT 0 LAST\r\n")
	p.expect("503 5.5.1 ")
	p.to("alice@podmail.test")
	for range 300 { // chunks are progress
		p.send("BDAT 10\r\nX-A: abc\r\n")
		p.expect("250 2.0.0 ")
	}
	p.send("BDAT 14 LAST\r\nSubject: x\r\n\r\n")
	p.expect("250 2.0.0 OK: queued as ")
	p.to("alice@podmail.test")
	p.send("BDAT 5\r\nhello")
	p.expect("250 2.0.0 ")
	p.ask("QUIT", "221 ")
	d.has(t, d.alice, "x")
}

// TestAddressesComeAsTheyAreSaid: go-smtp loses the quotes of a local part.
func TestAddressesComeAsTheyAreSaid(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH LOGIN "+b64("alice@podmail.test"), "334 "+b64("Password:"))
	p.ask(b64(d.key), "235 2.7.0 ")
	p.ask("MAIL FROM:<@relay.example:alice@podmail.test> AUTH=<> SIZE=00000000000000000010", "250 2.1.0 ")
	p.ask(`RCPT TO:<"a b"@example.net> ORCPT=utf-8;a+2Bb\x{E9}@example.net`, "250 2.1.5 ")
	p.ask(`RCPT TO:<"a@b"@example.net> ORCPT=x400;a+2Bb`, "250 2.1.5 ")
	p.ask("RCPT TO:<a@example.net> ORCPT=x400;+2", "501 5.5.4 ")
	p.ask("DATA", "354 ")
	p.send("From: alice@podmail.test\r\nSubject: quoted\r\n\r\nx\r\n.\r\n")
	p.expect("250 2.0.0 ")
	p.ask("MAIL FROM:<alice@podmail.test> SIZE=99999999999", "552 5.3.4 ")
	p.ask("MAIL FROM:<alice@podmail.test> SMTPUTF8=x", "501 5.5.4 ")
	queued, _, err := d.Server.ListDeliveries(t.Context(), d.alice, mail.Page{Limit: 10, Ascending: true})
	if err != nil || len(queued) != 2 {
		t.Fatal(queued, err)
	}
	for i, want := range []struct{ to, orcpt string }{{`"a b"@example.net`, `utf-8;a+2Bb\x{E9}@example.net`}, {`"a@b"@example.net`, "x400;a+b"}} {
		if queued[i].Recipient != want.to || queued[i].OriginalRecipient != want.orcpt {
			t.Errorf("%s (%s), want %v", queued[i].Recipient, queued[i].OriginalRecipient, want)
		}
	}
}

// TestALoginIsForgottenUnderTLS, and its session counts failures on: they are the connection's.
func TestALoginIsForgottenUnderTLS(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	p := dial(t, d.submission)
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00wrong"), "535 5.7.8 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
	p = p.startTLS()
	p.ask("EHLO laptop", "250-")
	p.ask("MAIL FROM:<alice@podmail.test>", "530 5.7.0 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00wrong"), "535 5.7.8 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00wrong"), "421 4.7.0 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after three failed logins: %s", got)
	}
}

// TestLinesAreBoundedUnderTLS, as they are without.
func TestLinesAreBoundedUnderTLS(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	p := dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p = p.startTLS()
	if _, ok := p.Conn.(*tls.Conn); !ok {
		t.Fatal("no TLS")
	}
	p.send("EHLO " + strings.Repeat("x", 24<<10))
	p.expect("421 4.7.0 ")
	if rest, _ := io.ReadAll(p.r); len(rest) > 0 {
		t.Errorf("then %q", rest)
	}
}

// TestAChunkThatIsSkippedIsCounted: it has come all the same.
func TestAChunkThatIsSkippedIsCounted(t *testing.T) {
	d := open(t, behind(receive.Options{BytesPerHour: 100_000}))
	p := from(t, d.mx, "192.0.2.1")
	p.to("alice@podmail.test")
	p.send("BDAT 200000\r\n\n" + strings.Repeat("x", 199_999))
	p.expect("550 5.6.11 ")
	p.ask("MAIL FROM:<s@example.org>", "450 4.7.1 ")
	d.has(t, d.alice)
}
