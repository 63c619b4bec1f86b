package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/storage"
	"podmail/web"
)

func TestLists(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/send/block", body: `{"entry":"Eve@Elsewhere.test","reason":"rude"}`,
			has: []string{`"entry":"eve@elsewhere.test"`, `"entry_type":"email"`, `"direction":"send"`, `"list_type":"block"`, `"reason":"rude"`, `"pod_id":"${pod}"`, `"inbox_id":"${inbox}"`}, hasNot: []string{"read_only"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/send/block", body: `{"entry":"eve@elsewhere.test","reason":"again"}`, has: []string{`"rude"`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/send/block", body: `{"entry":"no domain"}`, status: 400, has: []string{`"path":["entry"]`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/send/allow", body: `{"entry":"x.test","reason":"r"}`, status: 400, has: []string{`"path":["reason"]`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/sideways/allow", body: `{"entry":"x.test"}`, status: 404},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/lists/send/block/EVE%40elsewhere.test", has: []string{`"rude"`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/lists/send/block", body: `{"entry":"b.test"}`, has: []string{`"entry_type":"domain"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/lists/send/block?limit=1", has: []string{`"count":1`, `"b.test"`, `"next_page_token"`}, keep: map[string]string{"page": "next_page_token"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/lists/send/block?limit=1&page_token=${page}", has: []string{"eve@elsewhere.test"}, hasNot: []string{"next_page_token"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/lists/send/block?page_token=a%20b", status: 400},
		{as: "pod", do: "GET /v0/lists/send/block", has: []string{`"count":0,"limit":50,"entries":[]`}},
		{as: "pod", do: "GET /v0/lists/send/block/eve@elsewhere.test", status: 404},
		// Every way of sending is refused, and says what to do about it; nothing is sent.
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":["ok@x.test"],"bcc":["EVE@elsewhere.test"],"text":"t"}`, status: 403,
			has: []string{`"MessageRejectedError"`, `"message_rejected"`, "eve@elsewhere.test", "DELETE /v0/inboxes/${inbox}/lists/send/block/eve@elsewhere.test"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/${message}/forward", body: `{"to":"a@sub.b.test"}`, status: 403, has: []string{"block/b.test"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"to":["eve@elsewhere.test"]}`, keep: map[string]string{"draft": "draft_id"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${draft}/send", status: 403, has: []string{`"message_rejected"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/drafts/${draft}", has: []string{"${draft}"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?labels=sent", has: []string{`"count":0`}},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/lists/send/block/eve@elsewhere.test", status: 204},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/lists/send/block/eve@elsewhere.test", status: 404},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${draft}/send"},
		// An allow list refuses whom it does not have.
		{as: "pod", do: "POST /v0/pods/${pod}/lists/send/allow", body: `{"entry":"x.test"}`, has: []string{`"pod_id":"${pod}"`}, hasNot: []string{"inbox_id", "reason"}},
		{as: "pod", do: "GET /v0/lists/send/allow/x.test", has: []string{`"entry":"x.test"`}, hasNot: []string{"pod_id"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":"y@y.test","text":"t"}`, status: 403, has: []string{"POST /v0/pods/${pod}/lists/send/allow"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":"y@x.test","text":"t"}`},
	})
}

// TestEntriesOfTheServer: what the server put on a list is seen by the pod, and deleted by the organization alone.
func TestEntriesOfTheServer(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	organization := d.Key(t, d.Org)
	err := d.Store.For(n.inbox.Scope).Write(context.Background(), func(tx storage.Tx) error {
		return tx.InsertSuppression(mail.ListEntry{Direction: mail.DirectionSend, Type: mail.ListBlock, Entry: "gone@other.test", Reason: "hard bounce: 550 no such user", ReadOnly: true, CreatedAt: time.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	list := "/v0/pods/" + n.pod.PodID + "/lists/send/block"
	entry := list + "/gone@other.test"
	for _, c := range []struct {
		key, method, path, body string
		status                  int
		has                     string
	}{
		{n.podKey, "POST", list, `{"entry":"other.example"}`, 200, `"other.example"`},
		{n.podKey, "GET", list, "", 200, `"reason":"hard bounce: 550 no such user"`},
		{n.podKey, "GET", "/v0/lists/send/block/gone@other.test", "", 200, `"read_only":true`},
		{n.inboxKey, "POST", "/v0/inboxes/" + n.inbox.InboxID + "/messages/send", `{"to":"GONE@other.test","text":"t"}`, 403, "DELETE " + entry},
		{n.podKey, "DELETE", entry, "", 403, `"cannot_delete"`},
		{n.podKey, "POST", list, `{"entry":"gone@other.test","reason":"mine now"}`, 200, `"read_only":true`},
		{organization, "DELETE", entry, "", 204, ""},
		{organization, "DELETE", entry, "", 404, `"not_found"`},
		{n.inboxKey, "POST", "/v0/inboxes/" + n.inbox.InboxID + "/messages/send", `{"to":"GONE@other.test","text":"t"}`, 200, `"message_id"`},
	} {
		if got := d.call(t, c.key, c.method, c.path, c.body); got.status != c.status || !strings.Contains(got.body, c.has) {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, got.status, got.body, c.status, c.has)
		}
	}
}
