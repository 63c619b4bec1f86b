package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// greylist is a policy service of Postfix that lets nobody in who comes for the first time.
type greylist struct {
	address string
	mu      sync.Mutex
	seen    []string // client, sender and recipient, in the order in which they came
}

func startGreylist(t *testing.T) *greylist {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g := &greylist{address: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go g.serve(conn)
		}
	}()
	return g
}

func (g *greylist) serve(conn net.Conn) {
	defer conn.Close()
	asked := map[string]string{}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			asked[name] = value
			continue
		}
		fmt.Fprintf(conn, "action=%s\n\n", g.verdict(asked["client_address"]+" "+asked["sender"]+" "+asked["recipient"]))
	}
}

func (g *greylist) verdict(who string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := false
	for _, s := range g.seen {
		known = known || s == who
	}
	g.seen = append(g.seen, who)
	if known {
		return "DUNNO"
	}
	return "450 4.7.1 Greylisted, come back"
}

// TestPostfixSaysLaterOrNo: a Postfix that greylists gets the message again, from the same sender, and one that has no such
// user has the sender told: by label and event, and by mail if he uses a mail program.
func TestPostfixSaysLaterOrNo(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	mx := freePort(t, "127.0.0.2")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+mx)
	grey := startGreylist(t)
	far := postfixAt(t, "127.0.0.2:"+mx, append(mailboxesFor(t, "far.example", here.SMTP),
		"smtpd_recipient_restrictions = check_recipient_access inline:{ { nobody@far.example = 550 5.1.1 No such person } }, check_policy_service inet:"+grey.address+", reject_unauth_destination")...)
	names.publish(`
far.example. 60 IN MX 10 mx.far.example.
mx.far.example. 60 IN A 127.0.0.2
`)
	var mu sync.Mutex
	told := ""
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told += string(body)
	}))
	t.Cleanup(endpoint.Close)
	alice := here.sdk(here.Key)
	alice.call("inboxes.create", nil, arg{"username": "alice"})
	alice.call("webhooks.create", nil, arg{"url": endpoint.URL, "eventTypes": []string{"message.bounced"}})

	var sent Sent
	alice.call("inboxes.messages.send", &sent, "alice@here.example", arg{"to": []string{"bob@far.example"}, "subject": "Our offer", "text": "Here it is."})
	id := ""
	eventually(t, "it is greylisted", func() error {
		list := here.podmail("queue", "list")
		m := regexp.MustCompile(`(?m)^(\d+) .*bob@far\.example +smtp +1 .*450 4\.7\.1 .*Greylisted`).FindStringSubmatch(list)
		if m == nil {
			return fmt.Errorf("%s", list)
		}
		id = m[1]
		return nil
	})
	if got := far.mailbox(t); len(got) != 0 {
		t.Errorf("it was let in: %q", got)
	}
	here.podmail("queue", "retry", id)
	if raw := far.awaitMail(t, "Subject: Our offer", "Here it is."); !strings.Contains(raw, "DKIM-Signature:") {
		t.Errorf("not signed:\n%s", raw)
	}
	here.has(t, "alice@here.example", sent.MessageID, "delivered")
	grey.mu.Lock()
	if len(grey.seen) != 2 || grey.seen[0] != grey.seen[1] {
		t.Errorf("Postfix saw %q", grey.seen)
	}
	grey.mu.Unlock()

	here.swaks(here.Submission, "--auth", "PLAIN", "--auth-user", "alice@here.example", "--auth-password", here.Key,
		"--from", "alice@here.example", "--to", "nobody@far.example", "--h-Subject", "Anybody there?", "--body", "Hello?")
	eventually(t, "alice is told by mail", func() error {
		all := here.imaplib("alice@here.example", here.Key, "INBOX")
		for _, m := range all {
			if missing := notShown([]string{"multipart/report", "Final-Recipient: rfc822; nobody@far.example", "Action: failed", "Status: 5.1.1", "No such person", "Subject: Anybody there?"}, string(m.Raw)); missing == "" {
				return nil
			}
		}
		return fmt.Errorf("INBOX has %s; the queue:\n%s", all, here.podmail("queue", "list"))
	})
	eventually(t, "alice's program is told by an event", func() error {
		mu.Lock()
		defer mu.Unlock()
		for _, text := range []string{`"message.bounced"`, `"nobody@far.example"`, `"Permanent"`} {
			if !strings.Contains(told, text) {
				return fmt.Errorf("no %s in %s", text, told)
			}
		}
		return nil
	})
}

// has waits until a message has a label.
func (p *Podmail) has(t *testing.T, inbox, message, label string) {
	t.Helper()
	eventually(t, "the message is "+label, func() error {
		var m Message
		p.sdk(p.Key).call("inboxes.messages.get", &m, inbox, message)
		for _, l := range m.Labels {
			if l == label {
				return nil
			}
		}
		return fmt.Errorf("labels %q", m.Labels)
	})
}
