package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
)

// curl calls the API as the documentation's examples do, and returns status and body.
func (p *Podmail) curl(method, path, key, body string) (status int, answer string) {
	p.t.Helper()
	curl := exec.Command("curl", "-sS", "-X", method, p.API+path, "-H", "Authorization: Bearer "+key,
		"-H", "Content-Type: application/json", "--data-binary", "@-", "-w", "\n%{http_code}")
	curl.Stdin = strings.NewReader(body)
	out := run(p.t, curl)
	i := strings.LastIndexByte(out, '\n')
	if _, err := fmt.Sscan(out[i+1:], &status); err != nil {
		p.t.Fatalf("curl: %v: %s", err, out)
	}
	return status, out[:i]
}

// swaks sends a message to one of the SMTP listeners.
func (p *Podmail) swaks(listener string, args ...string) string {
	p.t.Helper()
	return run(p.t, swaksCommand(listener, args...))
}

func swaksCommand(listener string, args ...string) *exec.Cmd {
	return exec.Command("swaks", append([]string{"--server", listener}, args...)...)
}

// Fetched is a message as imaplib sees it.
type Fetched struct {
	UID   int
	Flags []string
	Raw   []byte
}

func (f Fetched) String() string { return fmt.Sprintf("UID %d %q:\n%s", f.UID, f.Flags, f.Raw) }

func (f Fetched) has(flag string) bool {
	return slices.ContainsFunc(f.Flags, func(have string) bool { return strings.EqualFold(have, flag) })
}

// imaplib reads a mailbox, after it has set flags on all of it.
func (p *Podmail) imaplib(user, password, mailbox string, flags ...string) (messages []Fetched) {
	p.t.Helper()
	out := run(p.t, p.imaplibCommand(user, password, mailbox, flags...))
	if err := json.Unmarshal([]byte(out), &messages); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return messages
}

func (p *Podmail) imaplibCommand(user, password, mailbox string, flags ...string) *exec.Cmd {
	return exec.Command("python3", append([]string{"python/read_mailbox.py", host(p.IMAP), port(p.IMAP), user, password, mailbox}, flags...)...)
}

// smtplib hands in a message as a mail program does. The error has the server's reply.
func (p *Podmail) smtplib(user, password, message, from string, to ...string) error {
	p.t.Helper()
	submit := exec.Command("python3", append([]string{"python/submit.py", host(p.Submission), port(p.Submission), user, password, from}, to...)...)
	submit.Stdin = strings.NewReader(message)
	if out, err := submit.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// download fetches a URL as anybody could who was given it.
func download(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v", url, response.Status, err)
	}
	return body
}

// raw downloads a message's bytes through the API.
func (s *SDK) raw(inbox, messageID string) []byte {
	s.t.Helper()
	var raw struct{ DownloadURL string }
	s.call("inboxes.messages.getRaw", &raw, inbox, messageID)
	return download(s.t, raw.DownloadURL)
}

// goIMAP logs in with a third IMAP client and opens INBOX. It is cut off at the end of the test if it is still there.
func (p *Podmail) goIMAP(user, password string, options *imapclient.Options) *imapclient.Client {
	p.t.Helper()
	c, err := imapclient.DialInsecure(p.IMAP, options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if err := c.Login(user, password).Wait(); err != nil {
		p.t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func host(address string) string { h, _, _ := net.SplitHostPort(address); return h }
func port(address string) string { _, p, _ := net.SplitHostPort(address); return p }
