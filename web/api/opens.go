package api

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"podmail/mail"
	"podmail/server"
)

// transparent is the smallest picture that every program shows: one dot of nothing.
const transparent = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// Links serves the hosts link.<domain>, which domains point at us for what their mail links to, and lets next serve the
// others. There is nothing at them but the pictures that tell of messages being opened.
func (a *API) Links(next http.Handler) http.Handler {
	own := ""
	if u, err := url.Parse(a.publicURL); err == nil {
		own = u.Hostname()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host := hostname(r.Host); strings.HasPrefix(host, "link.") && !strings.EqualFold(host, own) {
			a.link(w, r)
		} else {
			next.ServeHTTP(w, r)
		}
	})
}

// hostname is the name in a Host field, without a port (RFC 9110 7.2).
func hostname(field string) string {
	host := field
	if h, _, err := net.SplitHostPort(field); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// link answers every name of a picture with the same one, so that nobody learns which there are. Each time it is shown
// it is fetched anew; only the first time counts.
func (a *API) link(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.URL.Path, server.OpensPath)
	if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodGet { // HEAD shows nobody anything
		if err := a.server.Opened(r.Context(), token); err != nil {
			a.log.Error("an opened message could not be noted", "trace", mail.TraceID(r.Context()), "error", err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "image/gif")
	h.Set("Cache-Control", "private, no-store, max-age=0")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", strconv.Itoa(len(transparent)))
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, transparent) // whoever went away does not want it
	}
}
