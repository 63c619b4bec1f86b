package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/web"
)

// TestPermissions: at every route, the permissions that /openapi.json names are what a key needs: without one of them,
// though with all others, it is refused and told which; with them alone it gets what an unrestricted key gets.
func TestPermissions(t *testing.T) {
	d := openDoor(t, web.Limits{})
	needs := d.documentedPermissions(t)
	org, made := d.Key(t, d.Org), 0
	var own *tenant
	for _, r := range routes(d) {
		permissions := needs[r.Method+" "+r.Path]
		if len(permissions) == 0 {
			continue
		}
		if own == nil || consumes(r) {
			made++
			own = d.tenantNamed(t, "delta"+strconv.Itoa(made))
		}
		alone := mail.Permissions{}
		for _, permission := range permissions {
			alone[permission] = true
			others := mail.Permissions{}
			for _, p := range mail.AllPermissions() {
				others[p] = p != permission
			}
			got := d.call(t, d.restricted(t, org, r.Path, own, others), r.Method, fill(r.Path, own.ids), bodyFor(r, own.ids))
			if got.status != http.StatusForbidden || got.get(t, "code") != "missing_permission" || got.get(t, "message") != "Forbidden" || !strings.Contains(got.get(t, "fix"), string(permission)) {
				t.Errorf("without %s: %s %s: %d %s", permission, r.Method, r.Path, got.status, got.body)
			}
		}
		got := d.call(t, d.restricted(t, org, r.Path, own, alone), r.Method, fill(r.Path, own.ids), bodyFor(r, own.ids))
		if want := expected("organization", r); got.status != want {
			t.Errorf("with %v alone: %s %s: %d %s, want %d", permissions, r.Method, r.Path, got.status, got.body, want)
		}
		if consumes(r) {
			own = nil
		}
	}
}

// documentedPermissions is what the document says a key needs, by method and path as the router has it.
func (d *door) documentedPermissions(t *testing.T) map[string][]mail.Permission {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Permissions []mail.Permission `json:"x-permissions"`
		}
	}
	if err := json.Unmarshal([]byte(d.call(t, "", "GET", "/openapi.json", "").body), &document); err != nil {
		t.Fatal(err)
	}
	needs := map[string][]mail.Permission{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			needs[strings.ToUpper(method)+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = o.Permissions
		}
	}
	if len(needs) < 50 {
		t.Fatal("the document names only", len(needs), "routes")
	}
	return needs
}

// restricted makes a key that has some permissions: of the organization for routes about pods, else of the tenant's
// pod.
func (d *door) restricted(t *testing.T, org, path string, own *tenant, ps mail.Permissions) string {
	t.Helper()
	at := "/v0/pods/" + own.ids["pod_id"] + "/api-keys"
	if strings.HasPrefix(path, "/v0/pods") {
		at = "/v0/api-keys"
	}
	body, err := json.Marshal(map[string]any{"permissions": ps})
	if err != nil {
		t.Fatal(err)
	}
	return d.call(t, org, "POST", at, string(body)).get(t, "api_key")
}
