package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// routed tells which route a request line leads to and the ids that its handler reads.
func routed(t testing.TB, method, target string) (route string, ids map[string]string) {
	t.Helper()
	e := echo.New()
	var paths []string
	probe := &API{errors: newErrorTable()}
	probe.Mount(e)
	for _, r := range e.Routes() {
		paths = append(paths, r.Method+" "+r.Path)
	}
	e = echo.New()
	for _, p := range paths {
		m, path, _ := strings.Cut(p, " ")
		e.Add(m, path, func(c echo.Context) error {
			route, ids = c.Path(), map[string]string{}
			for _, name := range c.ParamNames() {
				id, err := pathID(c, name)
				if err != nil {
					id = "!"
				}
				ids[name] = id
			}
			return nil
		})
	}
	u, err := url.ParseRequestURI(target) // as net/http reads a request line
	if err != nil {
		return "", nil
	}
	r := httptest.NewRequest(method, "/", nil)
	r.URL = u
	SplitPaths(e).ServeHTTP(httptest.NewRecorder(), r)
	return route, ids
}

func TestPathSpellings(t *testing.T) {
	const one = "/v0/inboxes/:inbox_id/messages/:message_id"
	for _, tc := range []struct{ method, target, route, inbox, message, attachment string }{
		{"GET", "/v0/inboxes/a%40x.test/messages/%3Cm%40h%3E", one, "a@x.test", "<m@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<m@h>", one, "a@x.test", "<m@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/m@h", one, "a@x.test", "m@h", ""},
		{"GET", "/v0/inboxes/a+b@x.test/messages/<m+n=o@h>", one, "a+b@x.test", "<m+n=o@h>", ""},
		{"GET", "/v0/inboxes/a%2Bb%40x.test/messages/%3Cm%2Bn%40h%3E", one, "a+b@x.test", "<m+n@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/b/c@h>", one, "a@x.test", "<a/b/c@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/%3Ca%2Fb@h%3E", one, "a@x.test", "<a/b@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a%2Fb/c@h>", one, "a@x.test", "<a/b/c@h>", ""}, // both at once
		{"GET", "/v0/inboxes/a@x.test/messages/<a//b@h>/raw", one + "/raw", "a@x.test", "<a//b@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/b@h>/raw", one + "/raw", "a@x.test", "<a/b@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/raw/b@h>/raw", one + "/raw", "a@x.test", "<a/raw/b@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/%3Ca%2Fraw", one, "a@x.test", "<a/raw", ""},
		{"POST", "/v0/inboxes/a@x.test/messages/<a/b@h>/reply", one + "/reply", "a@x.test", "<a/b@h>", ""},
		{"POST", "/v0/inboxes/a@x.test/messages/<a/b@h>/reply-all", one + "/reply-all", "a@x.test", "<a/b@h>", ""},
		{"POST", "/v0/inboxes/a@x.test/messages/<reply/b@h>/forward", one + "/forward", "a@x.test", "<reply/b@h>", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/b@h>/attachments/7", one + "/attachments/:attachment_id", "a@x.test", "<a/b@h>", "7"},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/attachments/b@h>/attachments/7", one + "/attachments/:attachment_id", "a@x.test", "<a/attachments/b@h>", "7"},
		{"GET", "/v0/inboxes/my-client.id~1/messages/%253Cx%2540h%253E", one, "my-client.id~1", "%3Cx%40h%3E", ""}, // decoded once
		{"POST", "/v0/inboxes/a@x.test/messages/send", "/v0/inboxes/:inbox_id/messages/send", "a@x.test", "", ""},
		{"POST", "/v0/inboxes/a@x.test/messages/batch-get", "/v0/inboxes/:inbox_id/messages/batch-get", "a@x.test", "", ""},
		{"GET", "/v0/inboxes/a@x.test/messages", "/v0/inboxes/:inbox_id/messages", "a@x.test", "", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/", "", "", "", ""},
		{"GET", "/v0/inboxes/a@x.test/messages/<a/attachments/b>", one, "a@x.test", "<a/attachments/b>", ""},
		{"GET", "/v0/inboxes//messages/<a@h>", one, "!", "<a@h>", ""},
	} {
		t.Run(tc.method+tc.target, func(t *testing.T) {
			route, ids := routed(t, tc.method, tc.target)
			if route != tc.route || ids["inbox_id"] != tc.inbox || ids["message_id"] != tc.message || ids["attachment_id"] != tc.attachment {
				t.Errorf("led to %s %q", route, ids)
			}
		})
	}
}

// FuzzPaths: whatever stands between messages/ and a known tail reaches the handler as it was, escaped or not.
func FuzzPaths(f *testing.F) {
	for _, id := range []string{"<a/b@h>", "a+b@h", "%2F", "//", "..", "raw", "a/attachments/b", "\x00\xff", "send", "é"} {
		for _, tail := range []byte{0, 1, 2} {
			f.Add(id, tail)
		}
	}
	f.Fuzz(func(t *testing.T, id string, n byte) {
		if id == "" || len(id) > 1000 {
			return
		}
		tail := []string{"", "/raw", "/attachments/7"}[n%3]
		escaped := "/v0/inboxes/a@x.test/messages/" + url.PathEscape(id) + tail
		route, ids := routed(t, http.MethodGet, escaped)
		if ids["message_id"] != id {
			t.Errorf("%s led to %s %q", escaped, route, ids)
		}
		raw := "<" + strings.Map(func(r rune) rune { // what may stand raw in a request line
			if r <= ' ' || r == '%' || r == '?' || r == '#' || r >= 0x7f {
				return 'x'
			}
			return r
		}, id) + ">"
		route, ids = routed(t, http.MethodGet, "/v0/inboxes/a@x.test/messages/"+raw+tail)
		if ids["message_id"] != raw {
			t.Errorf("raw %s%s led to %s %q", raw, tail, route, ids)
		}
	})
}
