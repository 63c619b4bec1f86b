package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPrivateAddressesAreNotDialled(t *testing.T) {
	hits := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hits++ }))
	defer s.Close()
	name := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // a name that resolves to one
	for _, url := range []string{s.URL, name} {
		if _, err := NewClient(false, 0).Get(url); !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if hits != 0 {
		t.Errorf("asked %d times", hits)
	}
	resp, err := NewClient(true, 0).Get(name)
	if err != nil || hits != 1 {
		t.Fatal("allowed:", err)
	}
	resp.Body.Close()
}

func TestRedirects(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/twice":
			http.Redirect(w, r, "/once", http.StatusFound)
		case "/once":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}
	}))
	defer s.Close()
	for _, c := range []struct {
		redirects int
		path      string
		status    int // 0: an error
	}{{0, "/once", 302}, {1, "/once", 200}, {2, "/twice", 200}, {1, "/twice", 0}, {3, "/file", 0}} {
		resp, err := NewClient(true, c.redirects).Get(s.URL + c.path)
		if err == nil {
			resp.Body.Close()
		}
		if (c.status == 0) != (err != nil) || err == nil && resp.StatusCode != c.status {
			t.Errorf("%s with %d redirects: %v", c.path, c.redirects, err)
		}
	}
}
