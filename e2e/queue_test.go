package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestTheOperatorsQueue looks into the queue and changes it from the command line, beside the running server.
func TestTheOperatorsQueue(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	names.publish(`
dead.example. 60 IN MX 10 mx.dead.example.
mx.dead.example. 60 IN A 127.0.0.9
`)
	podmail := start(t, names.setting(), "delivery.mx_port = 1", `metrics.listen = "127.0.0.1:0"`)
	client := podmail.sdk(podmail.Key)
	var pod Pod
	var alice Inbox
	var sent Sent
	client.call("pods.create", &pod, arg{"name": "Acme", "clientId": "acme"})
	client.call("pods.inboxes.create", &alice, pod.PodID, arg{"username": "alice"})
	client.call("inboxes.messages.send", &sent, alice.InboxID, arg{"to": []string{"a@dead.example", "b@dead.example"}, "subject": "Hello", "text": "Hi."})

	ids := map[string]string{}
	eventually(t, "both were tried", func() error {
		list := podmail.podmail("queue", "list")
		for _, m := range regexp.MustCompile(`(?m)^(\d+) .*queued +alice@\S+ +(\w)@dead.example +smtp +1 .*refused`).FindAllStringSubmatch(list, -1) {
			ids[m[2]] = m[1]
		}
		if len(ids) != 2 {
			return fmt.Errorf("%s", list)
		}
		return nil
	})
	shown := podmail.podmail("queue", "show", ids["a"])
	for _, want := range []string{sent.MessageID, "127.0.0.9", "refused"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	podmail.podmail("queue", "hold", ids["a"], ids["b"])
	if list := podmail.podmail("queue", "list"); strings.Count(list, "held") != 2 {
		t.Errorf("held:\n%s", list)
	}
	if shown := podmail.podmail("queue", "show", ids["a"]); !strings.Contains(shown, "a key of the organization") {
		t.Errorf("it is not told who holds it:\n%s", shown)
	}
	podmail.podmail("queue", "release", ids["a"])
	podmail.podmail("queue", "retry", ids["a"])
	eventually(t, "it was tried again", func() error {
		if list := podmail.podmail("queue", "list"); !regexp.MustCompile(`a@dead.example +smtp +2 `).MatchString(list) {
			return fmt.Errorf("%s", list)
		}
		return nil
	})
	eventually(t, "it was counted", func() error {
		counted := podmail.counted()
		for _, want := range []string{`podmail_queue_attempts_total{result="connection"} 3`, `podmail_queue_waiting{when="later"} 1`, "podmail_queue_transfers 0", "podmail_queue_resting_destinations 1"} {
			if !strings.Contains(counted, want) {
				return fmt.Errorf("the metrics lack %s:\n%s", want, counted)
			}
		}
		return nil
	})
	podmail.podmail("queue", "drop", ids["b"])
	podmail.podmail("queue", "hold", ids["a"])
	podmail.swaks(podmail.SMTP, "--from", "zoe@example.org", "--to", alice.InboxID)
	eventually(t, "what the command line did is counted", func() error {
		counted := podmail.counted()
		for _, want := range []string{`podmail_queue_waiting{when="held"} 1`, `podmail_queue_controls_total{action="held"} 3`, `podmail_queue_controls_total{action="released"} 1`,
			`podmail_queue_controls_total{action="retried"} 1`, `podmail_queue_controls_total{action="dropped"} 1`, `podmail_intake_total{reason="none",verdict="received"} 1`} {
			if !strings.Contains(counted, want) {
				return fmt.Errorf("the metrics lack %s:\n%s", want, counted)
			}
		}
		return nil
	})
	eventually(t, "the sender is told", func() error {
		var m Message
		client.call("inboxes.messages.get", &m, alice.InboxID, sent.MessageID)
		if got := strings.Join(m.Labels, " "); got != "delayed rejected sent" {
			return fmt.Errorf("labels %s", got)
		}
		return nil
	})
	podmail.podmail("queue", "pause", "--pod", "acme", "--reason", "unpaid")
	if list := podmail.podmail("queue", "pauses"); !strings.Contains(list, pod.PodID) || !strings.Contains(list, "unpaid") {
		t.Errorf("pauses:\n%s", list)
	}
	podKey := podmail.podmail("key", "create", "--pod", "acme")
	for at, key := range map[string]string{"/v0/queue/pauses": podmail.Key, "/v0/pods/acme/queue/pauses": podKey} {
		if status, pauses := podmail.curl("GET", at, key, ""); status != 200 || !strings.Contains(pauses, `"name":"`+pod.PodID+`","reason":"unpaid"`) {
			t.Errorf("%s: %d %s", at, status, pauses)
		}
	}
	if status, answer := podmail.curl("POST", "/v0/queue/pauses", podKey, `{"kind": "destination", "name": "dead.example"}`); status != 403 {
		t.Errorf("a tenant stopped mail: %d %s", status, answer)
	}
	if status, answer := podmail.curl("POST", "/v0/queue/pauses", podmail.Key, `{"kind": "destination", "name": "dead.example", "reason": "down"}`); status != 200 {
		t.Errorf("pause: %d %s", status, answer)
	}
	if list := podmail.podmail("queue", "pauses"); !regexp.MustCompile(`destination +dead\.example .*down`).MatchString(list) {
		t.Errorf("pauses:\n%s", list)
	}
	podmail.podmail("queue", "resume", "--destination", "dead.example")
	if status, answer := podmail.curl("DELETE", "/v0/queue/pauses/pod/acme", podmail.Key, ""); status != 204 {
		t.Errorf("resume: %d %s", status, answer)
	}
	if list := podmail.podmail("queue", "pauses"); strings.Contains(list, "\n") {
		t.Errorf("pauses are left:\n%s", list)
	}
	podmail.podmail("queue", "pause", "--destination", "BÜCHER.test")
	for _, bad := range [][]string{{"--domain", ""}, {"--pod", ""}, {"--destination", ""}, {"--domain", "not a domain!"}} {
		if out, err := podmail.command(append([]string{"queue", "pause"}, bad...)...).CombinedOutput(); err == nil {
			t.Errorf("%q is stopped: %s", bad, out)
		}
	}
	podmail.podmail("queue", "pause", "--destination", "bücher.test", "--reason", "spam")
	if list := podmail.podmail("queue", "pauses"); strings.Count(list, "\n") != 1 || !regexp.MustCompile(`xn--bcher-kva\.test .*spam`).MatchString(list) {
		t.Errorf("pauses:\n%s", list)
	}
	podmail.podmail("queue", "resume", "--destination", "bücher.test")
	if status, traced := podmail.curl("GET", "/v0/trace/"+url.PathEscape(sent.MessageID), podmail.Key, ""); status != 200 || !strings.Contains(traced, `"state":"rejected"`) || !strings.Contains(traced, "refused") {
		t.Errorf("trace: %d %s", status, traced)
	}
	if trace := podmail.podmail("trace", sent.MessageID); !regexp.MustCompile(`(?m)^\d{4}-\S+ .*dropped from the queue by the operator$`).MatchString(trace) || !strings.Contains(trace, "alice@") || !strings.Contains(trace, "rejected") || !strings.Contains(trace, "refused") {
		t.Errorf("trace:\n%s", trace)
	}
}
