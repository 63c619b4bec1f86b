package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/web"
)

// TestIdempotency: what is sent under a key is sent once, whatever is repeated, by whom and when.
func TestIdempotency(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n, other := d.tenantNamed(t, "alice"), d.tenantNamed(t, "bob")
	send := func(key, path, body string, once ...string) reply {
		t.Helper()
		r, err := http.NewRequest("POST", d.origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header["Idempotency-Key"] = once
		return d.do(t, r)
	}
	at := "/v0/inboxes/" + n.inbox.InboxID
	const hello = `{"to":"z@elsewhere.test","text":"Hello"}`
	first := send(n.podKey, at+"/messages/send", hello, "order-1")
	if again := send(n.podKey, at+"/messages/send", hello, "order-1"); first.status != 200 || again.body != first.body {
		t.Error("a repeat:", first, again)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if r := send(n.podKey, at+"/messages/send", hello, "order-2"); r.status != 200 && r.status != 409 {
				t.Error("at once:", r)
			}
		})
	}
	all.Wait()
	for what, r := range map[string]reply{
		"another body":     send(n.podKey, at+"/messages/send", `{"to":"z@elsewhere.test","text":"Bye"}`, "order-1"),
		"another endpoint": send(n.podKey, at+"/messages/"+"%3Calice@example.org%3E/forward", hello, "order-1"),
	} {
		if r.status != 409 || r.get(t, "code") != "conflict" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	for _, bad := range [][]string{{""}, {"a b"}, {"ä"}, {strings.Repeat("x", 257)}, {"a", "b"}} {
		if r := send(n.podKey, at+"/messages/send", hello, bad...); r.status != 400 || !strings.Contains(r.body, `"path":["Idempotency-Key"]`) {
			t.Errorf("key %q: %+v", bad, r)
		}
	}
	if r := send(other.podKey, "/v0/inboxes/"+other.inbox.InboxID+"/messages/send", hello, "order-1"); r.status != 200 || r.body == first.body {
		t.Error("another tenant:", r)
	}
	draft := at + "/drafts/" + n.ids["draft_id"] + "/send"
	sent := send(n.podKey, draft, "", "draft-1")
	if again := send(n.podKey, draft, "", "draft-1"); sent.status != 200 || again.body != sent.body {
		t.Error("a draft, repeated:", sent, again)
	}
	if r := send(n.podKey, at+"/messages/send", `{"text":"to nobody"}`, "order-3"); r.status != 422 {
		t.Error(r)
	}
	if r := send(n.podKey, at+"/messages/send", hello, "order-3"); r.status != 200 {
		t.Error("a key of a request that failed:", r)
	}
	if got := d.call(t, n.podKey, "GET", at+"/messages?labels=sent", ""); !strings.Contains(got.body, `"count":4`) {
		t.Error("sent:", got.body)
	}
	d.Clock.Step(25 * time.Hour)
	if r := send(n.podKey, at+"/messages/send", hello, "order-1"); r.status != 200 || r.body == first.body {
		t.Error("a day later:", r)
	}
}
