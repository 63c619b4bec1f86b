package api_test

import (
	"os"
	"strings"
	"testing"

	"podmail/server/servertest"
	"podmail/web"
)

// step is one request of a scenario and what its answer must show and must not. ${name} stands for something kept from
// an earlier answer.
type step struct {
	as, do, body string
	status       int
	has, hasNot  []string
	keep         map[string]string // name to the path of a value in the answer
}

// play runs a scenario with the keys org, pod and inbox of a fresh tenant named alice, next to the poison tenant and a
// neighbour named bob in the same pod.
func play(t *testing.T, steps []step) {
	t.Helper()
	d := openDoor(t, web.Limits{})
	d.PoisonDomain(t)
	n := d.tenantNamed(t, "alice")
	bob := d.Inbox(t, n.pod, "bob")
	keys := map[string]string{"org": d.Key(t, d.Org), "pod": n.podKey, "inbox": n.inboxKey, "": ""}
	vars := map[string]string{"pod": n.pod.PodID, "inbox": n.inbox.InboxID, "bob": bob.InboxID, "message": n.ids["message_id"],
		"thread": n.ids["thread_id"], "attachment": n.ids["attachment_id"]}
	expand := func(s string) string {
		return os.Expand(s, func(name string) string {
			if v, ok := vars[name]; ok {
				return v
			}
			t.Fatalf("nothing was kept as %s", name)
			return ""
		})
	}
	for i, s := range steps {
		method, path, _ := strings.Cut(expand(s.do), " ")
		got := d.call(t, keys[s.as], method, path, expand(s.body))
		if s.status == 0 {
			s.status = 200
		}
		if got.status != s.status {
			t.Fatalf("step %d, %s: %d %s, want %d", i, s.do, got.status, got.body, s.status)
		}
		if got.status >= 400 {
			got.wellFormed(t)
		}
		for _, h := range s.has {
			if !strings.Contains(got.body, expand(h)) {
				t.Errorf("step %d, %s: no %s in %s", i, s.do, expand(h), got.body)
			}
		}
		if s.as != "org" {
			s.hasNot = append(s.hasNot, servertest.Poison)
		}
		for _, h := range s.hasNot {
			if strings.Contains(got.body, expand(h)) {
				t.Errorf("step %d, %s: %s in %s", i, s.do, expand(h), got.body)
			}
		}
		for name, at := range s.keep {
			vars[name] = got.get(t, at)
		}
	}
}

func TestPods(t *testing.T) {
	play(t, []step{
		{as: "org", do: "POST /v0/pods", body: `{"name":"Acme","client_id":"acme-1"}`, has: []string{`"name":"Acme"`, `"client_id":"acme-1"`}, keep: map[string]string{"made": "pod_id"}},
		{as: "org", do: "POST /v0/pods", body: `{"name":"Other","client_id":"acme-1"}`, has: []string{`"pod_id":"${made}"`, `"name":"Acme"`}},
		{as: "org", do: "POST /v0/pods", has: []string{`"pod_id":`}, hasNot: []string{"client_id"}}, // a missing body is {}
		{as: "org", do: "POST /v0/pods", body: `{"client_id":"a@b"}`, status: 400, has: []string{`"path":["client_id"]`}},
		{as: "org", do: "POST /v0/pods", body: `{"client_id":""}`, status: 400},
		{as: "org", do: "GET /v0/pods/acme-1", has: []string{`"pod_id":"${made}"`}},
		{as: "org", do: "GET /v0/pods?limit=2", has: []string{`"count":2,"limit":2,"next_page_token":"`}, keep: map[string]string{"page": "next_page_token"}},
		{as: "org", do: "GET /v0/pods?limit=500&page_token=${page}", has: []string{`"limit":500`}, hasNot: []string{"next_page_token", "${made}"}},
		{as: "org", do: "GET /v0/pods?limit=501", status: 400, has: []string{`"path":["limit"]`}},
		{as: "org", do: "GET /v0/pods?page_token=garbage", status: 400, has: []string{`"path":["page_token"]`}},
		{as: "pod", do: "GET /v0/pods", has: []string{`"count":1`, "${pod}"}},
		{as: "org", do: "DELETE /v0/pods/${pod}", status: 403, has: []string{`"cannot_delete"`, "2 inboxes and 1 domain"}},
		{as: "org", do: "DELETE /v0/pods/acme-1", status: 204},
		{as: "org", do: "GET /v0/pods/${made}", status: 404},
		{as: "org", do: "PATCH /v0/pods/${pod}", status: 405, has: []string{`"method_not_allowed"`}},
		{as: "org", do: "GET /v0/unknown", status: 404, has: []string{`"not_found"`}},
	})
}

