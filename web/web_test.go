package web_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"podmail/server/servertest"
	"podmail/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, limits web.Limits) (s *web.Server, addr, key string) {
	t.Helper()
	w := servertest.New(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = web.New(web.Options{Server: w.Server, Log: slog.New(slog.DiscardHandler), PublicURL: "http://" + l.Addr().String(), Limits: limits})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error("serve:", err)
		}
	})
	return s, l.Addr().String(), w.Key(t, w.Org)
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHealth(t *testing.T) {
	_, addr, _ := open(t, web.Limits{})
	for path, want := range map[string]string{"/healthz": "ok", "/docs/errors": `<h2 id="not_found">`} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(b), want) || resp.Header.Get("X-Request-Id") == "" {
			t.Error(path, resp.StatusCode, string(b), err)
		}
	}
}

// TestIdlersAreLetGo: neither half a header, nor half a body, nor silence holds a connection.
func TestIdlersAreLetGo(t *testing.T) {
	_, addr, key := open(t, web.Limits{HeaderTimeout: 200 * time.Millisecond, IdleTimeout: 200 * time.Millisecond, StallTimeout: 200 * time.Millisecond, BodyTimeout: 1500 * time.Millisecond})
	for name, sent := range map[string]string{
		"silent":      "",
		"half header": "GET /healthz HTTP/1.1\r\nHost:",
		"idle":        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"half body":   "POST /v0/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, addr)
			if _, err := io.WriteString(c, sent); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			b, err := io.ReadAll(c)
			if err != nil || time.Since(start) > time.Second {
				t.Error(string(b), err, time.Since(start))
			}
		})
	}
	t.Run("trickling body", func(t *testing.T) {
		t.Parallel()
		c := dial(t, addr)
		if _, err := io.WriteString(c, "POST /v0/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+key+"\r\nContent-Length: 100000\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		gone := make(chan struct{})
		go func() {
			io.Copy(io.Discard, c)
			close(gone)
		}()
		for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			select {
			case <-gone:
				return
			default:
			}
			if _, err := io.WriteString(c, " "); err != nil && time.Since(start) < 3*time.Second {
				return
			}
			if time.Since(start) > 3*time.Second {
				t.Fatal("a byte at a time holds the connection")
			}
		}
	})
}

// TestKeptConnectionAfterPause: the deadlines of one answer do not cut the next.
func TestKeptConnectionAfterPause(t *testing.T) {
	_, addr, key := open(t, web.Limits{StallTimeout: 100 * time.Millisecond, BodyTimeout: 300 * time.Millisecond})
	c := dial(t, addr)
	r := bufio.NewReader(c)
	for i, request := range []string{
		"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /v0/inboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\nContent-Length: 19\r\n\r\n{\"username\":\"kept\"}",
		"DELETE /v0/inboxes/kept@podmail.test HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n\r\n",
	} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(i, err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode >= 300 {
			t.Fatal(i, resp.Status, err)
		}
		time.Sleep(700 * time.Millisecond)
	}
}

func TestHeaderLimit(t *testing.T) {
	_, addr, _ := open(t, web.Limits{MaxHeader: 8 << 10})
	c := dial(t, addr)
	if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 20<<10)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 431 {
		t.Error(resp, err)
	}
}

// TestShutdown: a request under way is answered, later ones find nobody.
func TestShutdown(t *testing.T) {
	s, addr, key := open(t, web.Limits{})
	c := dial(t, addr)
	if _, err := io.WriteString(c, "POST /v0/pods HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+key+"\r\nContent-Length: 15\r\n\r\n{\"name\":"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // until the request is being read
	done := make(chan error)
	go func() { done <- s.Shutdown(context.Background()) }()
	time.Sleep(50 * time.Millisecond)
	if _, err := io.WriteString(c, "\"last\"}"); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get("http://" + addr + "/healthz"); err == nil {
		t.Error("it still listens")
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Error(resp.Status, string(b), err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
