package api_test

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// This file is what the tests of all routes must know of each of them. Who adds a route is told by them what is missing
// here: a thing that its path names, or the body with which it does something.

// thing is what paths name: under which parameters, with well-formed ids of nothing, and how a tenant gets one.
type thing struct {
	missing map[string]string
	make    func(n *tenant, t testing.TB, name string) map[string]string // the ids; nil: it comes with the tenant
}

var things = []thing{
	{missing: map[string]string{"pod_id": nothing, "inbox_id": "nobody@podmail.test"}},
	{missing: map[string]string{"message_id": "<nothing@example.org>", "thread_id": nothing, "attachment_id": "nothing"}, make: (*tenant).newMessage},
	{missing: map[string]string{"draft_id": nothing, "draft_attachment_id": "nothing"}, make: (*tenant).newDraft},
	{missing: map[string]string{"webhook_id": "ep_nothing", "delivery_id": nothing}, make: (*tenant).newWebhook},
	{missing: map[string]string{"queued_id": nothing}, make: (*tenant).newQueued},
	{missing: map[string]string{"domain_id": "nothing.test"}, make: (*tenant).newDomain},
	{missing: map[string]string{"kind": "pod", "name": nothing}, make: (*tenant).newStopped},
	{missing: map[string]string{"api_key_id": nothing}, make: (*tenant).newAPIKey},
	{missing: map[string]string{"direction": "receive", "type": "block", "entry": "nothing.example"}, make: (*tenant).newListEntry},
	{missing: map[string]string{"provider_id": "nothing", "account_id": "nothing"}, make: (*tenant).noProvider},
}

const nothing = "019b0000-0000-7000-8000-000000000000"

// common are the parameters that name no tenant's own thing: a list is there for everybody.
var common = []string{"direction", "type", "entry", "kind"}

// request is what a route is asked for, by its method and the end of its path.
type request struct {
	route  string
	body   string // with ${ids} of the tenant, and ${new} for a name of its own
	status int    // of success; 0: as the method has it
}

