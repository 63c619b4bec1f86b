package api_test

import "testing"

func TestMetrics(t *testing.T) {
	none := `[{"timestamp"`
	play(t, []step{
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/metrics/events?event_types=message.received&period=86400", has: []string{`{"message.received":[{"timestamp":"2026-01-01T`, `Z","count":2}]}`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/metrics?event_types=message.received&event_types=message.bounced", has: []string{`"count":1}]`, `"message.bounced":[]`}}, // as older clients spell it
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/send", body: `{"to":"${bob}","text":"t"}`},
		{as: "inbox", do: "GET /v0/metrics/events?event_types=message.sent,message.bounced&period=3600", has: []string{`"message.sent":[{"timestamp":`, `"count":2}]`, `"message.bounced":[]`}},
		{as: "inbox", do: "GET /v0/metrics/events?event_types=%5B%22message.sent%22%5D", has: []string{`"message.sent"`}, hasNot: []string{"message.received"}},
		{as: "inbox", do: "GET /v0/metrics/events", has: []string{`"message.rejected":[]`}, hasNot: []string{"domain.verified", "message.opened"}},
		{as: "pod", do: "GET /v0/metrics/events", has: []string{`"domain.verified":[]`}},
		{as: "inbox", do: "GET /v0/metrics/usage?usage_types=message_count,inbox_count&limit=1&descending=true", has: []string{`{"message_count":` + none, `"value":2}]}`}},
		{as: "pod", do: "GET /v0/pods/${pod}/metrics/usage?usage_types=inbox_count,pod_count&limit=1&descending=true", has: []string{`{"inbox_count":` + none, `"value":2}]}`}},
		{as: "org", do: "GET /v0/metrics/usage?usage_types=pod_count&limit=1&descending=true", has: []string{`{"pod_count":` + none, `"value":3}]}`}}, // the default one, the poison one
		{as: "pod", do: "GET /v0/metrics/usage?usage_types=%5B%5D&period=3600", has: []string{`"domain_count":` + none}, hasNot: []string{"pod_count"}},
		{as: "pod", do: "GET /v0/metrics/usage?period=60", status: 400, has: []string{`"query_range_too_wide"`}},
		{as: "pod", do: "GET /v0/metrics/usage?usage_types=messages&period=0&limit=1001", status: 400, has: []string{`"path":["usage_types"]`, `"path":["period"]`, `"path":["limit"]`}},
		{as: "pod", do: "GET /v0/metrics/events?period=86401&start=yesterday&descending=maybe", status: 400, has: []string{`"path":["period"]`, `"path":["start"]`, `"path":["descending"]`}},
		{as: "pod", do: "GET /v0/metrics/events?event_types=message.opened", status: 400, has: []string{`"path":["event_types"]`}},
		{as: "pod", do: "GET /v0/metrics/events?start=2025-01-01T00:00:00Z", status: 400, has: []string{`"path":["start"]`, "90 days"}},
	})
}

// TestHosted: what belongs to AgentMail's hosted service is empty or says so.
func TestHosted(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "GET /v0/providers", has: []string{`"count":0`, `"limit":50`, `"providers":[]`}},
		{as: "inbox", do: "GET /v0/providers/search?q=x&limit=3", has: []string{`"count":0`, `"limit":3`, `"providers":[]`}},
		{as: "pod", do: "GET /v0/accounts?limit=0", status: 400, has: []string{`"path":["limit"]`}},
		{as: "pod", do: "GET /v0/accounts", has: []string{`"accounts":[]`}},
		{as: "pod", do: "GET /v0/accounts/x", status: 404, has: []string{"hosted sign-in service"}},
		{as: "pod", do: "POST /v0/providers/x/connect", status: 404, has: []string{"hosted sign-in service"}},
		{as: "pod", do: "POST /v0/inboxes/${inbox}/authorize", body: `{"auth_token":"x"}`, status: 422, has: []string{`"unprocessable"`, "create an API key"}},
	})
}
