package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"podmail/web"
)

func get(t *testing.T, addr, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(path, resp.StatusCode, string(b), err)
	}
	return string(b)
}

// TestOpenAPI: the document describes every route, names no operation twice, and all that it refers to is there and is
// a schema; the page shows every operation.
func TestOpenAPI(t *testing.T) {
	_, addr, _ := open(t, web.Limits{})
	var document struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	body := get(t, addr, "/openapi.json")
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatal(err)
	}
	page := get(t, addr, "/docs")
	seen := map[string]bool{}
	for path, methods := range document.Paths {
		for method, o := range methods {
			if seen[o.OperationID] {
				t.Errorf("%s %s: another operation is called %s too", method, path, o.OperationID)
			}
			seen[o.OperationID] = true
			if !strings.Contains(page, path) {
				t.Errorf("the page does not show %s", path)
			}
		}
	}
	for path, id := range map[string]string{"/v0": "websockets.connect", "/v0/pods/{pod_id}": "pods.get", "/v0/inboxes/{inbox_id}": "inboxes.get"} {
		if got := document.Paths[path]["get"].OperationID; got != id {
			t.Errorf("%s is %q, not %s", path, got, id)
		}
	}
	if document.OpenAPI != "3.1.0" || len(seen) < 56 {
		t.Errorf("version %s, %d operations", document.OpenAPI, len(seen))
	}
	whole, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	for name := range document.Components.Schemas {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ref := range regexp.MustCompile(`#/components/schemas/(\w+)`).FindAllStringSubmatch(body, -1) {
		if document.Components.Schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
}
