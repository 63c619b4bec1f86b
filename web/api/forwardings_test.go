package api_test

import (
	"strings"
	"testing"

	"podmail/web"
)

// TestForwarding: what the resource says, at each of its places, and of what it is told wrong.
func TestForwarding(t *testing.T) {
	d := openDoor(t, web.Limits{})
	pod := d.Pod(t, "acme")
	desk := d.Inbox(t, pod, "desk")
	key := d.Key(t, pod)
	at, below := "/v0/inboxes/"+desk.InboxID+"/forwarding", "/v0/pods/"+pod.PodID+"/inboxes/"+desk.InboxID+"/forwarding"
	if r := d.call(t, key, "GET", at, ""); r.status != 404 || !strings.Contains(r.get(t, "fix"), "PUT") {
		t.Errorf("before: %d %s", r.status, r.body)
	}
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{at, `{"addresses":["Ann <ann@other.test>"]}`, 200, `{"inbox_id":"desk@podmail.test","addresses":["ann@other.test"],"keep_copy":true,"updated_at":"`},
		{below, `{"addresses":["ann@other.test","bea@other.test"],"keep_copy":false}`, 200, `"addresses":["ann@other.test","bea@other.test"],"keep_copy":false`},
		{at, `{"addresses":"ann@other.test","keep_copy":null}`, 200, `"addresses":["ann@other.test"],"keep_copy":true`},
		{at, `{}`, 400, "must name at least one address"},
		{at, `{"addresses":["desk@podmail.test"]}`, 400, "is the inbox itself"},
		{at, `{"addresses":["x"]}`, 400, `"path":["addresses"]`},
		{at, `{"addresses":["ann@other.test"],"keep_copy":"no"}`, 400, `"path":["keep_copy"]`},
	} {
		if r := d.call(t, key, "PUT", c.path, c.body); r.status != c.status || !strings.Contains(r.body, c.want) {
			t.Errorf("PUT %s: %d %s", c.body, r.status, r.body)
		}
	}
	if r := d.call(t, key, "GET", below, ""); r.status != 200 || r.get(t, "addresses.0") != "ann@other.test" {
		t.Errorf("what holds: %d %s", r.status, r.body)
	}
	if r := d.call(t, key, "GET", "/v0/inboxes/"+desk.InboxID, ""); strings.Contains(r.body, "forward") {
		t.Errorf("the inbox has a field that strict clients refuse: %s", r.body)
	}
	if r := d.call(t, key, "DELETE", at, ""); r.status != 204 {
		t.Errorf("DELETE: %d %s", r.status, r.body)
	}
	if r := d.call(t, key, "DELETE", below, ""); r.status != 404 {
		t.Errorf("DELETE again: %d %s", r.status, r.body)
	}
}