var requests = []request{
	{route: "POST /agent/sign-up", body: `{"human_email":"zoe@example.org","username":"${new}"}`, status: 403}, // it is off
	{route: "POST /agent/verify", body: `{"otp_code":"123456"}`, status: 404},                                  // nobody signed up
	{route: "POST /pods", body: `{"name":"n"}`},
	{route: "DELETE /v0/pods/:pod_id", status: 403}, // it has an inbox
	{route: "POST /inboxes", body: `{"display_name":"n"}`},
	{route: "PATCH /inboxes/:inbox_id", body: `{"display_name":"changed"}`},
	{route: "PUT /inboxes/:inbox_id/forwarding", body: `{"addresses":["someone@elsewhere.test"]}`},
	{route: "DELETE /inboxes/:inbox_id/forwarding", status: 204},
	{route: "POST /inboxes/:inbox_id/authorize", body: `{"auth_token":"t"}`, status: 422},
	{route: "POST /providers/:provider_id/connect", status: 404},
	{route: "GET /providers/:provider_id", status: 404},
	{route: "GET /providers/:provider_id/accounts", status: 404},
	{route: "GET /accounts/:account_id", status: 404},
	{route: "POST /domains", body: `{"domain":"${new}.example.net"}`},
	{route: "PATCH /domains/:domain_id", body: `{"feedback_enabled":true}`},
	{route: "POST /domains/:domain_id/verify", status: 204},
	{route: "POST /domains/:domain_id/rotate-keys"},
	{route: "POST /api-keys", body: `{"name":"n"}`},
	{route: "PATCH /api-keys/:api_key_id", body: `{"name":"changed"}`},
	{route: "POST /messages/send", body: `{"to":"someone@elsewhere.test","subject":"s","text":"t"}`},
	{route: "POST /messages/:message_id/reply", body: `{"text":"t"}`},
	{route: "POST /messages/:message_id/reply-all", body: `{"text":"t"}`},
	{route: "POST /messages/:message_id/forward", body: `{"to":"someone@elsewhere.test","text":"t"}`},
	{route: "POST /messages/batch-get", body: `{"message_ids":["${message_id}"]}`},
	{route: "POST /messages/batch-update", body: `{"message_ids":["${message_id}"],"add_labels":"seen"}`},
	{route: "PATCH /messages/:message_id", body: `{"add_labels":["seen"]}`},
	{route: "PATCH /threads/:thread_id", body: `{"add_labels":["seen"]}`},
	{route: "POST /webhooks", body: `{"url":"https://${new}.example/hook","event_types":["message.sent"]}`},
	{route: "PATCH /webhooks/:webhook_id", body: `{"event_types":["message.received"]}`},
	{route: "PATCH /webhooks/:webhook_id/headers", body: `{"headers":{"X-Token":"t"}}`, status: 204},
	{route: "POST /webhooks/:webhook_id/deliveries/:delivery_id/replay"},
	{route: "POST /queue/:queued_id/retry", status: 409}, // its pod is stopped
	{route: "POST /queue/:queued_id/hold", status: 204},
	{route: "POST /queue/:queued_id/release", status: 204},
	{route: "POST /queue/:queued_id/drop", status: 204},
	{route: "POST /queue/pauses", body: `{"kind":"pod","name":"${pod_id}"}`},
	{route: "PATCH /limits", body: `{"per_hour":1000}`},
	{route: "PATCH /routes/:kind/:name", body: `{"helo":"${new}.example"}`},
	{route: "POST /lists/:direction/:type", body: `{"entry":"${entry}"}`},
	{route: "POST /drafts", body: `{"subject":"s","to":["someone@elsewhere.test"]}`},
	{route: "PATCH /drafts/:draft_id", body: `{"subject":"changed"}`},
	{route: "POST /drafts/:draft_id/send", body: `{"add_labels":["later"]}`},
}

// requestOf finds what is known of a route: the entry that matches most of its path. A body that nobody described fails
// the test.
func requestOf(t testing.TB, r *echo.Route) (found request) {
	t.Helper()
	for _, known := range requests {
		method, path, _ := strings.Cut(known.route, " ")
		if method == r.Method && strings.HasSuffix(r.Path, path) && len(known.route) > len(found.route) {
			found = known
		}
	}
	if found.route == "" && (r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH") {
		t.Fatalf("%s %s: add a body to requests, in fixtures_test.go", r.Method, r.Path)
	}
	found.status = cmp.Or(found.status, map[string]int{"DELETE": 204}[r.Method], 200)
	return found
}

// consumed are the parameters of what a route takes away.
func consumed(r *echo.Route) map[string]string {
	names := paramNames(r.Path)
	if r.Method != "DELETE" && !strings.HasSuffix(r.Path, "/drafts/:draft_id/send") && !strings.HasSuffix(r.Path, "/drop") {
		return nil
	}
	for _, th := range things {
		if _, ok := th.missing[names[len(names)-1]]; ok {
			return th.missing
		}
	}
	return nil
}

// paramNames are the parameters in a path.
func paramNames(path string) (names []string) {
	for p := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			if name == "attachment_id" && slices.Contains(names, "draft_id") {
				name = "draft_attachment_id"
			}
			names = append(names, name)
		}
	}
	return names
}

// missing are well-formed ids of nothing.
func missing() map[string]string {
	ids := map[string]string{}
	for _, th := range things {
		for name, id := range th.missing {
			ids[name] = id
		}
	}
	return ids
}

// fill puts ids into a route's path.
func fill(t testing.TB, route string, ids map[string]string) string {
	t.Helper()
	parts, names := strings.Split(route, "/"), paramNames(route)
	for i, p := range parts {
		if !strings.HasPrefix(p, ":") {
			continue
		}
		id, ok := ids[names[0]]
		if !ok {
			t.Fatalf("%s: add %s to things, in fixtures_test.go", route, names[0])
		}
		parts[i], names = url.PathEscape(id), names[1:]
	}
	if parts[len(parts)-1] == "search" {
		parts[len(parts)-1] += "?q=subject"
	}
	return strings.Join(parts, "/")
}

