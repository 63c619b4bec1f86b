package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestOneClickUnsubscribe: the fields of RFC 8058, given to the API or by a mail program, arrive as they were written, and
// every signature covers both (section 4), as another implementation finds.
func TestOneClickUnsubscribe(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.2:`+port+`"`)
	there := start(t, names.setting(), `hostname = "mx.there.example"`, `default_domain = "there.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.3:`+port+`"`)
	names.publish(here.podmail("domain", "records") + `
mx.here.example. 60 IN A 127.0.0.2
there.example. 60 IN MX 10 mx.there.example.
mx.there.example. 60 IN A 127.0.0.3
`)
	alice, bob := here.sdk(here.Key), there.sdk(there.Key)
	alice.call("inboxes.create", nil, arg{"username": "news"})
	bob.call("inboxes.create", nil, arg{"username": "bob"})
	const where, how = "<mailto:unsubscribe@here.example?subject=bob>, <https://here.example/unsubscribe/opaque-part-of-some-length>", "List-Unsubscribe=One-Click"

	var sent Sent
	alice.call("inboxes.messages.send", &sent, "news@here.example", arg{"to": "bob@there.example", "subject": "By the API", "text": "News.",
		"headers": arg{"List-Unsubscribe": where, "List-Unsubscribe-Post": how}})
	key := here.podmail("key", "create", "--inbox", "news@here.example")
	written := "List-Unsubscribe:  " + strings.Replace(where, ", ", ",\r\n\t", 1) + "\r\nlist-unsubscribe-post: " + how + "\r\n"
	if err := here.smtplib("news@here.example", key, "From: news@here.example\r\nTo: bob@there.example\r\nSubject: By a mail program\r\n"+written+
		"Message-ID: <program@here.example>\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nNews.\r\n", "news@here.example", "bob@there.example"); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{sent.MessageID: "List-Unsubscribe: " + where + "\r\nList-Unsubscribe-Post: " + how + "\r\n", "<program@here.example>": written} {
		eventually(t, id+" to arrive", func() error {
			status, body := there.curl("GET", "/v0/inboxes/bob@there.example/messages?include_spam=true", there.Key, "")
			if !strings.Contains(body, strings.Trim(id, "<>")) {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		})
		raw := string(bob.raw("bob@there.example", id))
		signed := raw[max(0, strings.Index(raw, "DKIM-Signature:")):]
		if unfolded := strings.ReplaceAll(signed, "\r\n ", " "); !strings.Contains(signed, want) && !(id == sent.MessageID && strings.Contains(unfolded, want)) {
			t.Errorf("%s has not\n%s\n%s", id, want, signed)
		}
		told := strings.Split(strings.TrimSpace(dkimTool(t, signed, "dkim", names.texts())), "\n")
		for _, signature := range told {
			if len(told) != 2 || !strings.HasPrefix(signature, "True ") || !strings.Contains(signature+" ", " list-unsubscribe ") || !strings.Contains(signature+" ", " list-unsubscribe-post ") {
				t.Errorf("dkimpy says of %s: %q", id, told)
			}
		}
	}
}
