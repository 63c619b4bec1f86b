package receive_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"podmail/smtp/receive"
)

func certificate(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.podmail.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// startTLS upgrades the session.
func (p *peer) startTLS() *peer {
	p.t.Helper()
	p.ask("STARTTLS", "220 ")
	c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		p.t.Fatal(err)
	}
	return &peer{t: p.t, Conn: c, r: bufio.NewReader(c)}
}

// TestNothingIsTakenOverTheBorderOfTLS is the command injection of CVE-2011-0411: what came in plain text behind
// STARTTLS must not be taken for what came under TLS.
func TestNothingIsTakenOverTheBorderOfTLS(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	const injected = "EHLO evil\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<alice@podmail.test>\r\n"
	together := dial(t, d.mx)
	together.ask("EHLO mail.example.org", "250-")
	together.send("STARTTLS\r\n" + injected)
	together.expect("421 4.7.0 ")
	if got := together.reply(); got != "<closed>" {
		t.Errorf("after injected commands: %s", got)
	}
	apart := dial(t, d.mx)
	apart.ask("EHLO mail.example.org", "250-")
	apart.ask("STARTTLS", "220 ")
	apart.send(injected) // which is no handshake
	if rest, _ := io.ReadAll(apart.r); strings.Contains(string(rest), "250") {
		t.Errorf("commands in the place of a handshake got %q", rest)
	}
}

func TestASessionBeginsAnewUnderTLS(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	p := dial(t, d.mx)
	if caps := p.ask("EHLO mail.example.org", "250-"); !strings.Contains(caps, "STARTTLS") {
		t.Fatalf("no STARTTLS: %s", caps)
	}
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("MAIL FROM:<s@example.org> REQUIRETLS", "503 ")
	s := p.startTLS()
	s.ask("RCPT TO:<alice@podmail.test>", "503 5.5.1 ") // no message has begun
	s.ask("MAIL FROM:<s@example.org>", "503 5.5.1 ")
	if caps := s.ask("EHLO mail.example.org", "250-"); strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, "REQUIRETLS") {
		t.Errorf("under TLS: %s", caps)
	}
	s.ask("STARTTLS", "503 5.5.1 ")
	s.ask("MAIL FROM:<s@example.org>", "250 ")
	s.ask("RCPT TO:<alice@podmail.test>", "250 ")
	s.ask("DATA", "354 ")
	s.send("Subject: secret\r\n\r\nhello\nworld\r\n.\r\n")
	s.expect("550 5.6.11 ")
	s.ask("MAIL FROM:<s@example.org>", "250 ")
	s.ask("RCPT TO:<alice@podmail.test>", "250 ")
	s.ask("DATA", "354 ")
	s.send("Subject: secret\r\n\r\nhello\r\n.\r\n")
	s.expect("250 2.0.0 ")
	d.has(t, d.alice, "secret")
}
