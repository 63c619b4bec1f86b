package e2e

import (
	"strings"
	"testing"
)

// TestKeysFromTheCommandLine: the operator makes and revokes keys while the server runs.
func TestKeysFromTheCommandLine(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var pod Pod
	var inside, outside Inbox
	admin.call("pods.create", &pod, arg{"name": "Acme", "clientId": "acme"})
	admin.call("pods.inboxes.create", &inside, pod.PodID, arg{"username": "inside"})
	admin.call("inboxes.create", &outside, arg{"username": "outside"})

	// The command prints the key and nothing else. Each one works at once, in its scope.
	all := podmail.podmail("key", "create", "--name", "all")
	forPod := podmail.podmail("key", "create", "--pod", "acme", "--name", "for the pod")
	forInbox := podmail.podmail("key", "create", "--inbox", inside.InboxID)
	for _, c := range []struct {
		key              string
		inside, outside  bool
		scope, podMember string
	}{{all, true, true, "organization", ""}, {forPod, true, false, "pod", pod.PodID}, {forInbox, true, false, "inbox", pod.PodID}} {
		if !strings.HasPrefix(c.key, "am_") || strings.ContainsAny(c.key, " \n") {
			t.Errorf("key create printed %q", c.key)
		}
		client := podmail.sdk(c.key)
		var me struct{ ScopeType, PodID string }
		client.call("auth.me", &me)
		if me.ScopeType != c.scope || me.PodID != c.podMember {
			t.Errorf("auth.me of the key for %s: %+v", c.scope, me)
		}
		for inbox, allowed := range map[string]bool{inside.InboxID: c.inside, outside.InboxID: c.outside} {
			if err := client.try("inboxes.get", nil, inbox); (err == nil) != allowed {
				t.Errorf("the key for %s asks for %s: %v", c.scope, inbox, err)
			}
		}
		podmail.imaplib(inside.InboxID, c.key, "INBOX")
	}

	for _, scope := range []string{"--pod", "--inbox"} { // as of a variable that is not set
		if out, err := podmail.command("key", "create", scope, "").CombinedOutput(); err == nil {
			t.Errorf("key create %s \"\" made one for everything: %s", scope, out)
		}
	}

	// key list shows them all, newest first, and never the secret.
	list := podmail.podmail("key", "list")
	rows := strings.Split(list, "\n")
	if len(rows) != 5 || !strings.Contains(rows[1], "inbox "+inside.InboxID) || !strings.Contains(rows[2], "for the pod") ||
		!strings.Contains(rows[3], "organization") || strings.Contains(list, all) {
		t.Errorf("key list:\n%s", list)
	}

	// A revoked key opens no door any more; the others do.
	podmail.podmail("key", "revoke", strings.Fields(rows[2])[0])
	if status, body := podmail.curl("GET", "/v0/inboxes", forPod, ""); status != 401 || !strings.Contains(body, `"unknown_api_key"`) {
		t.Errorf("a revoked key: %d %s", status, body)
	}
	if out, err := podmail.imaplibCommand(inside.InboxID, forPod, "INBOX").CombinedOutput(); err == nil {
		t.Errorf("IMAP with a revoked key: %s", out)
	}
	if err := podmail.smtplib(inside.InboxID, forPod, "Subject: x\r\n\r\nx\r\n", inside.InboxID, outside.InboxID); err == nil {
		t.Error("a revoked key submits")
	}
	podmail.imaplib(inside.InboxID, forInbox, "INBOX")
	podmail.keyCommandsRefuse(inside.InboxID)
}

// keyCommandsRefuse: what is not there is an error that says so, on standard error only.
func (p *Podmail) keyCommandsRefuse(inbox string) {
	p.t.Helper()
	for _, args := range [][]string{{"key", "create", "--inbox", "nobody@podmail.localhost"}, {"key", "create", "--pod", "nobody"},
		{"key", "revoke", "nothing"}, {"key", "create", "--pod", "acme", "--inbox", inbox}, {"key", "list", "--data", "nowhere"}} {
		out, err := p.command(args...).Output()
		if err == nil || len(out) > 0 {
			p.t.Errorf("podmail %q: %v, printed %q", args, err, out)
		}
	}
}
