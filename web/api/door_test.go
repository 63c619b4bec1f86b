package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

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
	names  atomic.Int64 // given out
}

// openDoor opens one to whose server URLs on this machine are as good as any.
func openDoor(t testing.TB, limits web.Limits) *door {
	t.Helper()
	return open(t, web.Options{Limits: limits, AllowPrivate: true})
}

func open(t testing.TB, o web.Options) *door {
	t.Helper()
	d := &door{World: servertest.New(t), log: &syncBuffer{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.origin = "http://" + l.Addr().String()
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Server, o.Log, o.PublicURL = d.Server, log, "http://docs.test"
	s := web.New(o)
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
	if _, list := e["errors"].([]any); list != (r.status == http.StatusBadRequest) {
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
