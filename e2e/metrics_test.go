package e2e

import (
	"fmt"
	"testing"
)

// TestMetricsCountWhatHappened: two customers, one story, and the official client's numbers of it at each scope.
func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var acme, other Pod
	var support, sales, stranger Inbox
	admin.call("pods.create", &acme, arg{"name": "Acme"})
	admin.call("pods.create", &other, arg{"name": "Other"})
	admin.call("pods.inboxes.create", &support, acme.PodID, arg{"username": "support"})
	admin.call("pods.inboxes.create", &sales, acme.PodID, arg{"username": "sales"})
	admin.call("pods.inboxes.create", &stranger, other.PodID, arg{"username": "stranger"})
	for i := range 3 {
		podmail.swaks(podmail.SMTP, "--from", "zoe@example.org", "--to", support.InboxID, "--h-Subject", fmt.Sprint("Question ", i))
	}
	podmail.swaks(podmail.SMTP, "--from", "zoe@example.org", "--to", stranger.InboxID, "--h-Subject", "Elsewhere")
	admin.call("inboxes.messages.send", nil, support.InboxID, arg{"to": sales.InboxID, "subject": "Look", "text": "Please answer."})
	admin.onlyThread(sales.InboxID, 1)

	type bucket struct{ Count, Value int64 }
	everywhere, ofPod, ofInbox := way{"", nil}, way{"pods.", []any{acme.PodID}}, way{"inboxes.", []any{support.InboxID}}
	for _, c := range []struct {
		way
		received, sent, messages, threads, inboxes, pods int64
	}{
		{everywhere, 5, 1, 6, 6, 3, 3},
		{ofPod, 4, 1, 5, 5, 2, -1},
		{ofInbox, 3, 1, 4, 4, -1, -1},
	} {
		for _, query := range []arg{{}, {"period": 60}, {"period": 86400, "eventTypes": []string{"message.received", "message.sent"}}} {
			events := map[string][]bucket{}
			admin.call(c.prefix+"metrics.queryEvents", &events, append(c.to[:len(c.to):len(c.to)], query)...)
			sum := map[string]int64{}
			for typ, buckets := range events {
				for _, b := range buckets {
					sum[typ] += b.Count
				}
			}
			if sum["message.received"] != c.received || sum["message.sent"] != c.sent || sum["message.bounced"] != 0 {
				t.Errorf("%q %v: %v", c.prefix, query, sum)
			}
		}
		usage := map[string][]bucket{}
		admin.call(c.prefix+"metrics.queryUsage", &usage, append(c.to[:len(c.to):len(c.to)], arg{"limit": 1, "descending": true})...)
		for typ, want := range map[string]int64{"message_count": c.messages, "thread_count": c.threads, "inbox_count": c.inboxes, "pod_count": c.pods} {
			if got := usage[typ]; want < 0 && got != nil || want >= 0 && (len(got) != 1 || got[0].Value != want) {
				t.Errorf("%q %s: %v, want %d", c.prefix, typ, got, want)
			}
		}
		if usage["storage_bytes"][0].Value < 1000 {
			t.Errorf("%q: %v", c.prefix, usage["storage_bytes"])
		}
	}

	admin.call("inboxes.delete", nil, support.InboxID)
	usage, events := map[string][]bucket{}, map[string][]bucket{}
	admin.call("pods.metrics.queryUsage", &usage, acme.PodID, arg{"limit": 1, "descending": true})
	admin.call("pods.metrics.queryEvents", &events, acme.PodID, arg{"period": 86400})
	if usage["message_count"][0].Value != 1 || usage["inbox_count"][0].Value != 1 || events["message.received"][0].Count != 4 {
		t.Errorf("after an inbox went: %v %v", usage, events)
	}
}
