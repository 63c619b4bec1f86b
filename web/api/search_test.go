package api_test

import "testing"

func TestSearch(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "POST /v0/inboxes/${bob}/messages/send", status: 404, body: `{"to":"x@y.test"}`},
		{as: "pod", do: "POST /v0/inboxes/${bob}/messages/send", body: `{"to":["Zoë Ruiz <zoe@acme-corp.test>"],"subject":"Invoice 4711 for March","text":"The naïve approach, paid in full.","attachments":[{"filename":"ledger.csv","content":"YQ=="}]}`,
			keep: map[string]string{"sent": "message_id", "conversation": "thread_id"}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=cme-corp", has: []string{`"count":1`, "${sent}", `"recipients":["Zoë Ruiz <zoe@a**cme-corp**.test>"]`}, hasNot: []string{`"from":["`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=INVOICE%204711", has: []string{`"subject":["**Invoice 4711** for March"]`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=NAIVE%20paid", has: []string{"The **naïve** approach, **paid** in full."}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=ledger", has: []string{"**ledger**.csv"}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=zoe%20march", has: []string{"${sent}", "**March**"}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=aive", has: []string{`"count":0`, `"messages":[]`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=47", has: []string{`"count":1`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=%22%20OR%20scope%3A*", has: []string{`"count":0`}},
		{as: "pod", do: "POST /v0/inboxes/${bob}/messages/send", body: `{"to":"x@y.test","subject":"a \"<quoted>\" C:\\path","text":"-"}`},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=%22%3Cquoted%3E%22%20c:%5Cpath", has: []string{`"count":1`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=%22", has: []string{`"count":1`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=u003c", has: []string{`"count":0`}}, // how JSON writes <
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search", status: 400, has: []string{`"path":["q"]`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=a&limit=101", status: 400},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=a&page_token=x", status: 400, has: []string{`"path":["page_token"]`}},
		{as: "pod", do: "GET /v0/inboxes/${bob}/messages/search?q=invoice&before=2001-01-01", has: []string{`"count":0`}},
		{as: "pod", do: "GET /v0/pods/${pod}/threads/search?q=invoice", has: []string{`"count":1`, "${conversation}", `"**Invoice** 4711 for March"`}},
		{as: "pod", do: "GET /v0/threads/search?q=alice", has: []string{"${thread}"}},
		{as: "inbox", do: "GET /v0/threads/search?q=invoice", has: []string{`"count":0`, `"threads":[]`}},
		{as: "pod", do: "GET /v0/threads/search?q=hello", has: []string{`"count":0`}}, // of the neighbours
		{as: "org", do: "GET /v0/threads/search?q=invoice", has: []string{`"count":1`}},
		{as: "pod", do: "PATCH /v0/inboxes/${bob}/messages/${sent}", body: `{"add_labels":["trash"]}`},
		{as: "pod", do: "GET /v0/threads/search?q=invoice", has: []string{`"count":0`}},
		{as: "pod", do: "PATCH /v0/inboxes/${bob}/messages/${sent}", body: `{"remove_labels":["trash"]}`},
		{as: "pod", do: "GET /v0/threads/search?q=invoice", has: []string{`"count":1`}},
		{as: "pod", do: "DELETE /v0/inboxes/${bob}/messages/${sent}", status: 204},
		{as: "pod", do: "GET /v0/threads/search?q=invoice", has: []string{`"count":0`}},
	})
}

func TestSearchPages(t *testing.T) {
	steps := []step{}
	for _, subject := range []string{"order", "order of tea", "tea"} {
		steps = append(steps, step{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":"x@y.test","subject":"` + subject + `","text":"order"}`, keep: map[string]string{subject: "thread_id"}})
	}
	play(t, append(steps, []step{
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads/search?q=order&limit=1", has: []string{`"limit":1`, "${order}"}, keep: map[string]string{"page": "next_page_token"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":"x@y.test","subject":"order"}`},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads/search?q=order&limit=1&page_token=${page}", has: []string{"${order of tea}"}, keep: map[string]string{"page": "next_page_token"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads/search?q=order&limit=1&page_token=${page}", has: []string{"${tea}"}, hasNot: []string{"next_page_token"}},
	}...))
}

func TestInboxSearch(t *testing.T) {
	play(t, []step{
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"support.berlin","display_name":"Élan Vital"}`},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"sup"}`},
		{as: "pod", do: "GET /v0/inboxes/search?q=SUP", has: []string{`"count":2,"limit":50,"inboxes":[{"pod_id":"${pod}","inbox_id":"sup@podmail.test"`, "support.berlin"}},
		{as: "pod", do: "GET /v0/pods/${pod}/inboxes/search?q=elan%20ber", has: []string{`"count":1`, "support.berlin"}},
		{as: "pod", do: "GET /v0/inboxes/search?q=sup&limit=1", has: []string{`"count":1`, "sup@"}, keep: map[string]string{"page": "next_page_token"}},
		{as: "pod", do: "GET /v0/inboxes/search?q=sup&limit=1&page_token=${page}", has: []string{"support.berlin"}, hasNot: []string{"next_page_token"}},
		{as: "pod", do: "GET /v0/inboxes/search?q=s", status: 400, has: []string{`"path":["q"]`}},
		{as: "pod", do: "GET /v0/inboxes/search?q=erlin", has: []string{`"count":0`, `"inboxes":[]`}},
		{as: "pod", do: "GET /v0/inboxes/search?q=poison", has: []string{`"count":0`}},
		{as: "inbox", do: "GET /v0/inboxes/search?q=sup", has: []string{`"count":0`}},
		{as: "pod", do: "PATCH /v0/inboxes/sup@podmail.test", body: `{"display_name":"Kitchen"}`},
		{as: "pod", do: "GET /v0/inboxes/search?q=kit", has: []string{`"count":1`, "sup@"}},
		{as: "pod", do: "DELETE /v0/inboxes/sup@podmail.test", status: 204},
		{as: "pod", do: "GET /v0/inboxes/search?q=kit", has: []string{`"count":0`}},
	})
}
