package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/web"
)

// TestForeignIsMissing: at every route, what belongs to another tenant gets exactly the answer of what does not exist,
// with and without permissions, and stays as it was.
func TestForeignIsMissing(t *testing.T) {
	d := openDoor(t, web.Limits{})
	own, foreign := d.tenantNamed(t, "alpha"), d.tenantNamed(t, "beta")
	org := d.Key(t, d.Org)
	all := routes(d)
	before := snapshot(t, d, org, own, all)
	strangers := map[string]string{"foreign pod": foreign.podKey, "foreign inbox": foreign.inboxKey,
		"foreign pod without permissions": foreign.key(t, "pod", mail.Permissions{}), "foreign inbox without permissions": foreign.key(t, "inbox", mail.Permissions{})}
	for _, r := range all {
		names := slices.DeleteFunc(paramNames(r.Path), func(name string) bool { return slices.Contains(common, name) })
		if len(names) == 0 {
			continue
		}
		for actor, key := range strangers {
			got := d.ask(t, key, r, own.ids)
			same(t, actor, r, got, d.ask(t, key, r, missing()))
			if got.status != http.StatusNotFound && got.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %s", actor, r.Method, r.Path, got.status, got.body)
			}
		}
		// The way there is the caller's own, the last thing named is not.
		for i := 1; i < len(names); i++ {
			lured, lost := maps.Clone(foreign.ids), maps.Clone(foreign.ids)
			for _, name := range names[i:] {
				lured[name], lost[name] = own.ids[name], missing()[name]
			}
			for actor, key := range with(strangers, "organization", org) {
				got := d.ask(t, key, r, lured)
				same(t, actor+" on its own way", r, got, d.ask(t, key, r, lost))
				if got.status < 400 {
					t.Errorf("%s on its own way: %s %s: %d %s", actor, r.Method, r.Path, got.status, got.body)
				}
			}
		}
	}
	if diff := cmp.Diff(before, snapshot(t, d, org, own, all)); diff != "" {
		t.Error("the tenant changed:", diff)
	}
}

