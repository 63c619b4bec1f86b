package receive_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"podmail/smtp/receive"
)

func certificate(t *testing.T) *tls.Config {
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

// startTLS upgrades the session after whatever else is sent with the command.
func (p *peer) startTLS(with string) *peer {
	p.t.Helper()
	p.send("STARTTLS\r\n" + with)
	p.expect("220 ")
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
	p := dial(t, d.mx)
	if caps := p.ask("EHLO mail.example.org", "250-"); !strings.Contains(caps, "STARTTLS") {
		t.Fatalf("no STARTTLS: %s", caps)
	}
	s := p.startTLS("EHLO evil\r\nMAIL FROM:<evil@example.org>\r\n")
	s.ask("RCPT TO:<alice@podmail.test>", "502 5.5.1 ") // no message has begun
	s.ask("EHLO mail.example.org", "250-")
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
