package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestTheSuppressionList is listed, added to, removed from and exported, from the command line and over the API, beside the
// running server.
func TestTheSuppressionList(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	client := podmail.sdk(podmail.Key)
	var pod Pod
	var alice Inbox
	client.call("pods.create", &pod, arg{"name": "Acme", "clientId": "acme"})
	client.call("pods.inboxes.create", &alice, pod.PodID, arg{"username": "alice"})
	send := func(to string) (int, string) {
		return podmail.curl("POST", "/v0/inboxes/"+alice.InboxID+"/messages/send", podmail.Key, `{"to": "`+to+`", "text": "Hello"}`)
	}
	if status, answer := send("alice@podmail.localhost"); status != 200 {
		t.Fatalf("before: %d %s", status, answer)
	}
	podmail.podmail("suppression", "add", "--pod", "acme", "--reason", "asked us to stop", "--days", "30", "zoe@example.org", "no.example")
	eventually(t, "the server knows", func() error {
		status, answer := send("zoe@example.org")
		if status != 403 || !strings.Contains(answer, "asked us to stop") {
			return fmt.Errorf("%d %s", status, answer)
		}
		return nil
	})
	at := "/v0/pods/acme/lists/send/block"
	if status, answer := podmail.curl("POST", at, podmail.Key, `{"entry": "yan@example.org", "reason": "by \"hand\", twice", "expires_at": "2099-12-31T00:00:00Z"}`); status != 200 || !strings.Contains(answer, `"expires_at":"2099-12-31T00:00:00.000Z"`) {
		t.Errorf("POST: %d %s", status, answer)
	}
	list := podmail.podmail("suppression", "list", "--pod", pod.PodID)
	for _, row := range []string{`zoe@example\.org +hand +\d{4}-.*Z +\d{4}-.*Z +asked us to stop`, `yan@example\.org +hand .* 2099-12-31 00:00:00Z +by "hand", twice`, `no\.example +hand `} {
		if !regexp.MustCompile(row).MatchString(list) {
			t.Errorf("%s is not in\n%s", row, list)
		}
	}
	if status, answer := podmail.curl("GET", at, podmail.Key, ""); status != 200 || !strings.Contains(answer, `"count":3`) || strings.Count(answer, `"expires_at":`) != 3 {
		t.Errorf("GET: %d %s", status, answer)
	}
	csv := podmail.podmail("suppression", "export", "--pod", "acme")
	status, exported := podmail.curl("GET", "/v0/pods/acme/exports/lists/send/block", podmail.Key, "")
	for _, text := range []string{csv, exported} {
		if lines := strings.Split(strings.TrimSpace(text), "\n"); status != 200 || len(lines) != 4 || !strings.HasPrefix(lines[0], "entry,reason,read_only,created_at,expires_at") ||
			!strings.Contains(text, `yan@example.org,"by ""hand"", twice",false,`) || !strings.Contains(text, ",2099-12-31T00:00:00Z") {
			t.Errorf("exported: %d %q", status, text)
		}
	}
	podmail.podmail("suppression", "remove", "--pod", "acme", "zoe@example.org", "no.example")
	if status, answer := podmail.curl("DELETE", at+"/yan@example.org", podmail.Key, ""); status != 204 {
		t.Errorf("DELETE: %d %s", status, answer)
	}
	if out, err := podmail.command("suppression", "remove", "--pod", "acme", "zoe@example.org").CombinedOutput(); err == nil || !strings.Contains(string(out), "zoe@example.org: List entry not found") {
		t.Errorf("removed twice: %v %s", err, out)
	}
	if status, answer := send("zoe@example.org"); status != 200 {
		t.Errorf("after: %d %s", status, answer)
	}
}
