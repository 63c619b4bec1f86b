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
func (d *door) paced(w *pacedWriter, body io.ReadCloser) io.ReadCloser {
	if body == http.NoBody {
		return body
	}
	return &pacedBody{ReadCloser: body, control: w.control, stall: d.limits.StallTimeout, end: time.Now().Add(d.limits.BodyTimeout)}
}

type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
	end     time.Time
	over    bool
}

// Read implements io.Reader. Once all is here, net/http lifts the deadline and watches for the peer to leave; a new one
// would end the request's context while its answer is on the way.
func (b *pacedBody) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.EOF
	}
	next := time.Now().Add(b.stall)
	if next.After(b.end) {
		next = b.end
	}
	_ = b.control.SetReadDeadline(next)
	n, err := b.ReadCloser.Read(p)
	b.over = err == io.EOF
	return n, err
}
