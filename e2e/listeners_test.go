package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
)

// TestAProxysClientIsHeldToTheLimits: the settings reach the listeners, a proxy's word about its client is taken, and what
// happens is shown to the operator's monitoring.
func TestAProxysClientIsHeldToTheLimits(t *testing.T) {
	t.Parallel()
	podmail := start(t, `postmaster = "ops@podmail.localhost"`, `smtp.proxy_networks = "127.0.0.0/8"`, `metrics.listen = "127.0.0.1:0"`,
		`limits.messages_per_hour = 2`, `limits.connections_per_ip = 1`)
	podmail.sdk(podmail.Key).call("inboxes.create", nil, arg{"username": "ops"})
	connect := func(client string) (*smtp.Client, error) {
		conn, err := net.Dial("tcp", podmail.SMTP)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "PROXY TCP4 %s 192.0.2.1 40000 25\r\n", client)
		return smtp.NewClient(conn, "mail.example.com")
	}
	c, err := connect("198.51.100.7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect("198.51.100.7"); err == nil || !strings.Contains(err.Error(), "4.7.0 Too many connections") {
		t.Errorf("a second connection: %v", err)
	}
	for range 2 {
		if err := oneMessage(c, "abuse@podmail.localhost"); err != nil {
			t.Fatal(err)
		}
	}
	if err := oneMessage(c, "abuse@podmail.localhost"); err == nil || !strings.Contains(err.Error(), "4.7.1 Too many messages") {
		t.Errorf("a third message: %v", err)
	}
	inbox := podmail.imaplib("ops@podmail.localhost", podmail.Key, "INBOX")
	for _, f := range append(inbox, podmail.imaplib("ops@podmail.localhost", podmail.Key, "Spam")...) {
		if !strings.Contains(string(f.Raw), "([198.51.100.7])") {
			t.Errorf("the trace does not name the client:\n%s", f.Raw)
		}
	}

	counted := podmail.counted()
	for _, want := range []string{`podmail_smtp_messages_total{listener="mx",result="accepted"} 2`, `podmail_smtp_rate_limited_total{of="messages"} 1`,
		`podmail_smtp_connections_total{listener="mx",result="too_many_from_ip"} 1`, `podmail_smtp_open_connections 1`, "go_goroutines "} {
		if !strings.Contains(counted, want) {
			t.Errorf("the metrics lack %s:\n%s", want, counted)
		}
	}
	bare, err := net.Dial("tcp", podmail.SMTP)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	fmt.Fprintf(bare, "EHLO somebody\r\n")
	if line, err := textproto.NewReader(bufio.NewReader(bare)).ReadLine(); err == nil {
		t.Errorf("without a PROXY header: %s", line)
	}
}

// counted is what metrics.listen shows.
func (p *Podmail) counted() string {
	p.t.Helper()
	address := regexp.MustCompile(`setting=metrics.listen address=(\S+)`).FindStringSubmatch(p.log.String())[1]
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func oneMessage(c *smtp.Client, to string) error {
	if err := c.Mail("a@example.org"); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprint(w, "Subject: x\r\n\r\nx\r\n")
	return w.Close()
}