func TestInboxes(t *testing.T) {
	play(t, []step{
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"Carol","display_name":"Carol","client_id":"c-1","metadata":{"tier":"gold","n":3,"ok":true}}`,
			has: []string{`"pod_id":"${pod}"`, `"inbox_id":"carol@podmail.test"`, `"email":"carol@podmail.test"`, `"metadata":{"n":3,"ok":true,"tier":"gold"}`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"client_id":"c-1"}`, has: []string{`"carol@podmail.test"`}},
		{as: "pod", do: "POST /v0/pods/${pod}/inboxes", body: `{"username":"carol"}`, status: 403, has: []string{`"IsTakenError"`, `"resource_taken"`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"x","domain":"unknown.test"}`, status: 403, has: []string{`"domain_not_verified"`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"a b"}`, status: 400, has: []string{`"path":["username"]`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"metadata":{"a":{}}}`, status: 400, has: []string{`"path":["metadata","a"]`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":1,"metadata":[]}`, status: 400, has: []string{`"expected":"string","path":["username"]`, `"expected":"object","path":["metadata"]`}},
		{as: "pod", do: "POST /v0/inboxes", has: []string{"@podmail.test"}},
		{as: "pod", do: "GET /v0/inboxes/CAROL%40Podmail.Test", has: []string{`"client_id":"c-1"`}},
		{as: "pod", do: "GET /v0/inboxes/c-1", has: []string{`"carol@podmail.test"`}},
		{as: "pod", do: "PATCH /v0/inboxes/c-1", body: `{"metadata":{"n":null,"extra":"x"}}`, has: []string{`"metadata":{"extra":"x","ok":true,"tier":"gold"}`, `"display_name":"Carol"`}},
		{as: "pod", do: "PATCH /v0/inboxes/c-1", body: `{"display_name":null}`, hasNot: []string{"display_name"}, has: []string{`"gold"`}},
		{as: "pod", do: "PATCH /v0/inboxes/c-1", body: `{"metadata":{}}`, status: 400, has: []string{`"path":["metadata"]`}},
		{as: "pod", do: "PATCH /v0/inboxes/c-1", body: `{}`, status: 400},
		{as: "pod", do: "PATCH /v0/inboxes/c-1", body: `{"metadata":null}`, hasNot: []string{"metadata"}},
		{as: "pod", do: "PATCH /v0/pods/${pod}/inboxes/c-1", body: `{"display_name":"C","unknown":{}}`, has: []string{`"display_name":"C"`}},
		{as: "inbox", do: "GET /v0/inboxes", has: []string{`"count":1`, "${inbox}"}, hasNot: []string{"carol"}},
		{as: "inbox", do: "GET /v0/inboxes/c-1", status: 404},
		{as: "pod", do: "GET /v0/inboxes/poison.alice@podmail.test", status: 404},
		{as: "pod", do: "DELETE /v0/inboxes/c-1", status: 204},
		{as: "pod", do: "GET /v0/inboxes/carol@podmail.test", status: 404},
		{as: "org", do: "GET /v0/organizations", has: []string{`"organization_id":`, `"inbox_count":`}, hasNot: []string{"inbox_limit"}},
	})
}