// ask sends a route what it is described with, about the things that ids name.
func (d *door) ask(t testing.TB, key string, r *echo.Route, ids map[string]string) reply {
	t.Helper()
	return d.call(t, key, r.Method, fill(t, r.Path, ids), d.bodyFor(t, r, ids))
}

func (d *door) bodyFor(t testing.TB, r *echo.Route, ids map[string]string) string {
	t.Helper()
	return os.Expand(requestOf(t, r).body, func(name string) string {
		if name == "new" {
			return fmt.Sprint("new", d.names.Add(1))
		}
		return ids[name]
	})
}

// tenant is a pod with an inbox, one of each of the things in both, and the keys to them.
type tenant struct {
	d                *door
	name             string
	pod, inbox       mail.Grant
	podKey, inboxKey string
	ids              map[string]string // path parameter to id
	keys             map[string]string // made by key
}

// tenantNamed makes a tenant whose texts all hold its name.
func (d *door) tenantNamed(t testing.TB, name string) *tenant {
	t.Helper()
	n := &tenant{d: d, name: name, pod: d.Pod(t, name)}
	n.inbox = d.Inbox(t, n.pod, name)
	n.podKey = d.Key(t, n.pod)
	own := n.inbox
	own.KeyScope = own.Scope
	n.inboxKey = d.Key(t, own)
	n.ids = map[string]string{"pod_id": n.pod.PodID, "inbox_id": n.inbox.InboxID}
	for _, th := range things {
		n.add(t, th, name)
	}
	d.call(t, n.inboxKey, "PUT", "/v0/inboxes/"+n.inbox.InboxID+"/forwarding", `{"addresses":["`+name+`@elsewhere.test"]}`) // from now on
	return n
}

func (n *tenant) add(t testing.TB, th thing, name string) {
	t.Helper()
	if th.make == nil {
		return
	}
	for param, id := range th.make(n, t, name) {
		n.ids[param] = id
	}
}

// replace gives the tenant another one of what a route took away. It returns false if that cannot be replaced.
func (n *tenant) replace(t testing.TB, params map[string]string) bool {
	t.Helper()
	for _, th := range things {
		for name := range th.missing {
			if _, gone := params[name]; gone {
				n.add(t, th, fmt.Sprint(n.name, "-", n.d.names.Add(1)))
				return th.make != nil
			}
		}
	}
	return true
}

func (n *tenant) newMessage(t testing.TB, name string) map[string]string {
	t.Helper()
	id := "<" + name + "@example.org>"
	n.d.Deliver(t, n.inbox.InboxID, "From: "+name+" <writer@example.org>\nTo: "+n.inbox.InboxID+"\nSubject: "+name+" subject\nMessage-ID: "+id+
		"\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n"+name+
		" text\n--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=\""+name+".csv\"\nContent-Transfer-Encoding: base64\n\naGVsbG8sd29ybGQK\n--b--\n")
	m := n.d.call(t, n.inboxKey, "GET", "/v0/inboxes/"+n.inbox.InboxID+"/messages/"+url.PathEscape(id), "")
	return map[string]string{"message_id": id, "thread_id": m.get(t, "thread_id"), "attachment_id": m.get(t, "attachments.0.attachment_id")}
}

func (n *tenant) newDraft(t testing.TB, name string) map[string]string {
	t.Helper()
	made := n.d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/drafts",
		`{"subject":"`+name+` draft","to":["`+name+`@elsewhere.test"],"attachments":[{"filename":"`+name+`.txt","content":"aGk="}]}`)
	return map[string]string{"draft_id": made.get(t, "draft_id"), "draft_attachment_id": made.get(t, "attachments.0.attachment_id")}
}

