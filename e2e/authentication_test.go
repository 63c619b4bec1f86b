package e2e

import (
	"net/url"
	"strings"
	"testing"
)

// TestForgedMail: a message that a bank's DMARC record disowns lies out of the inbox, and everybody who may ask is told why.
func TestForgedMail(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	names.publish(`_dmarc.bank.example. 60 IN TXT "v=DMARC1; p=reject"
example.org. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"
`)
	podmail := start(t, names.setting(), `smtp.trusted = ""`)
	client := podmail.sdk(podmail.Key)
	var inbox Inbox
	client.call("inboxes.create", &inbox, arg{"username": "support"})
	send := func(from, id string) {
		podmail.swaks(podmail.SMTP, "--from", "joe@example.org", "--to", inbox.InboxID, "--h-From", from, "--h-Message-Id", id, "--body", "hello")
	}
	send("Joe <joe@example.org>", "<honest@example.org>")
	send("Bank <ceo@bank.example>", "<forged@bank.example>")

	var shown, all struct{ Messages []struct{ MessageID string } }
	client.call("inboxes.messages.list", &shown, inbox.InboxID)
	client.call("inboxes.messages.list", &all, inbox.InboxID, arg{"includeUnauthenticated": true})
	if len(shown.Messages) != 1 || shown.Messages[0].MessageID != "<honest@example.org>" || len(all.Messages) != 2 {
		t.Errorf("shown %+v of %+v", shown, all)
	}
	status, body := podmail.curl("GET", "/v0/inboxes/"+inbox.InboxID+"/messages/"+url.PathEscape("<forged@bank.example>")+"/authentication", podmail.Key, "")
	if status != 200 || !strings.Contains(body, `"placement":"unauthenticated"`) || !strings.Contains(body, "bank.example asks to reject mail") {
		t.Errorf("%d %s", status, body)
	}
	told := podmail.podmail("explain", "forged@bank.example")
	for _, want := range []string{inbox.InboxID, "unauthenticated", "bank.example asks to reject mail", "DMARC", "SPF          pass example.org matched ip4:127.0.0.1"} {
		if !strings.Contains(told, want) {
			t.Errorf("podmail explain does not tell %q:\n%s", want, told)
		}
	}
}
