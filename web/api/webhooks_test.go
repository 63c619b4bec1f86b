package api_test

import "testing"

func TestWebhooks(t *testing.T) {
	play(t, []step{
		{as: "org", do: "POST /v0/webhooks", body: `{"url":"https://hooks.test/a","event_types":["message.received","message.sent","message.sent"],"client_id":"mine","pod_ids":["${pod}"],"headers":{"X-Token":"secret"}}`,
			has:    []string{`"webhook_id":"ep_`, `"secret":"whsec_`, `"event_types":["message.received","message.sent"]`, `"pod_ids":["${pod}"]`, `"enabled":true`, `"client_id":"mine"`},
			hasNot: []string{"X-Token", "inbox_ids"}, keep: map[string]string{"hook": "webhook_id", "secret": "secret"}},
		{as: "org", do: "POST /v0/webhooks", body: `{"url":"https://hooks.test/b","event_types":["message.sent"],"client_id":"mine"}`, has: []string{"${hook}", "${secret}", "hooks.test/a"}},
		{as: "org", do: "GET /v0/webhooks/mine", has: []string{"${hook}"}},
		{as: "org", do: "GET /v0/webhooks/mine/headers", has: []string{`"header_names":["X-Token"]`}, hasNot: []string{"secret"}},
		{as: "org", do: "PATCH /v0/webhooks/mine/headers", body: `{"headers":{"x-token":"new","B":"b"},"remove_headers":["a"]}`, status: 204},
		{as: "org", do: "GET /v0/webhooks/mine/headers", has: []string{`"header_names":["B","x-token"]`}},
		{as: "org", do: "PATCH /v0/webhooks/mine/headers", body: `{"headers":{"b":"b"},"remove_headers":["B"]}`, status: 400},
		{as: "org", do: "PATCH /v0/webhooks/mine/headers", body: `{}`, status: 400},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"event_types":[]}`, has: []string{`"event_types":["message.received","message.sent"]`}},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"event_types":["domain.verified"],"add_inbox_ids":["${inbox}"],"remove_pod_ids":["${pod}"]}`,
			has: []string{`"event_types":["domain.verified"]`, `"inbox_ids":["${inbox}"]`}, hasNot: []string{"pod_ids"}},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"remove_inbox_ids":["${inbox}"]}`, status: 400},
		{as: "org", do: "POST /v0/pods/${pod}/inboxes", body: `{"username":"named","client_id":"named"}`},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"add_inbox_ids":["named"],"remove_inbox_ids":["nobody@podmail.test"]}`, has: []string{"named@podmail.test", "${inbox}"}},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"remove_inbox_ids":["named"]}`, has: []string{`"inbox_ids":["${inbox}"]`}},
		{as: "org", do: "POST /v0/inboxes/${inbox}/webhooks", body: `{"url":"http://hooks.test/n","event_types":["message.sent"],"pod_ids":["${pod}"]}`, hasNot: []string{"pod_ids"}, keep: map[string]string{"narrow": "webhook_id"}},
		{as: "org", do: "DELETE /v0/webhooks/${narrow}", status: 204},
		{as: "org", do: "PATCH /v0/webhooks/mine", body: `{"enabled":false}`, has: []string{`"enabled":false`}},
		{as: "pod", do: "GET /v0/webhooks/mine", status: 404},
		{as: "pod", do: "GET /v0/webhooks", has: []string{`"count":1`}}, // that of the tenant
		{as: "pod", do: "POST /v0/pods/${pod}/webhooks", body: `{"url":"http://hooks.test/p","event_types":["message.received"],"inbox_ids":["${inbox}"]}`,
			has: []string{`"pod_ids":["${pod}"]`, `"inbox_ids":["${inbox}"]`}, keep: map[string]string{"of_pod": "webhook_id"}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/webhooks", body: `{"url":"http://hooks.test/i","event_types":["message.received"]}`,
			has: []string{`"inbox_ids":["${inbox}"]`}, hasNot: []string{"pod_ids"}, keep: map[string]string{"of_inbox": "webhook_id"}},
		{as: "inbox", do: "GET /v0/webhooks", has: []string{`"count":2`, "${of_inbox}"}},
		{as: "pod", do: "GET /v0/webhooks?ascending=true", has: []string{`"count":3`, "${of_inbox}", "${of_pod}"}},
		{as: "org", do: "GET /v0/webhooks", has: []string{`"count":4`}},
		{as: "inbox", do: "GET /v0/webhooks/${of_inbox}/deliveries", has: []string{`"deliveries":[]`}},
		{as: "inbox", do: "GET /v0/webhooks/${of_inbox}/deliveries?state=lost", status: 400},
		{as: "org", do: "POST /v0/webhooks", status: 400, has: []string{`"path":["url"]`, `"path":["event_types"]`}},
		{as: "org", do: "POST /v0/webhooks", body: `{"url":"https://a.test","event_types":["message.sent"],"headers":{}}`, status: 400},
		{as: "org", do: "DELETE /v0/webhooks/mine", status: 204},
		{as: "org", do: "GET /v0/webhooks/${hook}", status: 404},
		{as: "org", do: "POST /v0/webhooks", body: `{"url":"https://hooks.test/c","event_types":["message.sent"],"client_id":"mine"}`, has: []string{"hooks.test/c"}},
	})
}
