package api_test

import (
	"strings"
	"testing"

	"podmail/web"
)

// TestTheOperatorsRoutes: what is stopped, how much a pod may send and how its mail leaves are told as they were set, and
// what makes no sense is refused by name.
func TestTheOperatorsRoutes(t *testing.T) {
	d := openDoor(t, web.Limits{})
	org, pod := d.Key(t, d.Org), d.Pod(t, "acme").PodID
	for _, c := range []struct {
		call, body string
		status     int
		want       string // in the answer
	}{
		{"POST /v0/queue/pauses", `{"kind":"destination","name":"Example.ORG","reason":"down"}`, 200, `"kind":"destination","name":"example.org","reason":"down"`},
		{"POST /v0/queue/pauses", `{"kind":"pod","name":"` + pod + `"}`, 200, `"name":"` + pod + `"`},
		{"POST /v0/queue/pauses", `{"kind":"host","name":"x.org"}`, 400, "must be one of pod, domain, destination"},
		{"POST /v0/queue/pauses", `{"kind":"domain","name":"not a domain"}`, 400, "name"},
		{"POST /v0/queue/pauses", `{"kind":"pod","name":"nobody"}`, 404, "Pod not found"},
		{"GET /v0/queue/pauses", "", 200, `"count":2`},
		{"GET /v0/pods/" + pod + "/queue/pauses", "", 200, `"count":1`},
		{"DELETE /v0/queue/pauses/destination/EXAMPLE.org", "", 204, ""},
		{"DELETE /v0/queue/pauses/destination/example.org", "", 404, "is not stopped"},
		{"DELETE /v0/queue/pauses/host/example.org", "", 404, ""},

		{"GET /v0/pods/" + pod + "/limits", "", 200, `"per_hour":0,"per_day":0,"source":"settings","sent_in_hour":0`},
		{"PATCH /v0/pods/" + pod + "/limits", `{"per_hour":10}`, 200, `"per_hour":10,"per_day":0,"source":"chosen"`},
		{"PATCH /v0/pods/" + pod + "/limits", `{"per_day":20}`, 200, `"per_hour":10,"per_day":20`},
		{"PATCH /v0/pods/" + pod + "/limits", `{"per_day":-1}`, 400, "per_day"},
		{"PATCH /v0/pods/" + pod + "/limits", `{"per_day":1.5}`, 400, "per_day"},
		{"PATCH /v0/pods/" + pod + "/limits", `{}`, 400, "Nothing is to be changed"},
		{"DELETE /v0/pods/" + pod + "/limits", "", 204, ""},
		{"GET /v0/pods/" + pod + "/limits", "", 200, `"source":"settings"`},

		{"PATCH /v0/routes/pod/" + pod, `{"relay":"smtp://ann:s3cret@smart.example","source":"192.0.2.7"}`, 200, `"relay":"smtp://smart.example:587","relay_username":"ann","source":"192.0.2.7"`},
		{"PATCH /v0/routes/pod/" + pod, `{"helo":"mx.acme.example","source":null}`, 200, `"relay_username":"ann","helo":"mx.acme.example","updated_at"`},
		{"PATCH /v0/routes/pod/" + pod, `{"relay":"http://ann:s3cret@x"}`, 400, "a relay is"},
		{"PATCH /v0/routes/pod/" + pod, `{"source":"here"}`, 400, "must be an address of this machine"},
		{"PATCH /v0/routes/pod/" + pod, `{}`, 400, "Nothing is to be changed"},
		{"PATCH /v0/routes/domain/stranger.example", `{"relay":"direct"}`, 404, "Register stranger.example first"},
		{"PATCH /v0/routes/domain/podmail.test", `{"relay":"direct"}`, 200, `"relay":"direct"`},
		{"GET /v0/routes", "", 200, `"count":2`},
		{"DELETE /v0/routes/domain/podmail.test", "", 204, ""},
		{"DELETE /v0/routes/domain/podmail.test", "", 404, "There is no route"},
		{"DELETE /v0/routes/destination/podmail.test", "", 404, ""},

		{"GET /v0/trace/nothing@example.org", "", 404, "No inbox has a message with this id"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		got := d.call(t, org, method, path, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.want) || strings.Contains(got.body, "s3cret") {
			t.Errorf("%s %s: %d %s, want %d %s", c.call, c.body, got.status, got.body, c.status, c.want)
		}
	}
	if strings.Contains(d.log.String(), "s3cret") {
		t.Error("the log has a password")
	}
}

// TestWhereIsMyMail follows a message from the inbox that sent it to the one that got it.
func TestWhereIsMyMail(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "acme")
	sent := d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/messages/send", `{"to":"zoe@elsewhere.test","subject":"s","text":"t"}`)
	id := strings.Trim(sent.get(t, "message_id"), "<>")
	got := d.call(t, d.Key(t, d.Org), "GET", "/v0/trace/"+id, "")
	if got.status != 200 || got.get(t, "messages.0.inbox_id") != n.inbox.InboxID || got.get(t, "messages.0.deliveries.0.recipient") != "zoe@elsewhere.test" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestATenantUndoesNothingOfTheOperators: what the operator holds or stops stays so, whatever a tenant's key asks for.
func TestATenantUndoesNothingOfTheOperators(t *testing.T) {
	d := openDoor(t, web.Limits{})
	pod := d.Pod(t, "acme")
	inbox := d.Inbox(t, pod, "alice")
	org, tenant := d.Key(t, d.Org), d.Key(t, inbox)
	d.call(t, tenant, "POST", "/v0/inboxes/"+inbox.InboxID+"/messages/send", `{"to":"zoe@example.org","text":"Hello"}`)
	queued := "/v0/queue/" + d.call(t, tenant, "GET", "/v0/queue", "").get(t, "deliveries.0.delivery_id")
	for _, c := range []struct {
		key, call string
		status    int
		want      string // in the answer
	}{
		{tenant, "POST " + queued + "/hold", 204, ""},
		{tenant, "POST " + queued + "/release", 204, ""},
		{org, "POST " + queued + "/hold", 204, ""},
		{tenant, "POST " + queued + "/release", 403, "held by a key of the organization"},
		{tenant, "POST " + queued + "/retry", 403, "held by a key of the organization"},
		{org, "POST " + queued + "/release", 204, ""},
		{tenant, "POST " + queued + "/retry", 204, ""},
		{org, "POST /v0/queue/pauses", 200, pod.PodID},
		{tenant, "POST " + queued + "/retry", 409, "The pod " + pod.PodID + " is stopped"},
		{org, "POST " + queued + "/retry", 409, "podmail queue resume --pod " + pod.PodID},
		{org, "DELETE /v0/queue/pauses/pod/" + pod.PodID, 204, ""},
		{tenant, "POST " + queued + "/retry", 204, ""},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		body := ""
		if path == "/v0/queue/pauses" {
			body = `{"kind":"pod","name":"` + pod.PodID + `"}`
		}
		if got := d.call(t, c.key, method, path, body); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s, want %d %s", c.call, got.status, got.body, c.status, c.want)
		}
	}
}
