package deliver_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"podmail/smtp/deliver"
)

// TestPostReport hands a report over to whom the web trusts, and to nobody within our own network.
func TestPostReport(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	for _, c := range []struct {
		name, host, want string
		config           *tls.Config
		status           int
		private          bool
	}{
		{"taken", "reports.example.org", "", ours.config(t, "reports.example.org"), 200, true},
		{"taken, and nothing to say", "reports.example.org", "", ours.config(t, "reports.example.org"), 204, true},
		{"refused", "reports.example.org", `answers 400 Bad Request: "no, thanks"`, ours.config(t, "reports.example.org"), 400, true},
		{"a redirect", "reports.example.org", "answers 307", ours.config(t, "reports.example.org"), 307, true},
		{"another name", "reports.example.org", "certificate is valid for example.org", ours.config(t, "example.org"), 200, true},
		{"of somebody unknown", "reports.example.org", "signed by unknown authority", other.config(t, "reports.example.org"), 200, true},
		{"private", "reports.example.org", "no address in the Internet", ours.config(t, "reports.example.org"), 200, false},
		{"a private literal", "127.0.0.1", "no address in the Internet", ours.config(t, "reports.example.org"), 200, false},
		{"no such name", "none.example.org", "no address", ours.config(t, "reports.example.org"), 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got atomic.Value
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got.Store(r.Method + " " + r.Host + r.URL.String() + " " + r.Header.Get("Content-Type") + " " + string(body))
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				if c.status != 204 {
					io.WriteString(w, "no, thanks")
				}
			}))
			s.TLS = c.config
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			defer s.Close()
			_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
			w := newWorld(t, "25", func(o *deliver.Options) { o.Roots, o.AllowPrivate = ours.pool, c.private })
			w.zone.Set("A", "reports.example.org", "127.0.0.1")
			err := w.PostReport(context.Background(), "https://"+c.host+":"+port+"/v1?d=a%2Cb", []byte("packed"))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if text, _ := got.Load().(string); c.want == "" && text != "POST reports.example.org:"+port+"/v1?d=a%2Cb application/tlsrpt+gzip packed" || !c.private && text != "" {
				t.Errorf("it got %q", text)
			}
		})
	}
}
