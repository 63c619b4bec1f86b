package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"podmail/mail"
	"podmail/web/api"
)

// door is what every request passes first: it gets an id, a pace to keep, and a floor under its panics.
type door struct {
	next     http.Handler
	fail     func(http.ResponseWriter, *http.Request, error)
	log      *slog.Logger
	limits   Limits
	newTrace func() string
}

func (d *door) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	start := time.Now()
	trace := d.newTrace()
	r = r.WithContext(mail.WithTrace(r.Context(), trace))
	rw.Header().Set("X-Request-Id", trace)
	w := &pacedWriter{ResponseWriter: rw, control: http.NewResponseController(rw), stall: d.limits.StallTimeout}
	r.Body = d.paced(w, r.Body)
	defer func() {
		if p := recover(); p != nil {
			d.contain(p, w, r)
		}
		d.log.LogAttrs(r.Context(), slog.LevelDebug, "answered", slog.String("trace", trace), slog.String("method", r.Method),
			slog.String("path", api.LogPath(r)), slog.Int("status", w.status), slog.Duration("took", time.Since(start)))
	}()
	d.next.ServeHTTP(w, r)
}

// contain turns a panic into an internal error, if nothing was answered yet.
func (d *door) contain(p any, w *pacedWriter, r *http.Request) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // the agreed way to drop a connection
	}
	d.log.Error("a request panicked", "trace", mail.TraceID(r.Context()), "method", r.Method, "path", api.LogPath(r), "panic", p, "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // the peer must not take half an answer for a whole one
	}
	d.fail(w, r, fmt.Errorf("panic: %v", p))
}
