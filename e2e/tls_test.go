package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// TestACertificateBringsTLS: with tls.cert and tls.key both protocols offer STARTTLS, and the ports with TLS from the
// first byte can be set.
func TestACertificateBringsTLS(t *testing.T) {
	t.Parallel()
	cert, key, trusted := certificateFor(t, "mail.example.com")
	podmail := start(t, `hostname = "mail.example.com"`, `tls.cert = "`+cert+`"`, `tls.key = "`+key+`"`,
		`smtp.submission_tls = "127.0.0.1:0"`, `imap.listen_tls = "127.0.0.1:0"`)
	var alice Inbox
	podmail.sdk(podmail.Key).call("inboxes.create", &alice, arg{"username": "alice"})
	listening := func(setting string) string {
		return regexp.MustCompile(`setting=` + regexp.QuoteMeta(setting) + ` address=(\S+)`).FindStringSubmatch(podmail.log.String())[1]
	}

	// Sending: STARTTLS with other servers and with mail programs, and implicit TLS.
	for name, dial := range map[string]func() (*smtp.Client, error){
		"smtp.listen":     func() (*smtp.Client, error) { return startTLS(podmail.SMTP, trusted) },
		"smtp.submission": func() (*smtp.Client, error) { return startTLS(podmail.Submission, trusted) },
		"smtp.submission_tls": func() (*smtp.Client, error) {
			conn, err := tls.Dial("tcp", listening("smtp.submission_tls"), trusted)
			if err != nil {
				return nil, err
			}
			return smtp.NewClient(conn, trusted.ServerName)
		},
	} {
		c, err := dial()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name != "smtp.listen" {
			if err := c.Auth(smtp.PlainAuth("", alice.InboxID, podmail.Key, trusted.ServerName)); err != nil {
				t.Errorf("%s: AUTH: %v", name, err)
			}
		}
		if err := handIn(c, alice.InboxID, "From: "+alice.InboxID+"\r\nSubject: by "+name+"\r\n\r\nx\r\n"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	hideAMessage(t, listening("smtp.submission_tls"), trusted, alice.InboxID, podmail.Key)

	// Reading, both ways.
	for name, dial := range map[string]func() (*imapclient.Client, error){
		"imap.listen": func() (*imapclient.Client, error) {
			return imapclient.DialStartTLS(podmail.IMAP, &imapclient.Options{TLSConfig: trusted})
		},
		"imap.listen_tls": func() (*imapclient.Client, error) {
			return imapclient.DialTLS(listening("imap.listen_tls"), &imapclient.Options{TLSConfig: trusted})
		},
	} {
		c, err := dial()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.Login(alice.InboxID, podmail.Key).Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Logout().Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func startTLS(address string, trusted *tls.Config) (*smtp.Client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c, err := smtp.NewClient(conn, trusted.ServerName)
	if err != nil {
		return nil, err
	}
	return c, c.StartTLS(trusted)
}

// handIn sends a message from an inbox to itself and hangs up.
func handIn(c *smtp.Client, address, message string) error {
	defer c.Close()
	if err := c.Mail(address); err != nil {
		return err
	}
	if err := c.Rcpt(address); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte(message)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// hideAMessage tries to get a second message past the server behind a bare LF, which is refused under TLS too.
func hideAMessage(t *testing.T, address string, trusted *tls.Config, inbox, key string) {
	t.Helper()
	conn, err := tls.Dial("tcp", address, trusted)
	if err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, trusted.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Auth(smtp.PlainAuth("", inbox, key, trusted.ServerName)), c.Mail(inbox), c.Rcpt(inbox)); err != nil {
		t.Fatal(err)
	}
	err = c.Text.PrintfLine("DATA\r\nFrom: %[1]s\r\n\r\nouter\n.\r\nMAIL FROM:<%[1]s>\r\nRCPT TO:<%[1]s>\r\nDATA\r\nFrom: %[1]s\r\n\r\nhidden\r\n.", inbox)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Text.ReadResponse(354); err != nil {
		t.Fatal(err)
	}
	if _, text, err := c.Text.ReadResponse(550); err != nil {
		t.Errorf("a hidden message: %q, %v", text, err)
	}
}

// certificateFor makes files with a certificate and its key, and a configuration that trusts it.
func certificateFor(t *testing.T, name string) (certFile, keyFile string, trusted *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots.AppendCertsFromPEM(certPEM)
	for file, data := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, &tls.Config{RootCAs: roots, ServerName: "mail.example.com"}
}