func TestPublicKeys(t *testing.T) {
	const jwk = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	play(t, []step{
		{as: "pod", do: "POST /v0/inboxes/${inbox}/api-keys", body: `{"public_key":` + jwk + `,"client_id":"laptop"}`,
			has:    []string{`"type":"public_key"`, `"client_id":"laptop"`, `"jwk":` + jwk, `"fingerprint":"`, `"name":"AgentID key `, `"inbox_id":"${inbox}"`, `"created_by":{"api_key_id":"`, `"message_read":true`, `"pod_create":false`},
			hasNot: []string{`"api_key":"`, "status", "expires_at"}, keep: map[string]string{"key": "api_key_id"}},
		{as: "pod", do: "POST /v0/inboxes/${inbox}/api-keys", body: `{"public_key":` + jwk + `,"client_id":"laptop","name":"again"}`, has: []string{"${key}"}, hasNot: []string{"again"}},
		{as: "pod", do: "POST /v0/inboxes/${inbox}/api-keys", body: `{"public_key":` + strings.Replace(jwk, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", 1) + `,"client_id":"laptop"}`, status: 400, has: []string{"point on P-256"}},
		{as: "pod", do: "POST /v0/inboxes/${inbox}/api-keys", body: `{"public_key":{"kty":"EC","crv":"P-256","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"},"client_id":"laptop"}`, status: 409, has: []string{`"conflict"`}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":` + jwk + `,"client_id":"laptop","expires_at":"2099-01-01T00:00:00Z","permissions":{"inbox_read":true}}`, hasNot: []string{"${key}"}, has: []string{`"inbox_read":true`, `"message_read":false`, `"expires_at":"2099-01-01T00:00:00.000Z"`},
			keep: map[string]string{"wider": "api_key_id"}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":` + jwk + `,"client_id":"laptop"}`, has: []string{"${wider}", `"inbox_read":true`}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":` + jwk + `,"expires_at":"2001-01-01T00:00:00Z"}`, status: 400, has: []string{`"path":["expires_at"]`}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":` + jwk + `,"expires_at":"soon"}`, status: 400, has: []string{`"path":["expires_at"]`}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":{"kty":"RSA","crv":"P-256","d":"AA"}}`, status: 400, has: []string{`"path":["public_key","kty"]`, `"path":["public_key","d"]`}},
		{as: "pod", do: "POST /v0/api-keys", body: `{"public_key":"AAAA"}`, status: 400, has: []string{`"path":["public_key"]`}},
		{as: "inbox", do: "GET /v0/api-keys/laptop", has: []string{`"api_key_id":"${key}"`, `"permissions":{`}},
		{as: "inbox", do: "GET /v0/api-keys?type=public_key", has: []string{`"count":1`, "${key}"}},
		{as: "inbox", do: "GET /v0/api-keys?type=bearer", hasNot: []string{"${key}"}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/api-keys/laptop", body: `{"name":"desk","permissions":{"message_read":true}}`, has: []string{`"name":"desk"`, `"message_send":false`}},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/api-keys/laptop", status: 204},
		{as: "inbox", do: "GET /v0/api-keys/laptop", status: 404},
		{as: "pod", do: "GET /v0/api-keys/laptop", has: []string{`"expires_at":"2099`}},
	})
}

func TestDomains(t *testing.T) {
	play(t, []step{
		{as: "pod", do: "POST /v0/domains", body: `{"domain":"Acme.Example","subdomains_enabled":true,"feedback_enabled":true}`,
			has: []string{`"pod_id":"${pod}"`, `"domain_id":"acme.example","domain":"acme.example"`, `"feedback_enabled":true,"subdomains_enabled":true,"tracking_enabled":false`, `"status":"NOT_STARTED"`,
				`{"type":"MX","name":"acme.example","value":"mx.podmail.test","status":"MISSING","priority":10}`, `{"type":"TXT","name":"acme.example","value":"v=spf1 a:mx.podmail.test ~all","status":"MISSING"}`,
				`"name":"podmail._domainkey.acme.example","value":"v=DKIM1; k=rsa; p=MII`, `"name":"podmail-ed25519._domainkey.acme.example","value":"v=DKIM1; k=ed25519; p=`,
				`"name":"_dmarc.acme.example"`, `"name":"*.acme.example"`}, hasNot: []string{`"reason"`, "link.", "rivate", "client_id"}},
		{as: "org", do: "POST /v0/domains", body: `{"domain":"acme.example"}`, status: 403, has: []string{`"IsTakenError"`, `"resource_taken"`}},
		{as: "pod", do: "POST /v0/domains", body: `{"domain":"poison.example"}`, status: 403, has: []string{`"resource_taken"`}},
		{as: "org", do: "POST /v0/domains", body: `{"domain":"shared.example","client_id":"s-1","tracking_enabled":true}`, has: []string{`"client_id":"s-1"`, `{"type":"CNAME","name":"link.shared.example"`}, hasNot: []string{"pod_id"}},
		{as: "org", do: "POST /v0/domains", body: `{"domain":"shared.example","client_id":"s-1"}`, has: []string{`"domain_id":"shared.example"`, `"tracking_enabled":true`}},
		{as: "pod", do: "POST /v0/domains", status: 400, has: []string{`"path":["domain"]`}},
		{as: "pod", do: "POST /v0/domains", body: `{"domain":"no domain"}`, status: 400, has: []string{`"path":["domain"]`}},
		{as: "pod", do: "POST /v0/domains", body: `{"domain":"localhost"}`, status: 400},
		{as: "pod", do: "POST /v0/domains", body: `{"domain":"b.example","tracking_enabled":"yes"}`, status: 400, has: []string{`"expected":"boolean","path":["tracking_enabled"]`}},
		{as: "inbox", do: "GET /v0/domains", status: 403, has: []string{`"missing_permission"`}},
		{as: "pod", do: "GET /v0/domains", has: []string{`{"count":2,"limit":50,"domains":[{"pod_id":"${pod}","domain_id":"acme.example"`}, hasNot: []string{"records", "status", "shared.example", "podmail.test", "poison.example"}},
		{as: "pod", do: "GET /v0/pods/${pod}/domains?ascending=true&limit=1", has: []string{`"count":1`, "alice.example", `"next_page_token"`}},
		{as: "org", do: "GET /v0/domains", has: []string{"shared.example", "poison.example"}, hasNot: []string{"podmail.test"}},
		{as: "org", do: "GET /v0/organizations", has: []string{`"domain_count":4`}},
		{as: "pod", do: "GET /v0/domains/ACME.example", has: []string{`"domain_id":"acme.example"`, `"records":[`}},
		{as: "pod", do: "GET /v0/domains/shared.example", status: 404},
		{as: "pod", do: "GET /v0/domains/podmail.test", status: 404},
		{as: "pod", do: "GET /v0/domains/poison.example", status: 404},
		{as: "org", do: "GET /v0/pods/${pod}/domains/shared.example", status: 404},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"x","domain":"acme.example"}`, status: 403, has: []string{`"domain_not_verified"`}},
		{as: "pod", do: "POST /v0/inboxes", body: `{"username":"x","domain":"a.podmail.test"}`, status: 422, has: []string{`"unprocessable"`}},
		{as: "pod", do: "POST /v0/domains/acme.example/verify", status: 204},
		{as: "pod", do: "GET /v0/domains/acme.example", has: []string{`"status":"PENDING","reason":"dns_records_missing"`}},
		{as: "pod", do: "PATCH /v0/domains/acme.example", body: `{}`, status: 400},
		{as: "pod", do: "PATCH /v0/domains/acme.example", body: `{"subdomains_enabled":false,"feedback_enabled":null}`, has: []string{`"feedback_enabled":true,"subdomains_enabled":false`}, hasNot: []string{"*."}},
		{as: "pod", do: "GET /v0/domains/acme.example/zone-file", has: []string{"acme.example. 3600 IN MX 10 mx.podmail.test.\n", `_domainkey.acme.example. 3600 IN TXT "v=DKIM1; k=rsa; p=`, `" "`}},
		{as: "pod", do: "POST /v0/domains/acme.example/rotate-keys", has: []string{`"status":"MISSING","reason":"next_key"`, `"status":"PENDING"`}},
		{as: "pod", do: "POST /v0/domains/shared.example/rotate-keys", status: 404},
		{as: "pod", do: "POST /v0/domains/podmail.test/rotate-keys", status: 404},
		{as: "org", do: "GET /v0/domains/podmail.test", has: []string{`"status":"NOT_STARTED"`, "podmail._domainkey.podmail.test"}},
		{as: "pod", do: "GET /v0/domains/acme.example/setup-link", has: []string{`{"supported":false}`}},
		{as: "pod", do: "GET /v0/domains/shared.example/zone-file", status: 404},
		{as: "pod", do: "DELETE /v0/domains/acme.example", status: 204},
		{as: "pod", do: "GET /v0/domains/acme.example", status: 404},
		{as: "pod", do: "DELETE /v0/domains/acme.example", status: 404},
	})
}

func TestAPIKeys(t *testing.T) {
	play(t, []step{
		{as: "pod", do: "POST /v0/api-keys", body: `{"name":"ci","permissions":{"inbox_read":true,"pod_read":false}}`,
			has: []string{`"api_key":"am_`, `"prefix":"am_`, `"pod_id":"${pod}"`, `"permissions":{"inbox_read":true,"pod_read":false}`}, keep: map[string]string{"key": "api_key_id", "secret": "api_key"}},
		{as: "pod", do: "GET /v0/api-keys/${key}", has: []string{`"type":"bearer"`, `"name":"ci"`, `"updated_at"`}, hasNot: []string{"${secret}", "used_at", "expires_at"}},
		{as: "pod", do: "GET /v0/pods/${pod}/api-keys", has: []string{`"api_keys":[`, "${key}"}, hasNot: []string{"${secret}", `"limit"`}},
		{as: "pod", do: "GET /v0/api-keys?type=public_key", has: []string{`{"count":0,"api_keys":[]}`}},
		{as: "pod", do: "GET /v0/api-keys?type=other", status: 400},
		{as: "pod", do: "PATCH /v0/api-keys/${key}", body: `{"name":"ci2","permissions":null}`, has: []string{`"ci2"`}, hasNot: []string{"permissions"}},
		{as: "pod", do: "PATCH /v0/api-keys/${key}", body: `{"permissions":{"inbox_read":"yes"}}`, status: 400, has: []string{`"path":["permissions","inbox_read"]`}},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/api-keys/${key}", status: 404},
		{as: "pod", do: "DELETE /v0/api-keys/${key}", status: 204},
		{as: "pod", do: "DELETE /v0/api-keys/${key}", status: 404},
		{as: "inbox", do: "GET /v0/auth/me", has: []string{`"scope_type":"inbox","scope_id":"${inbox}","organization_id":"`, `"pod_id":"${pod}","inbox_id":"${inbox}","api_key_id":"`}},
		{as: "pod", do: "GET /v0/auth/me", has: []string{`"scope_type":"pod","scope_id":"${pod}"`}, hasNot: []string{"inbox_id"}},
		{as: "org", do: "GET /v0/auth/me", has: []string{`"scope_type":"organization"`}, hasNot: []string{"pod_id"}},
	})
}

func TestMessages(t *testing.T) {
	play(t, []step{
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages", has: []string{`"count":1,"limit":50,"messages":[`, `"from":"alice <writer@example.org>"`, `"to":["${inbox}"]`,
			`"labels":["received","unread"]`, `"preview":"alice text"`, `"content_type":"text/csv"`}, hasNot: []string{`"text"`, "next_page_token"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}", has: []string{`"text":"alice text`, `"extracted_text"`, `"headers":{`, `"subject":"alice subject"`}, hasNot: []string{`"html"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/alice@example.org", has: []string{`"text":"alice text`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/messages/${message}", body: `{"add_labels":"Seen-It","remove_labels":["unread"]}`, has: []string{`"labels":["received","seen-it"]`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/messages/${message}", body: `{"add_labels":["sent"]}`, status: 400, has: []string{`"path":["add_labels"]`}},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/messages/${message}", body: `{}`, status: 400},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?labels=%5B%22seen-it%22%5D&from=%5B%22ALICE%22%5D", has: []string{`"count":1`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?labels=seen-it,unread", has: []string{`"count":0,"limit":50,"messages":[]`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?subject=alice&limit=101", status: 400},
		{as: "inbox", do: "PATCH /v0/inboxes/${inbox}/messages/${message}", body: `{"add_labels":["trash"]}`},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages", has: []string{`"count":0`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages?include_trash=true", has: []string{`"count":1`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/batch-get", body: `{"message_ids":["<none@x>","${message}"]}`, has: []string{`"limit":2,"count":1`, "${message}"}, hasNot: []string{`"text"`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/batch-get", body: `{"message_ids":["alice@example.org","${message}"]}`, status: 400},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/batch-get", body: `{"message_ids":[]}`, status: 400},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/batch-update", body: `{"message_ids":["${message}","<none@x>"],"add_labels":["a"]}`, has: []string{`"limit":2,"count":1,"updates":[{"message_id":"${message}","labels":["a",`}},
		{as: "inbox", do: "POST /v0/inboxes/${inbox}/messages/batch-update", body: `{"message_ids":["${message}"]}`, status: 400},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}/raw", has: []string{`"message_id":"${message}","size":`, `/downloads/`, `"expires_at":"2026-01-02T04:04:0`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}/attachments/${attachment}", has: []string{`"filename":"alice.csv"`, `"size":12`, `"content_disposition":"attachment"`, `"download_url":"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}/attachments/none", status: 404},
		{as: "inbox", do: "DELETE /v0/inboxes/${inbox}/messages/${message}", status: 204},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}", status: 404},
	})
}

func TestSending(t *testing.T) {
	const sends = "POST /v0/inboxes/${inbox}/messages/"
	play(t, []step{
		{as: "inbox", do: sends + "send", body: `{"to":"Bob <${bob}>","cc":["x@elsewhere.test"],"subject":"Hi","text":"one","html":"<p>one</p>","labels":["Mine"],
			"headers":{"X-Ref":"7"},"attachments":[{"filename":"a.txt","content_type":"text/plain","content":"aGk="}]}`,
			has: []string{`{"message_id":"<`, `"thread_id":"`}, keep: map[string]string{"sent": "message_id", "its_thread": "thread_id"}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${sent}", has: []string{`"to":["Bob <${bob}>"]`, `"cc":["x@elsewhere.test"]`, `"mine"`, `"sent"`, `"filename":"a.txt"`, `"thread_id":"${its_thread}"`, `"text":"one`}},
		{as: "inbox", do: sends + "${message}/reply", body: `{"text":"thanks"}`, keep: map[string]string{"answer": "message_id"}, has: []string{`"thread_id":"${thread}"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${answer}", has: []string{`"subject":"Re: alice subject"`, `"in_reply_to":"${message}"`, `"references":["${message}"]`, `"to":["alice <writer@example.org>"]`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${message}", has: []string{`"replied"`}},
		{as: "inbox", do: sends + "${message}/reply", body: `{"text":"x","reply_all":true,"to":"y@z.test"}`, status: 400},
		{as: "inbox", do: sends + "${message}/reply-all", body: `{"text":"all"}`, has: []string{`"thread_id":"${thread}"`}},
		{as: "inbox", do: sends + "${message}/forward", body: `{"to":["${bob}"],"text":"fyi"}`, keep: map[string]string{"forwarded": "message_id"}, has: []string{`"thread_id":"${thread}"`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages/${forwarded}", has: []string{`"subject":"Fwd: alice subject"`, `"filename":"alice.csv"`}},
		{as: "inbox", do: sends + "${message}/forward", body: `{"text":"fyi"}`, status: 422},
		{as: "inbox", do: sends + "send", body: `{"text":"x"}`, status: 422, has: []string{`"unprocessable"`, `"fix"`}},
		{as: "inbox", do: sends + "send", body: `{"to":"not an address","text":"x"}`, status: 400, has: []string{`"path":["to"]`}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","subject":"x\r\nBcc: y@z.test"}`, status: 400, has: []string{`"path":["subject"]`}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","headers":{"X-A":"x\r\nBcc: y@z.test"}}`, status: 400, has: []string{`"path":["headers"]`}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","labels":["received"]}`, status: 400, has: []string{`"path":["labels"]`}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","track_opens":true}`, status: 422},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","track_opens":false,"text":"fine"}`},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","attachments":[{"url":"http://x.test/f"}]}`, status: 403, has: []string{`"message_rejected"`, "attachments.0"}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","attachments":[{"content":"!"}]}`, status: 400, has: []string{`"path":["attachments","0","content"]`}},
		{as: "inbox", do: sends + "send", body: `{"to":"a@b.test","attachments":[{}]}`, status: 400},
		{as: "inbox", do: sends + "send", body: `{"to":[` + strings.Repeat(`"a@b.test",`, 50) + `"a@b.test"]}`, status: 422},
		{as: "inbox", do: "POST /v0/inboxes/${bob}/messages/send", body: `{"to":"a@b.test"}`, status: 404},
	})
}

func TestThreads(t *testing.T) {
	play(t, []step{
		{as: "org", do: "GET /v0/threads?senders=%5B%22alice%22%5D", has: []string{`"count":1`, "${thread}"}},
		{as: "pod", do: "GET /v0/threads", has: []string{`"count":1,"limit":50,"threads":[{"inbox_id":"${inbox}","thread_id":"${thread}"`, `"senders":["alice <writer@example.org>"]`, `"recipients":["${inbox}"]`,
			`"last_message_id":"${message}"`, `"message_count":1`, `"received_timestamp":"2026-01-02T03:04:05.`}, hasNot: []string{"sent_timestamp", "messages"}},
		{as: "pod", do: "GET /v0/pods/${pod}/threads?before=2026-01-02T03:00:00Z", has: []string{`"count":0`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads?after=2026-01-02", has: []string{`"count":1`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads/${thread}?limit=100", has: []string{`"count":1,"limit":100,"messages":[{`, `"text":"alice text`, `"message_count":1`}},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/threads/${thread}?limit=101", status: 400},
		{as: "inbox", do: "GET /v0/threads/${thread}/attachments/${attachment}", has: []string{`"download_url":"`, `"alice.csv"`}},
		{as: "pod", do: "PATCH /v0/pods/${pod}/threads/${thread}", body: `{"add_labels":["hot"],"remove_labels":["unread","hot"]}`, has: []string{`{"thread_id":"${thread}","labels":["received"]}`}},
		{as: "pod", do: "PATCH /v0/threads/${thread}", body: `{"add_labels":{}}`, status: 400, has: []string{`"expected":"array"`}},
		{as: "pod", do: "DELETE /v0/threads/${thread}", status: 204},
		{as: "pod", do: "GET /v0/threads/${thread}", status: 404},
		{as: "inbox", do: "GET /v0/inboxes/${inbox}/messages", has: []string{`"count":0`}},
	})
}
