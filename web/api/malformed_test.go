package api_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"podmail/web"
)

// TestMalformedBodies: every route that takes a body refuses what is none, and takes wrong types for what they are.
func TestMalformedBodies(t *testing.T) {
	d := openDoor(t, web.Limits{MaxBody: 1 << 20})
	n := d.tenantNamed(t, "alpha")
	key := d.Key(t, d.Org)
	notObjects := []string{"{", "[]", "null", "1", `"x"`, "{} {}", "\x00", "--x\r\nContent-Disposition: form-data", "a=b", strings.Repeat("[", 50000)}
	wrongTypes := []string{}
	for _, v := range []string{"1", `"\u0000\ud800"`, "true", "[]", "{}", "[[]]", `[{"a":[]}]`, `{"a":{"b":1}}`, "-1e400", "9999999999999999999999", "[null]", `"` + strings.Repeat("x", 20000) + `"`} {
		var fields []string
		for _, f := range []string{"name", "client_id", "username", "domain", "display_name", "metadata", "permissions", "public_key", "to", "cc", "bcc", "reply_to",
			"subject", "text", "html", "attachments", "headers", "labels", "track_opens", "reply_all", "add_labels", "remove_labels", "message_ids"} {
			fields = append(fields, `"`+f+`":`+v)
		}
		// All of them at once, and each end by itself, so that no fault hides another.
		wrongTypes = append(wrongTypes, "{"+strings.Join(fields, ",")+"}", `{"to":"a@b.test","text":`+v+"}", `{"to":"a@b.test","subject":`+v+"}",
			`{"to":"a@b.test","headers":{"X":`+v+"}}", `{"to":`+v+"}", `{"add_labels":`+v+"}", `{"message_ids":`+v+"}", `{"metadata":`+v+"}", `{"name":`+v+"}")
	}
	for _, r := range routes(d) {
		if r.Method == "GET" || r.Method == "DELETE" {
			continue
		}
		path := fill(t, r.Path, n.ids)
		for _, body := range notObjects {
			got := d.call(t, key, r.Method, path, body)
			if got.status != 400 || got.get(t, "code") != "validation_error" {
				t.Errorf("%s %s %.20q: %d %.200s", r.Method, r.Path, body, got.status, got.body)
			}
			got.wellFormed(t)
		}
		for _, body := range wrongTypes {
			got := d.call(t, key, r.Method, path, body)
			if got.status >= 500 {
				t.Errorf("%s %s %.60q: %d %.200s", r.Method, r.Path, body, got.status, got.body)
			} else if got.status >= 400 {
				got.wellFormed(t)
			}
		}
		huge := d.call(t, key, r.Method, path, `{"name":"`+strings.Repeat("x", 3<<20)+`"}`)
		if huge.status != 413 || huge.get(t, "code") != "payload_too_large" {
			t.Errorf("%s %s: a huge body: %d %.200s", r.Method, r.Path, huge.status, huge.body)
		}
		huge.wellFormed(t)
	}
	if log := d.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Error("the log complains:", log[:min(len(log), 3000)])
	}
}

// TestMalformedPaths: ids and query parameters of any shape find nothing or are refused.
func TestMalformedPaths(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alpha")
	key := n.podKey
	odd := []string{"%00", "%ff%fe", "..", "%2e%2e", "%2F", "%25", "'", `"`, "+", "@", "@@", "a@", "@b", "<>", "%3C%3E", "😀", "null", "-1", "*", strings.Repeat("x", 8000), "%0d%0aX:%20y"}
	for _, r := range routes(d) {
		for _, name := range paramNames(r.Path) {
			if slices.Contains(common, name) {
				continue
			}
			for _, id := range odd {
				path := strings.Replace(fill(t, r.Path, with(n.ids, name, "ODD")), "ODD", (&url.URL{Opaque: id}).String(), 1)
				got := d.call(t, key, r.Method, path, d.bodyFor(t, r, n.ids))
				if got.status != 404 && got.status != 403 {
					t.Errorf("%s %.100s: %d %.200s", r.Method, path, got.status, got.body)
				}
				got.wellFormed(t)
			}
		}
		if r.Method != http.MethodGet {
			continue
		}
		for _, q := range []string{"limit=x", "limit=0", "limit=100000", "page_token=%00", "page_token=AAAA", "labels=[1]", "before=x", "after=9999-99-99", "ascending=maybe", "include_spam=%ff", "type=x", "%zz", "a;b", strings.Repeat("a=1&", 3000)} {
			got := d.call(t, key, r.Method, fill(t, r.Path, n.ids)+"?"+q, "")
			if got.status >= 500 {
				t.Errorf("%s %s?%.30s: %d %.200s", r.Method, r.Path, q, got.status, got.body)
			} else if got.status >= 400 {
				got.wellFormed(t)
			}
		}
	}
	for _, path := range []string{"/", "/v0/", "/v1/pods", "/v0/pods/", "/v0//pods", "/v0/nothing", "//", "/%2e%2e/healthz"} {
		got := d.call(t, key, "GET", path, "")
		if got.status != 404 || got.get(t, "code") != "not_found" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if log := d.log.String(); strings.Contains(log, "level=ERROR") {
		t.Error("the log complains:", log[:min(len(log), 3000)])
	}
}

func TestMethods(t *testing.T) {
	d := openDoor(t, web.Limits{})
	got := d.call(t, "", "PUT", "/v0/inboxes/a@x.test/messages/<m/n@h>", "")
	if got.status != 405 || got.get(t, "code") != "method_not_allowed" {
		t.Error(got)
	}
	for _, m := range []string{"GET", "PATCH", "DELETE"} {
		if !strings.Contains(got.header.Get("Allow"), m) {
			t.Error("Allow:", got.header.Get("Allow"))
		}
	}
}

func TestAuthorization(t *testing.T) {
	d := openDoor(t, web.Limits{})
	key := d.Key(t, d.Org)
	for header, want := range map[string]string{"": "missing_authorization", "bearer " + key: "missing_authorization", "Basic " + key: "missing_authorization",
		"Bearer": "missing_authorization", "Bearer ": "missing_authorization", "Bearer a b": "missing_authorization", "Bearer  " + key: "missing_authorization",
		"Bearer am_wrong": "unknown_api_key", "Bearer " + key[:len(key)-1]: "unknown_api_key", key: "missing_authorization", "Bearer " + key: ""} {
		r, err := http.NewRequest("GET", d.origin+"/v0/auth/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		got := d.do(t, r)
		if want == "" {
			if got.status != 200 {
				t.Error(got)
			}
			continue
		}
		if got.status != 401 || got.get(t, "code") != want || got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%q: %v", header, got)
		}
	}
	if strings.Contains(d.log.String(), key) || strings.Contains(d.log.String(), "am_wrong") {
		t.Error("a key is in the log")
	}
}
