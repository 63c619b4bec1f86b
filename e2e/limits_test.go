package e2e

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestSendingIsLimited: what goes beyond a limit waits, by the API and by mail programs, over a restart, until the operator
// chooses another for the pod.
func TestSendingIsLimited(t *testing.T) {
	t.Parallel()
	podmail := start(t, "sending.pod_per_hour = 3")
	client := podmail.sdk(podmail.Key)
	var pod Pod
	var alice Inbox
	client.call("pods.create", &pod, arg{"name": "Acme", "clientId": "acme"})
	client.call("pods.inboxes.create", &alice, pod.PodID, arg{"username": "alice"})
	for _, name := range []string{"bob", "carol"} {
		client.call("inboxes.create", nil, arg{"username": name})
	}
	key := podmail.podmail("key", "create", "--inbox", alice.InboxID)
	client.call("inboxes.messages.send", nil, alice.InboxID, arg{"to": []string{"bob@podmail.localhost", "carol@podmail.localhost"}, "text": "Hi."})
	podmail.restart()

	answer := run(t, exec.Command("curl", "-sSi", podmail.API+"/v0/inboxes/"+alice.InboxID+"/messages/send", "-H", "Authorization: Bearer "+key,
		"-d", `{"to": ["bob@podmail.localhost", "carol@podmail.localhost"], "text": "Hi."}`))
	for _, want := range []string{`HTTP/1.1 429 `, `"rate_limit_exceeded"`, "The pod may write to 3 recipients in one hour; try again in 60 minutes."} {
		if !strings.Contains(answer, want) {
			t.Errorf("%q is not in\n%s", want, answer)
		}
	}
	if !regexp.MustCompile(`(?i)\nRetry-After: 3[56]\d\d\r\n`).MatchString(answer) {
		t.Errorf("no Retry-After of an hour in\n%s", answer)
	}
	message := "From: " + alice.InboxID + "\r\nSubject: x\r\n\r\nx\r\n"
	if err := podmail.smtplib(alice.InboxID, key, message, alice.InboxID, "bob@podmail.localhost", "carol@podmail.localhost"); err == nil || !strings.Contains(err.Error(), "450 4.7.1 The pod may write to 3 recipients") {
		t.Errorf("SMTP: %v", err)
	}
	if shown := podmail.podmail("pod", "limit", "acme"); !regexp.MustCompile(`per hour +3 +written to 2\nper day +unlimited +written to 2\nlimits +set for all pods`).MatchString(shown) {
		t.Errorf("shown:\n%s", shown)
	}
	if shown := podmail.podmail("pod", "limit", pod.PodID, "--per-hour", "10", "--per-day", "20"); !regexp.MustCompile(`per hour +10 .*\nper day +20 .*\nlimits +chosen for this pod`).MatchString(shown) {
		t.Errorf("shown:\n%s", shown)
	}
	if err := podmail.smtplib(alice.InboxID, key, message, alice.InboxID, "bob@podmail.localhost", "carol@podmail.localhost"); err != nil {
		t.Error(err)
	}
	podKey := podmail.podmail("key", "create", "--pod", "acme")
	if status, limits := podmail.curl("GET", "/v0/pods/acme/limits", podKey, ""); status != 200 || !strings.Contains(limits, `"per_hour":10,"per_day":20,"source":"chosen","sent_in_hour":4,"sent_in_day":4`) {
		t.Errorf("GET: %d %s", status, limits)
	}
	if status, answer := podmail.curl("PATCH", "/v0/pods/acme/limits", podKey, `{"per_hour": 1000}`); status != 403 {
		t.Errorf("a tenant chose its limit: %d %s", status, answer)
	}
	if status, limits := podmail.curl("PATCH", "/v0/pods/acme/limits", podmail.Key, `{"per_hour": 5}`); status != 200 || !strings.Contains(limits, `"per_hour":5,"per_day":20`) {
		t.Errorf("PATCH: %d %s", status, limits)
	}
	if err := podmail.smtplib(alice.InboxID, key, message, alice.InboxID, "bob@podmail.localhost", "carol@podmail.localhost"); err == nil || !strings.Contains(err.Error(), "may write to 5 recipients") {
		t.Errorf("SMTP: %v", err)
	}
	if shown := podmail.podmail("pod", "limit", "acme", "--reset"); !regexp.MustCompile(`per hour +3 +written to 4\n`).MatchString(shown) {
		t.Errorf("shown:\n%s", shown)
	}
}
