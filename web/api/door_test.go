package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/web"
	"podmail/web/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is the real HTTP door over a fresh world, on a loopback port.
type door struct {
	*servertest.World
	origin string
	log    *syncBuffer
}

func openDoor(t testing.TB, limits web.Limits) *door {
	t.Helper()
	d := &door{World: servertest.New(t), log: &syncBuffer{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.origin = "http://" + l.Addr().String()
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := web.New(web.Options{Server: d.Server, Log: log, PublicURL: "http://docs.test", Limits: limits})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if testing.Verbose() && t.Failed() {
			os.Stderr.WriteString(d.log.String())
		}
	})
	return d
}

// reply is an answer of the door, read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (d *door) call(t testing.TB, key, method, path, body string) reply {
	t.Helper()
	r, err := http.NewRequest(method, d.origin, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	r.URL.Opaque = path // sent as it is, however it is spelled
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return d.do(t, r)
}

func (d *door) do(t testing.TB, r *http.Request) reply {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

// get reads a value of the answer's JSON by a path such as messages.0.message_id.
func (r reply) get(t testing.TB, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
	for _, step := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			if i := int(step[0] - '0'); i < len(at) {
				v = at[i]
			} else {
				v = nil
			}
		}
	}
	s, ok := v.(string)
	if !ok {
		t.Fatalf("no text at %s in %s", path, r.body)
	}
	return s
}

// wellFormed checks that an error is told as the contract has it.
func (r reply) wellFormed(t testing.TB) {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Errorf("%d %q: %v", r.status, r.body, err)
		return
	}
	for _, field := range []string{"name", "code", "message", "docs"} {
		if s, _ := e[field].(string); s == "" {
			t.Errorf("%d %s: no %s", r.status, r.body, field)
		}
	}
	if _, list := e["errors"].([]any); list != (e["code"] == "validation_error") {
		t.Errorf("%d %s: errors", r.status, r.body)
	}
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("X-Request-Id") == "" {
		t.Errorf("%d: header %v", r.status, r.header)
	}
}

// routes lists the API's routes that take a key.
func routes(d *door) []*echo.Route {
	e := echo.New()
	api.New(api.Options{Server: d.Server, Log: slog.New(slog.DiscardHandler), PublicURL: ""}).Mount(e)
	var out []*echo.Route
	for _, r := range e.Routes() {
		if strings.HasPrefix(r.Path, "/v0/") {
			out = append(out, r)
		}
	}
	return out
}

// tenant is a pod with an inbox that holds one message with an attachment, and the keys to them.
type tenant struct {
	pod, inbox       mail.Grant
	podKey, inboxKey string
	ids              map[string]string // path parameter to id
}

// tenantNamed makes a tenant whose texts all hold its name.
func (d *door) tenantNamed(t testing.TB, name string) *tenant {
	t.Helper()
	n := &tenant{pod: d.Pod(t, name)}
	n.inbox = d.Inbox(t, n.pod, name)
	n.podKey = d.Key(t, n.pod)
	own := n.inbox
	own.KeyScope = own.Scope
	n.inboxKey = d.Key(t, own)
	d.Deliver(t, n.inbox.InboxID, "From: "+name+" <writer@example.org>\nTo: "+n.inbox.InboxID+"\nSubject: "+name+" subject\nMessage-ID: <"+name+
		"@example.org>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n"+name+
		" text\n--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename=\""+name+".csv\"\nContent-Transfer-Encoding: base64\n\naGVsbG8sd29ybGQK\n--b--\n")
	message := "<" + name + "@example.org>"
	m := d.call(t, n.inboxKey, "GET", "/v0/inboxes/"+n.inbox.InboxID+"/messages/"+url.PathEscape(message), "")
	k := d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/api-keys", `{"name":"`+name+` key"}`)
	dr := d.call(t, n.inboxKey, "POST", "/v0/inboxes/"+n.inbox.InboxID+"/drafts",
		`{"subject":"`+name+` draft","to":["`+name+`@elsewhere.test"],"attachments":[{"filename":"`+name+`.txt","content":"aGk="}]}`)
	for at, key := range map[string]string{"/v0": d.Key(t, d.Org), "/v0/pods/" + n.pod.PodID: n.podKey, "/v0/inboxes/" + n.inbox.InboxID: n.inboxKey} {
		d.call(t, key, "POST", at+"/lists/receive/block", `{"entry":"`+name+`.example"}`)
	}
	custom := d.Domain(t, n.pod, server.NewDomain{Name: name + ".example", ClientID: name})
	n.ids = map[string]string{"domain_id": custom.Name, "direction": "receive", "type": "block", "entry": name + ".example", "draft_id": dr.get(t, "draft_id"), "draft_attachment_id": dr.get(t, "attachments.0.attachment_id"), "pod_id": n.pod.PodID, "inbox_id": n.inbox.InboxID, "api_key_id": k.get(t, "api_key_id"), "message_id": message,
		"thread_id": m.get(t, "thread_id"), "attachment_id": m.get(t, "attachments.0.attachment_id")}
	return n
}

// fill puts ids into a route's path.
func fill(route string, ids map[string]string) string {
	parts := strings.Split(route, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			if name == "attachment_id" && strings.Contains(route, "/drafts/") {
				name = "draft_attachment_id"
			}
			parts[i] = url.PathEscape(ids[name])
		}
	}
	if parts[len(parts)-1] == "search" {
		parts[len(parts)-1] += "?q=subject"
	}
	return strings.Join(parts, "/")
}

// bodyFor is a body with which a route does something.
func bodyFor(r *echo.Route, ids map[string]string) string {
	tail := r.Path[strings.LastIndexByte(r.Path, '/')+1:]
	switch {
	case r.Method == "GET" || r.Method == "DELETE":
		return ""
	case strings.HasSuffix(r.Path, "/drafts/:draft_id/send"):
		return `{"add_labels":["later"]}`
	case tail == ":type":
		return `{"entry":"` + ids["entry"] + `"}`
	case tail == ":draft_id":
		return `{"subject":"changed"}`
	case tail == "send" || tail == "forward":
		return `{"to":"someone@elsewhere.test","subject":"s","text":"t"}`
	case tail == "reply" || tail == "reply-all":
		return `{"text":"t"}`
	case tail == "batch-get":
		return `{"message_ids":["` + ids["message_id"] + `"]}`
	case tail == "batch-update":
		return `{"message_ids":["` + ids["message_id"] + `"],"add_labels":"seen"}`
	case tail == ":message_id" || tail == ":thread_id":
		return `{"add_labels":["seen"]}`
	case tail == ":inbox_id":
		return `{"display_name":"changed"}`
	case tail == ":domain_id":
		return `{"feedback_enabled":true}`
	case tail == "domains": // each route another name
		return fmt.Sprintf(`{"domain":"new%d.%s"}`, len(r.Path), ids["domain_id"])
	default:
		return `{"name":"n"}`
	}
}

// syncBuffer is a log that many goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
