package web

import (
	"io"
	"net/http"
	"time"
)

// pacedWriter gives the peer StallTimeout for every piece of an answer. A long answer over a slow line takes as long as
// it needs; a dead peer does not keep us.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int
}

// piece is small enough for a slow line to take within StallTimeout.
const piece = 32 << 10

// WriteHeader implements http.ResponseWriter.
func (w *pacedWriter) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.step()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *pacedWriter) Write(b []byte) (n int, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	for {
		w.step()
		m, err := w.ResponseWriter.Write(b[:min(len(b), piece)])
		n += m
		if b = b[m:]; err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// step allows for the next piece. Where there is no connection with deadlines there is nothing to keep waiting for.
func (w *pacedWriter) step() {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.stall))
}

// Unwrap lets http.ResponseController reach the connection.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// paced is the request's body, of which every piece has StallTimeout to arrive, and all of it BodyTimeout.
func (d *door) paced(w *pacedWriter, r *http.Request) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody {
		// The deadline for the request would end its context while a long answer is on its way.
		_ = w.control.SetReadDeadline(time.Time{})
		return http.NoBody
	}
	return &pacedBody{r.Body, w.control, d.limits.StallTimeout, time.Now().Add(d.limits.BodyTimeout)}
}

type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	end     time.Time
}

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	next := time.Now().Add(b.stall)
	if next.After(b.end) {
		next = b.end
	}
	_ = b.control.SetReadDeadline(next)
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // all of it is here; from now on we take our time
	}
	return n, err
}
