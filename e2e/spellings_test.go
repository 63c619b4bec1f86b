package e2e

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestSpellings: the same things are asked for as each of the clients spells them, with keys of each scope: node and
// Python send lists as JSON, Go and the command line with commas, people repeat; node escapes ids, Go leaves + @ =, and
// Python puts them in as they are.
func TestSpellings(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var pod Pod
	var inbox Inbox
	var podKey, inboxKey Key
	admin.call("pods.create", &pod, arg{"name": "Acme"})
	admin.call("pods.inboxes.create", &inbox, pod.PodID, arg{"username": "support"})
	admin.call("pods.apiKeys.create", &podKey, pod.PodID, arg{})
	admin.call("inboxes.apiKeys.create", &inboxKey, inbox.InboxID, arg{})

	const id = "<odd/id+with=signs&more@mail.example.org>"
	podmail.swaks(podmail.SMTP, "--from", "ann@example.org", "--to", inbox.InboxID, "--h-From", "Ann Lee <ann@example.org>", "--h-Subject", "Blue, and green", "--h-Message-Id", id, "--body", "x")
	thread := admin.onlyThread(inbox.InboxID, 1).ThreadID
	admin.call("inboxes.messages.update", nil, inbox.InboxID, id, arg{"addLabels": []string{"hot", "a b"}})

	escaped, goes := url.PathEscape(id), strings.NewReplacer("<", "%3C", ">", "%3E", "/", "%2F").Replace(id)
	for _, key := range []string{podmail.Key, podKey.APIKey, inboxKey.APIKey} {
		for _, way := range []string{"/v0", "/v0/pods/" + pod.PodID, "/v0/inboxes/" + inbox.InboxID, "/v0/inboxes/" + url.QueryEscape(inbox.InboxID)} {
			if key == inboxKey.APIKey && strings.HasPrefix(way, "/v0/pods") {
				continue
			}
			for query, finds := range map[string]bool{
				`labels=%5B%22hot%22%2C%22a%20b%22%5D`: true, `labels=["hot","a%20b"]`: true, "labels=hot,a%20b": true, "labels=hot,a+b": true, "labels=hot&labels=a%20b": true,
				"labels=hot": true, "labels=%5B%5D": true, "labels=": true, "labels=hot,cold": false, `labels=["cold"]`: false, "labels=hot&labels=cold": false,
				"senders=ann&senders=example.org": true, "senders=ann,lee": true, `senders=["ann","bob"]`: false, "senders=bob": false,
				`subject=["Blue,%20and"]`: true, "subject=green&recipients=support": true, "labels=hot&before=2020-01-01T00:00:00Z": false, "ascending=true&limit=1": true,
			} {
				if ids := podmail.list(key, way+"/threads?"+query, "threads", "thread_id"); slices.Contains(ids, thread) != finds {
					t.Errorf("%s/threads?%s finds %q", way, query, ids)
				}
			}
		}
		for _, path := range []string{escaped, goes, id, strings.Trim(id, "<>"), strings.ToLower(escaped)} {
			for _, address := range []string{inbox.InboxID, url.QueryEscape(inbox.InboxID), strings.ToUpper(inbox.InboxID)} {
				for _, tail := range []string{"", "/raw"} {
					got := podmail.get(key, "/v0/inboxes/"+address+"/messages/"+path+tail)
					if got["message_id"] != id {
						t.Errorf("%s/messages/%s%s: %v", address, path, tail, got)
					}
				}
			}
		}
		if ids := podmail.list(key, "/v0/inboxes/"+inbox.InboxID+"/messages?from=ann,lee&to=SUPPORT&subject=blue", "messages", "message_id"); !slices.Equal(ids, []string{id}) {
			t.Errorf("the messages from Ann: %q", ids)
		}
	}
}

// get asks for a path with curl, which sends it as it is spelled.
func (p *Podmail) get(key, path string) (answer map[string]any) {
	p.t.Helper()
	out := run(p.t, exec.Command("curl", "-sS", "--globoff", "--path-as-is", p.direct+path, "-H", "Authorization: Bearer "+key))
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		p.t.Fatalf("%s: %v: %s", path, err, out)
	}
	return answer
}

// list is the ids in the answer's list of that name.
func (p *Podmail) list(key, path, name, id string) (ids []string) {
	p.t.Helper()
	answer := p.get(key, path)
	list, ok := answer[name].([]any)
	if !ok {
		p.t.Fatalf("%s: %v", path, answer)
	}
	for _, item := range list {
		ids = append(ids, item.(map[string]any)[id].(string))
	}
	return ids
}
