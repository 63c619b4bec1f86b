package api_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"podmail/server/servertest"
	"podmail/web"
)

var usedAt = regexp.MustCompile(`"used_at":"[^"]*",`)

// missing are well-formed ids of nothing.
var missing = map[string]string{"pod_id": "019b0000-0000-7000-8000-000000000000", "inbox_id": "nobody@podmail.test", "domain_id": "nothing.test",
	"api_key_id": "019b0000-0000-7000-8000-000000000000", "message_id": "<nothing@example.org>",
	"direction": "receive", "type": "block", "entry": "nothing.example", "draft_id": "019b0000-0000-7000-8000-000000000000", "draft_attachment_id": "nothing",
	"thread_id": "019b0000-0000-7000-8000-000000000000", "attachment_id": "nothing"}

// TestForeignIsMissing: at every route, what belongs to another tenant gets exactly the answer of what does not exist,
// and stays as it was.
func TestForeignIsMissing(t *testing.T) {
	d := openDoor(t, web.Limits{})
	own, foreign := d.tenantNamed(t, "alpha"), d.tenantNamed(t, "beta")
	org := d.Key(t, d.Org)
	before := snapshot(t, d, org, own)
	for _, r := range routes(d) {
		names := paramNames(r.Path)
		if len(names) == 0 {
			continue
		}
		for actor, key := range map[string]string{"foreign pod": foreign.podKey, "foreign inbox": foreign.inboxKey} {
			got := d.call(t, key, r.Method, fill(r.Path, own.ids), bodyFor(r, own.ids))
			same(t, actor, r, got, d.call(t, key, r.Method, fill(r.Path, missing), bodyFor(r, missing)))
			if got.status != http.StatusNotFound && got.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %s", actor, r.Method, r.Path, got.status, got.body)
			}
		}
		// The way there is the caller's own, the last thing named is not.
		for i := 1; i < len(names); i++ {
			lured, lost := maps.Clone(foreign.ids), maps.Clone(foreign.ids)
			for _, name := range names[i:] {
				lured[name], lost[name] = own.ids[name], missing[name]
				if name == "attachment_id" {
					lured["draft_"+name], lost["draft_"+name] = own.ids["draft_"+name], missing["draft_"+name]
				}
			}
			for actor, key := range map[string]string{"organization": org, "foreign pod": foreign.podKey, "foreign inbox": foreign.inboxKey} {
				got := d.call(t, key, r.Method, fill(r.Path, lured), bodyFor(r, lured))
				same(t, actor+" on its own way", r, got, d.call(t, key, r.Method, fill(r.Path, lost), bodyFor(r, lost)))
				if got.status < 400 {
					t.Errorf("%s on its own way: %s %s: %d %s", actor, r.Method, r.Path, got.status, got.body)
				}
			}
		}
	}
	if diff := cmp.Diff(before, snapshot(t, d, org, own)); diff != "" {
		t.Error("the tenant changed:", diff)
	}
}

// same compares all that a caller can see of two answers but the ids that differ by nature.
func same(t *testing.T, actor string, r *echo.Route, a, b reply) {
	t.Helper()
	for _, x := range []reply{a, b} {
		x.header.Del("X-Request-Id")
		x.header.Del("Date")
	}
	if diff := cmp.Diff(b, a, cmp.AllowUnexported(reply{})); diff != "" {
		t.Errorf("%s can tell foreign from missing at %s %s: %s", actor, r.Method, r.Path, diff)
	}
}

// snapshot is all that the organization's key sees of a tenant.
func snapshot(t *testing.T, d *door, org string, n *tenant) (seen []string) {
	t.Helper()
	for _, path := range []string{"/v0/pods/:pod_id", "/v0/pods/:pod_id/inboxes", "/v0/pods/:pod_id/domains", "/v0/domains/:domain_id", "/v0/pods/:pod_id/threads", "/v0/pods/:pod_id/threads/:thread_id", "/v0/inboxes/:inbox_id/messages", "/v0/pods/:pod_id/drafts", "/v0/pods/:pod_id/drafts/:draft_id"} {
		seen = append(seen, d.call(t, org, "GET", fill(path, n.ids)+"?include_trash=true&include_spam=true", "").body)
	}
	keys := d.call(t, org, "GET", fill("/v0/pods/:pod_id/api-keys", n.ids), "").body
	return append(seen, usedAt.ReplaceAllString(keys, ""))
}

// paramNames are the ids in a path. Lists and their entries are named by what they are, and are there for everybody.
func paramNames(path string) (names []string) {
	for p := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(p, ":"); ok && !slices.Contains([]string{"direction", "type", "entry"}, name) {
			names = append(names, name)
		}
	}
	return names
}

// TestScopes: what each kind of key can do at every route, and that nobody below the organization ever sees the other
// tenants.
func TestScopes(t *testing.T) {
	d := openDoor(t, web.Limits{})
	org := d.Key(t, d.Org)
	d.tenantNamed(t, "beta")
	all := routes(d)
	if len(all) < 61 {
		t.Fatal("the routes are not all here:", len(all))
	}
	made, owns := 0, map[string]*tenant{}
	for _, r := range all {
		for _, actor := range []string{"organization", "pod", "inbox"} {
			if owns[actor] == nil || consumes(r) {
				made++
				owns[actor] = d.tenantNamed(t, "gamma"+strconv.Itoa(made))
			}
			own := owns[actor]
			key := map[string]string{"organization": org, "pod": own.podKey, "inbox": own.inboxKey}[actor]
			got := d.call(t, key, r.Method, fill(r.Path, own.ids), bodyFor(r, own.ids))
			if want := expected(actor, r); got.status != want {
				t.Errorf("%s: %s %s: %d %s, want %d", actor, r.Method, r.Path, got.status, got.body, want)
			}
			if got.status >= 400 {
				got.wellFormed(t)
			}
			if actor != "organization" && (strings.Contains(got.body, servertest.Poison) || strings.Contains(got.body, "beta")) {
				t.Errorf("%s: %s %s shows another tenant: %s", actor, r.Method, r.Path, got.body)
			}
			if none := d.call(t, "", r.Method, fill(r.Path, own.ids), ""); none.status != 401 || none.get(t, "code") != "missing_authorization" {
				t.Errorf("nobody: %s %s: %d %s", r.Method, r.Path, none.status, none.body)
			}
			if consumes(r) {
				owns[actor] = nil
			}
		}
	}
}

// consumes tells whether a route takes away what it is about.
func consumes(r *echo.Route) bool {
	return r.Method == http.MethodDelete || strings.HasSuffix(r.Path, "/drafts/:draft_id/send")
}

// expected is the scope rule of the contract (semantics.md, API keys and "decided here").
func expected(actor string, r *echo.Route) int {
	podSet := strings.HasPrefix(r.Path, "/v0/pods") && len(strings.Split(r.Path, "/")) <= 4
	switch {
	case actor == "inbox" && strings.HasPrefix(r.Path, "/v0/pods"):
		return 403
	case actor == "inbox" && (r.Method == "POST" && r.Path == "/v0/inboxes" || strings.HasPrefix(r.Path, "/v0/domains")):
		return 403
	case actor == "pod" && podSet && r.Method != "GET":
		return 403
	case r.Path == "/v0/pods/:pod_id" && r.Method == "DELETE":
		return 403 // it has an inbox
	case r.Method == "DELETE" || strings.HasSuffix(r.Path, "/verify"):
		return 204
	default:
		return 200
	}
}
