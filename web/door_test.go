package web

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"podmail/mail"
)

// behind runs a handler behind the door.
func behind(t *testing.T, h http.HandlerFunc) (origin string, log *strings.Builder) {
	t.Helper()
	log = &strings.Builder{}
	fail := func(w http.ResponseWriter, r *http.Request, err error) {
		http.Error(w, "failed", http.StatusInternalServerError)
	}
	d := &door{next: h, fail: fail, log: slog.New(slog.NewTextHandler(log, nil)), limits: Limits{}.withDefaults(), newTrace: func() string { return "T1" }}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s.URL, log
}

func TestPanicsAreContained(t *testing.T) {
	origin, log := behind(t, func(w http.ResponseWriter, r *http.Request) { panic("oops") })
	resp, err := http.Get(origin + "/downloads/token")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 500 || resp.Header.Get("X-Request-Id") != "T1" {
		t.Error(resp)
	}
	if l := log.String(); !strings.Contains(l, "oops") || !strings.Contains(l, "door_test.go") || !strings.Contains(l, "trace=T1") || strings.Contains(l, "token") {
		t.Error(l)
	}
}

// A panic after the answer began must not leave half an answer that looks whole.
func TestPanicMidway(t *testing.T) {
	origin, _ := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(strings.Repeat("x", 10000)))
		http.NewResponseController(w).Flush()
		panic("oops")
	})
	resp, err := http.Get(origin)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

func TestTraceIsInContext(t *testing.T) {
	origin, _ := behind(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, mail.TraceID(r.Context())+r.Header.Get("X-Request-Id"))
	})
	r, err := http.NewRequest("GET", origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "T1" || err != nil {
		t.Error(string(b), err)
	}
}

// A handler may take longer than a request may take to arrive.
func TestSlowHandlerKeepsItsContext(t *testing.T) {
	ended := make(chan error, 2)
	h := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		r.Body.Read(make([]byte, 1)) // once more, as some decoders do
		time.Sleep(400 * time.Millisecond)
		ended <- r.Context().Err()
	}
	fail := func(http.ResponseWriter, *http.Request, error) {}
	limits := Limits{StallTimeout: 100 * time.Millisecond, BodyTimeout: 200 * time.Millisecond}.withDefaults()
	d := &door{next: http.HandlerFunc(h), fail: fail, log: slog.New(slog.DiscardHandler), limits: limits, newTrace: func() string { return "" }}
	s := httptest.NewUnstartedServer(d)
	s.Config.ReadTimeout = limits.BodyTimeout
	s.Start()
	defer s.Close()
	for _, body := range []string{"", "{}"} {
		resp, err := s.Client().Post(s.URL, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if err := <-ended; err != nil {
			t.Errorf("body %q: %v", body, err)
		}
	}
}
