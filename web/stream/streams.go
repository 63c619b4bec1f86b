// Package stream is the WebSockets: events, told as they happen. A connection is paced by its peer: it reads rows from
// where it is, writes one event, and reads on; nothing queues up for a slow one but what the database holds anyway.
//
// streams.go opens connections, counts them and ends them; conn.go is one of them; frames.go is what they say. What
// happened, who may know of it and what it tells of is server's; how it looks is web/api's.
package stream

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
	"podmail/web/api"
)

// Options is everything that Streams need. Limits that are zero have the defaults named beside them.
type Options struct {
	Server *server.Server
	API    *api.API
	Log    *slog.Logger
	Limits Limits
}

// Limits bounds what connections can take.
type Limits struct {
	PerKey  int           // connections with one API key: 1,000
	Total   int           // connections: 10,000
	Frame   int64         // bytes of a frame that a client sends: 64 KiB
	Stall   time.Duration // for a frame to leave, beside what its size takes on a slow line; for a pong to come: 30 s
	Line    int           // bytes a second that a peer takes at least of a long frame: 8 KiB
	Look    time.Duration // between two looks that nobody woke us for, and at whether the peer and its key are still there: 20 s
	Pending int           // frames of a client that wait to be answered: 16
}

func (l Limits) withDefaults() Limits {
	return Limits{
		PerKey:  cmp.Or(l.PerKey, 1_000),
		Total:   cmp.Or(l.Total, 10_000),
		Frame:   cmp.Or(l.Frame, 64<<10),
		Stall:   cmp.Or(l.Stall, 30*time.Second),
		Line:    cmp.Or(l.Line, 8<<10),
		Look:    cmp.Or(l.Look, 20*time.Second),
		Pending: cmp.Or(l.Pending, 16),
	}
}

// Streams are the open WebSockets. They are safe for concurrent use.
type Streams struct {
	server *server.Server
	api    *api.API
	log    *slog.Logger
	limits Limits

	mu      sync.Mutex
	perKey  map[string]int
	total   int
	leave   chan struct{}   // closed: connections say goodbye
	life    context.Context // of the connections; its end cuts them off
	cut     context.CancelFunc
	leaving bool
	running sync.WaitGroup
}

// New returns Streams; Shutdown ends them.
func New(o Options) *Streams {
	life, cut := context.WithCancel(context.Background())
	return &Streams{server: o.Server, api: o.API, log: o.Log, limits: o.Limits.withDefaults(),
		perKey: map[string]int{}, leave: make(chan struct{}), life: life, cut: cut}
}

// Open answers a request for a WebSocket, and stays until the connection ends. What is wrong with the request, the key
// above all, is an ordinary answer of the API before anything is upgraded.
func (s *Streams) Open(c echo.Context) error {
	r := c.Request()
	key, err := api.StreamKey(r)
	if err != nil {
		return err
	}
	g, err := s.api.Authenticate(c, key)
	if err != nil {
		return err
	}
	if !websocketAsked(r) {
		return mail.Errorf(mail.CodeInvalid, "This endpoint is a WebSocket.").WithFix("Open it with a WebSocket client: the URL begins with ws:// or wss://.")
	}
	k := &conn{streams: s, request: r, key: key, frames: make(chan []byte, s.limits.Pending), heard: make(chan struct{})}
	if k.resume, err = s.position(r.Context(), r.URL.Query().Get("last_event_id")); err != nil {
		return err
	}
	if err := s.enter(g.APIKeyID); err != nil {
		return err
	}
	defer s.exit(g.APIKeyID)
	// A key says who asks, and no browser adds it by itself, so pages of any origin may ask.
	k.ws, err = websocket.Accept(c.Response(), r, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		s.log.Debug("a WebSocket was not opened", "trace", mail.TraceID(r.Context()), "error", err)
		return nil // it is answered
	}
	k.run(mail.WithTrace(s.life, mail.TraceID(r.Context())))
	return nil
}

func websocketAsked(r *http.Request) bool {
	for v := range strings.SplitSeq(strings.Join(r.Header.Values("Upgrade"), ","), ",") {
		if strings.EqualFold(strings.TrimSpace(v), "websocket") {
			return true
		}
	}
	return false
}

// position is where a client is that has seen an event; nil if it has seen none.
func (s *Streams) position(ctx context.Context, lastEventID string) (*int64, error) {
	if lastEventID == "" {
		return nil, nil
	}
	seq, err := s.server.AfterEvent(ctx, lastEventID)
	return &seq, err
}

func (s *Streams) enter(apiKeyID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.leaving:
		return mail.Errorf(mail.CodeUnavailable, "The server is stopping.").WithFix("Connect again in a moment.")
	case s.total >= s.limits.Total:
		return mail.Errorf(mail.CodeRateLimited, "Too many WebSockets are open.").WithFix("Connect again later.")
	case s.perKey[apiKeyID] >= s.limits.PerKey:
		return mail.Errorf(mail.CodeRateLimited, "%d WebSockets are open with this key, which are all that it may have.", s.limits.PerKey).
			WithFix("Subscribe to several inboxes on one connection.")
	}
	s.total++
	s.perKey[apiKeyID]++
	s.running.Add(1)
	return nil
}

func (s *Streams) exit(apiKeyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.perKey[apiKeyID]--; s.perKey[apiKeyID] == 0 {
		delete(s.perKey, apiKeyID)
	}
	s.running.Done()
}

// Shutdown takes no further connections, says goodbye on those that are open and waits for them to end; those that
// still are when ctx ends are cut off.
func (s *Streams) Shutdown(ctx context.Context) {
	s.mu.Lock()
	if !s.leaving {
		s.leaving = true
		close(s.leave)
	}
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cut)
	defer stop()
	s.running.Wait()
	s.cut()
}