func with(m map[string]string, key, value string) map[string]string {
	m = maps.Clone(m)
	m[key] = value
	return m
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

// passing is what differs between two looks at something that did not change.
var passing = regexp.MustCompile(`"(used_at|download_url|expires_at)":"[^"]*"|"timestamp":"[^"]*","value"`)

// snapshot is all that the organization's key can get of a tenant.
func snapshot(t *testing.T, d *door, org string, n *tenant, all []*echo.Route) (seen []string) {
	t.Helper()
	for _, r := range all {
		if r.Method == http.MethodGet && strings.Contains(r.Path, ":") {
			got := d.ask(t, org, r, n.ids)
			seen = append(seen, fmt.Sprint(r.Path, got.status, passing.ReplaceAllString(got.body, "")))
		}
	}
	return seen
}

// TestMatrix: at every route, what a key of each scope gets with all permissions, with those alone that the document
// names, and without one of them; and that nobody below the organization ever sees the other tenants.
func TestMatrix(t *testing.T) {
	d := openDoor(t, web.Limits{})
	d.tenantNamed(t, "beta")
	documented, made := d.documented(t), 0
	owns := map[string]*tenant{}
	for _, r := range routes(d) {
		about, ok := documented[r.Method+" "+r.Path]
		if !ok {
			t.Fatalf("%s %s is not in the document", r.Method, r.Path)
		}
		if about.open() {
			continue
		}
		for _, actor := range []string{"organization", "pod", "inbox"} {
			if owns[actor] == nil {
				made++
				owns[actor] = d.tenantNamed(t, fmt.Sprint("gamma", made))
			}
			own := owns[actor]
			refused(t, actor, r, own, about.Permissions)
			alone := mail.Permissions{}
			for _, p := range about.Permissions {
				alone[p] = true
			}
			for what, permissions := range map[string]mail.Permissions{"with its permissions alone": alone, "unrestricted": nil} {
				got := d.ask(t, own.key(t, actor, permissions), r, own.ids)
				if want := expected(t, actor, r); got.status != want {
					t.Errorf("%s %s: %s %s: %d %s, want %d", actor, what, r.Method, r.Path, got.status, got.body, want)
				}
				if got.status >= 400 {
					got.wellFormed(t)
				} else if !own.replace(t, consumed(r)) {
					made++
					own = d.tenantNamed(t, fmt.Sprint("gamma", made))
					owns[actor] = own
				}
				if actor != "organization" && (strings.Contains(got.body, servertest.Poison) || strings.Contains(got.body, "beta")) {
					t.Errorf("%s: %s %s shows another tenant: %s", actor, r.Method, r.Path, got.body)
				}
			}
		}
	}
}

// refused: nobody is let in without a key, nor with one that lacks a permission, which it is told.
func refused(t *testing.T, actor string, r *echo.Route, own *tenant, needs []mail.Permission) {
	t.Helper()
	if none := own.d.ask(t, "", r, own.ids); none.status != 401 || none.get(t, "code") != "missing_authorization" {
		t.Errorf("nobody: %s %s: %d %s", r.Method, r.Path, none.status, none.body)
	}
	for _, p := range needs {
		others := mail.Permissions{}
		for _, other := range mail.AllPermissions() {
			others[other] = other != p
		}
		got := own.d.ask(t, own.key(t, actor, others), r, own.ids)
		if got.status != http.StatusForbidden {
			t.Errorf("%s without %s: %s %s: %d %s", actor, p, r.Method, r.Path, got.status, got.body)
		} else if !outOfScope(actor, r) && (got.get(t, "code") != "missing_permission" || got.get(t, "message") != "Forbidden" || !strings.Contains(got.get(t, "fix"), string(p))) {
			t.Errorf("%s without %s: %s %s says %s", actor, p, r.Method, r.Path, got.body)
		}
	}
}

// expected is what a key with permission gets.
func expected(t *testing.T, actor string, r *echo.Route) int {
	t.Helper()
	if outOfScope(actor, r) {
		return http.StatusForbidden
	}
	return requestOf(t, r).status
}

// outOfScope is the contract's rule of what a key cannot do for its scope (semantics.md, API keys and "decided here").
func outOfScope(actor string, r *echo.Route) bool {
	operators := strings.HasPrefix(r.Path, "/v0/routes") || strings.HasPrefix(r.Path, "/v0/trace") || r.Method != "GET" && (strings.HasPrefix(r.Path, "/v0/queue/pauses") || strings.HasSuffix(r.Path, "/limits"))
	if operators && actor != "organization" {
		return true
	}
	podSet := strings.HasPrefix(r.Path, "/v0/pods") && len(strings.Split(r.Path, "/")) <= 4
	switch actor {
	case "inbox":
		return strings.HasPrefix(r.Path, "/v0/pods") || r.Method == "POST" && r.Path == "/v0/inboxes" || strings.HasPrefix(r.Path, "/v0/domains")
	case "pod":
		return podSet && r.Method != "GET"
	}
	return false
}

// key is an API key of the actor's scope over the tenant; nil permissions do not restrict it.
func (n *tenant) key(t testing.TB, actor string, ps mail.Permissions) string {
	t.Helper()
	if n.keys == nil {
		n.keys = map[string]string{"organization null": n.d.Key(t, n.d.Org), "pod null": n.podKey, "inbox null": n.inboxKey}
	}
	b, err := json.Marshal(ps)
	if err != nil {
		t.Fatal(err)
	}
	kind := actor + " " + string(b)
	if n.keys[kind] == "" {
		at := map[string]string{"organization": "/v0", "pod": "/v0/pods/" + n.ids["pod_id"], "inbox": "/v0/inboxes/" + n.ids["inbox_id"]}[actor]
		n.keys[kind] = n.d.call(t, n.keys["organization null"], "POST", at+"/api-keys", `{"permissions":`+string(b)+`}`).get(t, "api_key")
	}
	return n.keys[kind]
}

// operation is what the document says of a route.
type operation struct {
	Permissions []mail.Permission `json:"x-permissions"`
	Security    *[]any            // empty: it takes no key
}

func (o operation) open() bool { return o.Security != nil && len(*o.Security) == 0 }

// documented is what /openapi.json says, by method and path as the router has it.
func (d *door) documented(t *testing.T) map[string]operation {
	t.Helper()
	var document struct {
		Paths map[string]map[string]operation
	}
	if err := json.Unmarshal([]byte(d.call(t, "", "GET", "/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	all := map[string]operation{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			all[strings.ToUpper(method)+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = o
		}
	}
	return all
}
