package e2e

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMailToAnotherServer sends from one installation to another, as two companies would: by MX, over the wire, and back.
func TestMailToAnotherServer(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.2:`+port+`"`)
	there := start(t, names.setting(), `hostname = "mx.there.example"`, `default_domain = "there.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.3:`+port+`"`)
	names.publish(`
here.example. 60 IN MX 10 mx.here.example.
mx.here.example. 60 IN A 127.0.0.2
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.3
`)
	alice, bob := here.sdk(here.Key), there.sdk(there.Key)
	alice.call("inboxes.create", nil, arg{"username": "alice"})
	bob.call("inboxes.create", nil, arg{"username": "bob"})
	var sent Sent
	alice.call("inboxes.messages.send", &sent, "alice@here.example", arg{"to": []string{"bob@there.example", "nobody@there.example"}, "subject": "From afar", "text": "Grüße."})

	thread := bob.onlyThread("bob@there.example", 1)
	if m := thread.Messages[0]; m.MessageID != sent.MessageID || strings.TrimSpace(m.Text) != "Grüße." {
		t.Errorf("what bob has: %+v", m)
	}
	eventually(t, "alice is told what became of it", func() error {
		var m Message
		alice.call("inboxes.messages.get", &m, "alice@here.example", sent.MessageID)
		if !slices.Contains(m.Labels, "delivered") || !slices.Contains(m.Labels, "bounced") {
			return fmt.Errorf("labels %q", m.Labels)
		}
		return nil
	})
	bob.call("inboxes.messages.reply", nil, "bob@there.example", sent.MessageID, arg{"text": "And back."})
	eventually(t, "the answer is in alice's thread", func() error {
		var th Thread
		alice.call("inboxes.threads.get", &th, "alice@here.example", sent.ThreadID)
		for _, m := range th.Messages {
			if strings.TrimSpace(m.ExtractedText) == "And back." {
				return nil
			}
		}
		return fmt.Errorf("%+v", th)
	})
	if queue := here.podmail("queue", "list"); strings.Contains(queue, "there.example") {
		t.Errorf("the queue still has\n%s", queue)
	}
}

// TestDefaultDomainIsSigned: with what podmail domain records says in DNS, its mail passes all that others look up; and with
// new keys too.
func TestDefaultDomainIsSigned(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.2:`+port+`"`)
	there := start(t, names.setting(), `hostname = "mx.there.example"`, `default_domain = "there.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.3:`+port+`"`, `smtp.trusted = ""`)
	alice, bob := here.sdk(here.Key), there.sdk(there.Key)
	alice.call("inboxes.create", nil, arg{"username": "alice"})
	bob.call("inboxes.create", nil, arg{"username": "bob"})
	seen := func(selector string) {
		t.Helper()
		var sent Sent
		alice.call("inboxes.messages.send", &sent, "alice@here.example", arg{"to": []string{"bob@there.example"}, "subject": "From " + selector, "text": "Hi."})
		eventually(t, "bob's side tells that it is signed by "+selector, func() error {
			status, body := there.curl("GET", "/v0/inboxes/bob@there.example/messages/"+url.PathEscape(sent.MessageID)+"/authentication", there.Key, "")
			for _, want := range []string{`"dmarc":{"result":"pass"`, `"dkim_aligned":true`, `"selector":"` + selector + `"`} {
				if !strings.Contains(body, want) {
					return fmt.Errorf("%d, no %s in %s", status, want, body)
				}
			}
			return nil
		})
	}
	publish := func(records string) {
		names.publish(records + `
mx.here.example. 60 IN A 127.0.0.2
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.3
`)
	}
	publish(here.podmail("domain", "records"))
	seen("podmail")
	publish(here.podmail("domain", "rotate-keys"))
	if shown := here.podmail("domain", "verify"); strings.Count(shown, "; of a key that was replaced") != 2 || strings.Contains(shown, "MISSING") {
		t.Errorf("after a rotation:\n%s", shown)
	}
	seen("podmail-" + time.Now().UTC().Format("20060102"))
}

// freePort is a port that is free on each of these addresses.
func freePort(t *testing.T, addresses ...string) string {
	t.Helper()
search:
	for range 50 {
		l, err := net.Listen("tcp", addresses[0]+":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		for _, a := range addresses[1:] {
			l, err := net.Listen("tcp", a+":"+port)
			if err != nil {
				continue search
			}
			l.Close()
		}
		return port
	}
	t.Fatal("no port is free on all of ", addresses)
	return ""
}
