package api_test

import "testing"

func TestDrafts(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"to":["Zoë <zoe@elsewhere.test>"],"bcc":["b@elsewhere.test"],"reply_to":["r@elsewhere.test"],"subject":"Plan","text":"One\ntwo","client_id":"d-1",
			"labels":["idea"],"attachments":[{"filename":"a.txt","content":"YQ=="},{"filename":"p.png","content_type":"image/png","content":"YQ==","content_id":"p","content_disposition":"inline"}]}`,
			has: []string{`"client_id":"d-1"`, `"labels":["draft","idea"]`, `"to":["Zoë <zoe@elsewhere.test>"]`, `"bcc":["b@elsewhere.test"]`, `"reply_to":["r@elsewhere.test"]`,
				`"text":"One\ntwo"`, `"subject":"Plan"`, `"filename":"a.txt"`, `"preview":"One two"`}, hasNot: []string{"html", "send_at", "send_status", "in_reply_to"},
			keep: map[string]string{"draft": "draft_id", "file": "attachments.0.attachment_id", "picture": "attachments.1.attachment_id"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"subject":"Other","client_id":"d-1"}`, has: []string{"${draft}", `"Plan"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/drafts/d-1", has: []string{"${draft}"}},
		{as: "pod", do: "GET /v0/pods/${pod}/drafts?labels=Idea", has: []string{`"count":1`, "${draft}"}, hasNot: []string{`"text"`}},
		{as: "pod", do: "GET /v0/drafts?labels=none", has: []string{`"count":0`, `"drafts":[]`}},
		{as: "pod", do: "GET /v0/drafts/${draft}/attachments/${file}", has: []string{`"download_url":"http`, `"size":1`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?labels=draft", hasNot: []string{"Plan"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads?include_trash=true", hasNot: []string{"Plan"}},
		// Absent stays, null and [] clear, files come and go; those that stay keep their ids, also when the HTML shows one.
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"html":"<p>Hi <img src='cid:p'></p>","text":null,"bcc":[],"add_labels":["now"],"remove_labels":["idea"]}`,
			has: []string{`"html":"<p>Hi`, `"to":["Zoë`, `"labels":["draft","now"]`, "${file}", "${picture}"}, hasNot: []string{"bcc", `"text"`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"remove_attachments":["${file}"],"add_attachments":[{"filename":"b.txt","content":"Yg=="}],"to":null}`,
			has: []string{"${picture}", `"b.txt"`, `"subject":"Plan"`}, hasNot: []string{"${file}", `"to"`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"remove_attachments":["${file}"]}`, status: 400, has: []string{`"path":["remove_attachments"]`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"add_labels":["sent"]}`, status: 400, has: []string{`"path":["add_labels"]`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"subject":7}`, status: 400},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${draft}/send", status: 422, has: []string{"no recipients"}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"to":"zoe@elsewhere.test"}`, has: []string{`"to":["zoe@elsewhere.test"]`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${draft}/send", body: `{"add_labels":["done"]}`, keep: map[string]string{"sent": "message_id"}, has: []string{`"thread_id"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/drafts/${draft}", status: 404},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${draft}/send", status: 404},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?labels=done", has: []string{`"count":1`, `"labels":["done","now","sent"]`, `"b.txt"`, `"image/png"`}},
	})
}

func TestAnswersAsDrafts(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages", keep: map[string]string{"original": "messages.0.message_id", "thread": "messages.0.thread_id"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"in_reply_to":"${original}","text":"Yes"}`, keep: map[string]string{"reply": "draft_id"},
			has: []string{`"in_reply_to":"${original}"`, `"subject":"Re: `, `"references":["${original}"]`, `"to":[`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"in_reply_to":"${original}","reply_all":true,"to":["x@y.test"]}`, status: 400, has: []string{`"path":["reply_all"]`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"in_reply_to":"${original}","forward_of":"${original}"}`, status: 400},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"reply_all":true}`, status: 400},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"in_reply_to":"<nothing@example.org>"}`, status: 404},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"forward_of":"${original}","to":["f@elsewhere.test"],"text":"Look"}`, keep: map[string]string{"forward": "draft_id"},
			has: []string{`"forward_of":"${original}"`, `"subject":"Fwd: `, `"text":"Look"`}, hasNot: []string{"Forwarded message", "attachments"}},
		{as: "inbox", do: "GET /v0/threads/${thread}", has: []string{`"message_count":1`}, hasNot: []string{"draft", "Re: "}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${reply}/send", has: []string{`"thread_id":"${thread}"`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts/${forward}/send", has: []string{`"thread_id":"${thread}"`}, keep: map[string]string{"forwarded": "message_id"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${forwarded}", has: []string{"Forwarded message", "Look", `"attachments":[`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${original}", has: []string{`"replied"`, `"forwarded"`}},
		{as: "inbox", do: "GET /v0/threads/${thread}", has: []string{`"message_count":3`}},
	})
}

func TestScheduledDrafts(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"to":["z@elsewhere.test"],"send_at":"2001-01-01T00:00:00Z"}`, status: 400, has: []string{`"path":["send_at"]`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/drafts", body: `{"to":["z@elsewhere.test"],"send_at":"2099-01-01T00:00:00Z"}`, keep: map[string]string{"draft": "draft_id"},
			has: []string{`"labels":["draft","scheduled"]`, `"send_status":"scheduled"`, `"send_at":"2099-01-01T00:00:00.000Z"`}},
		{as: "inbox", do: "GET /v0/drafts?labels=scheduled", has: []string{`"count":1`, "${draft}"}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"send_at":"2098-01-01T00:00:00Z","subject":"s"}`, has: []string{`2098`, `"scheduled"`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"text":"x"}`, has: []string{`2098`, `"send_status":"scheduled"`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/drafts/${draft}", body: `{"send_at":null}`, has: []string{`"labels":["draft"]`}, hasNot: []string{"send_at", "send_status"}},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/drafts/${draft}", status: 204},
		{as: "inbox", do: "GET /v0/drafts", hasNot: []string{"${draft}"}},
	})
}
