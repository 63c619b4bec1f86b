package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// watched puts a proxy before an API that fails the test for every answer, and every request that was taken, which is
// not as /openapi.json says. It returns the proxy's origin.
func watched(t *testing.T, api string) string {
	t.Helper()
	described := readDescription(t, api)
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			path, _, _ := strings.Cut(r.In.RequestURI, "?")
			r.Out.URL.Opaque = path // as it was spelled
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if err == nil {
				described.check(t, r, body)
			}
			return err
		},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || !strings.HasPrefix(r.URL.Path, "/v0/") {
			(&httputil.ReverseProxy{Rewrite: proxy.Rewrite}).ServeHTTP(w, r)
			return
		}
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
		proxy.ServeHTTP(w, r.WithContext(withSent(r, sent)))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// description is what /openapi.json says, ready to check against.
type description struct {
	operations []operation
	problem    *jsonschema.Schema
}

type operation struct {
	id, method   string
	path         *regexp.Regexp
	ids          int                // in path
	body, answer *jsonschema.Schema // nil: none
	status       int                // of success
}

// description is read once: all servers are the same program.
var describedOnce struct {
	sync.Mutex
	description *description
}

func readDescription(t *testing.T, api string) *description {
	t.Helper()
	describedOnce.Lock()
	defer describedOnce.Unlock()
	if describedOnce.description == nil {
		describedOnce.description = parseDescription(t, api)
	}
	return describedOnce.description
}

func parseDescription(t *testing.T, api string) *description {
	t.Helper()
	resp, err := http.Get(api + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	type content struct {
		Content map[string]struct{ Schema json.RawMessage }
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			RequestBody *content
			Responses   map[string]content
		}
	}
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	schema := func(pointer string) *jsonschema.Schema {
		s, err := compiler.Compile("openapi.json#" + pointer)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	d := &description{problem: schema("/components/schemas/ErrorResponse")}
	for path, methods := range document.Paths {
		for method, o := range methods {
			at := "/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
			op := operation{id: o.OperationID, method: strings.ToUpper(method), status: http.StatusNoContent, ids: strings.Count(path, "{"),
				path: regexp.MustCompile("^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "[^/]+") + "$")}
			if o.RequestBody != nil {
				op.body = schema(at + "/requestBody/content/application~1json/schema")
			}
			if answer, ok := o.Responses["200"]; ok {
				op.status = http.StatusOK
				if answer.Content["application/json"].Schema != nil {
					op.answer = schema(at + "/responses/200/content/application~1json/schema")
				}
			}
			d.operations = append(d.operations, op)
		}
	}
	return d
}

// find finds the operation of a request; one that is spelled out goes before one with ids in its place.
func (d *description) find(r *http.Request) (found *operation) {
	path, _, _ := strings.Cut(r.URL.Opaque, "?")
	for i := range d.operations {
		o := &d.operations[i]
		if o.method == r.Method && o.path.MatchString(path) && (found == nil || o.ids < found.ids) {
			found = o
		}
	}
	return found
}

func (d *description) check(t *testing.T, r *http.Response, body []byte) {
	o := d.find(r.Request)
	where := fmt.Sprintf("%s %s: %d", r.Request.Method, r.Request.URL.Opaque, r.StatusCode)
	switch {
	case r.StatusCode >= 400:
		valid(t, where, d.problem, body)
	case o == nil:
		t.Errorf("%s: /openapi.json does not have it", where)
	case r.StatusCode != o.status:
		t.Errorf("%s: /openapi.json promises %d", where, o.status)
	default:
		valid(t, where+": answer", o.answer, body)
		if sent := sentOf(r.Request); len(sent) > 0 {
			valid(t, where+": request", o.body, sent)
		}
	}
}

func valid(t *testing.T, where string, s *jsonschema.Schema, body []byte) {
	if s == nil {
		return
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = s.Validate(v)
	}
	if err != nil {
		t.Errorf("%s is not as /openapi.json says: %v\n%.2000s", where, err, body)
	}
}

type sentKey struct{}

// withSent keeps a request's body for when the answer is there.
func withSent(r *http.Request, sent []byte) context.Context {
	return context.WithValue(r.Context(), sentKey{}, sent)
}

func sentOf(r *http.Request) []byte {
	sent, _ := r.Context().Value(sentKey{}).([]byte)
	return sent
}

// TestDescriptionNoticesWrongAnswers proves that the proxy can fail.
func TestDescriptionNoticesWrongAnswers(t *testing.T) {
	t.Parallel()
	p := start(t)
	d := readDescription(t, p.API)
	for body, good := range map[string]bool{
		`{"pod_id":"p","name":"n","updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}`: true,
		`{"pod_id":"p","name":"n","updated_at":"yesterday","created_at":"2026-01-01T00:00:00.000Z"}`:                false,
		`{"pod_id":"p","updated_at":"2026-01-01T00:00:00.000Z","created_at":"2026-01-01T00:00:00.000Z"}`:            false,
	} {
		fake := &testing.T{}
		r := &http.Request{Method: "GET", URL: &url.URL{Opaque: "/v0/pods/p"}}
		d.check(fake, &http.Response{StatusCode: 200, Request: r}, []byte(body))
		if fake.Failed() == good {
			t.Errorf("good is %v: %s", good, body)
		}
	}
}