// newQueued has a message wait for another host.
func (n *tenant) newQueued(t testing.TB, name string) map[string]string {
	t.Helper()
	inbox := "/v0/inboxes/" + n.inbox.InboxID
	sent := n.d.call(t, n.inboxKey, "POST", inbox+"/messages/send", `{"to":"`+name+`@elsewhere.test","subject":"`+name+` out","text":"`+name+`"}`)
	id := n.d.call(t, n.inboxKey, "GET", inbox+"/queue?limit=1", "").get(t, "deliveries.0.delivery_id")
	n.d.call(t, n.inboxKey, "DELETE", inbox+"/messages/"+url.PathEscape(sent.get(t, "message_id")), "")
	return map[string]string{"queued_id": id}
}

// newWebhook makes a webhook that has something to tell: of a message that is gone again.
func (n *tenant) newWebhook(t testing.TB, name string) map[string]string {
	t.Helper()
	inbox := "/v0/inboxes/" + n.inbox.InboxID
	id := n.d.call(t, n.inboxKey, "POST", inbox+"/webhooks", `{"url":"https://`+name+`.example/hook","event_types":["message.received"],"client_id":"`+name+`"}`).get(t, "webhook_id")
	n.d.Deliver(t, n.inbox.InboxID, "From: writer@example.org\nMessage-ID: <news@"+name+">\nSubject: "+name+" news\n\n"+name)
	var made reply
	for made.status == 0 || strings.Contains(made.body, `"count":0`) {
		if _, err := n.d.Server.FanOut(context.Background()); err != nil {
			t.Fatal(err)
		}
		made = n.d.call(t, n.inboxKey, "GET", inbox+"/webhooks/"+id+"/deliveries", "")
	}
	n.d.call(t, n.inboxKey, "DELETE", inbox+"/messages/news@"+name, "")
	return map[string]string{"webhook_id": id, "delivery_id": made.get(t, "deliveries.0.delivery_id")}
}

// newStopped stops the tenant's pod, and gives it a route.
func (n *tenant) newStopped(t testing.TB, name string) map[string]string {
	t.Helper()
	org := n.d.Key(t, n.d.Org)
	n.d.call(t, org, "POST", "/v0/queue/pauses", `{"kind":"pod","name":"`+n.pod.PodID+`","reason":"`+name+` is stopped"}`)
	n.d.call(t, org, "PATCH", "/v0/routes/pod/"+n.pod.PodID, `{"relay":"smtp://`+name+`.example"}`)
	return map[string]string{"kind": "pod", "name": n.pod.PodID}
}

func (n *tenant) newDomain(t testing.TB, name string) map[string]string {
	t.Helper()
	return map[string]string{"domain_id": n.d.Domain(t, n.pod, server.NewDomain{Name: name + ".example", ClientID: name}).Name}
}

func (n *tenant) newAPIKey(t testing.TB, name string) map[string]string {
	t.Helper()
	made := n.d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/api-keys", `{"name":"`+name+` key"}`)
	return map[string]string{"api_key_id": made.get(t, "api_key_id")}
}

// newListEntry puts the same entry on the list of each scope.
func (n *tenant) newListEntry(t testing.TB, name string) map[string]string {
	t.Helper()
	for at, key := range map[string]string{"/v0": n.d.Key(t, n.d.Org), "/v0/pods/" + n.pod.PodID: n.podKey, "/v0/inboxes/" + n.inbox.InboxID: n.inboxKey} {
		n.d.call(t, key, "POST", at+"/lists/receive/block", `{"entry":"`+name+`.example"}`)
	}
	return map[string]string{"direction": "receive", "type": "block", "entry": name + ".example"}
}

// noProvider is what nobody can have here (see server/hosted.go).
func (n *tenant) noProvider(_ testing.TB, name string) map[string]string {
	return map[string]string{"provider_id": "provider-" + name, "account_id": "account-" + name}
}
