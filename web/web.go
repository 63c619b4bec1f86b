package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"podmail/server"
	"podmail/web/api"
	"podmail/web/openapi"
	"podmail/web/stream"
)

// Options is everything a Server needs. Limits that are zero have the defaults named beside them.
type Options struct {
	Server       *server.Server
	Log          *slog.Logger
	PublicURL    string // as the Server was given it
	FetchDir     string // where files lie for a moment that requests name by URL; empty: the system's
	AllowPrivate bool   // whether URLs that users give may lead to private addresses
	Limits       Limits
	Streams      stream.Limits
}

// Limits bounds what one peer can take.
type Limits struct {
	MaxBody       int64         // of a request: 6 MB (contract: semantics.md, send)
	MaxFetched    int64         // of the files together that a request names by URL: 30 MB (contract: semantics.md, send)
	MaxHeader     int           // bytes of a request's header: 64 KiB
	FetchTime     time.Duration // to fetch them all: 45 s
	HeaderTimeout time.Duration // for a request's header to arrive: 10 s
	IdleTimeout   time.Duration // between two requests of a connection: 2 min
	BodyTimeout   time.Duration // for a whole request to arrive, however steadily: 10 min
	StallTimeout  time.Duration // without a step forward, while a body arrives or an answer leaves: 30 s

	RequestsPerSecond int // of one API key: 5000
}

func (l Limits) withDefaults() Limits {
	return Limits{
		MaxBody:       cmp.Or(l.MaxBody, 6_000_000),
		MaxFetched:    cmp.Or(l.MaxFetched, 30_000_000),
		MaxHeader:     cmp.Or(l.MaxHeader, 64<<10),
		FetchTime:     cmp.Or(l.FetchTime, 45*time.Second),
		HeaderTimeout: cmp.Or(l.HeaderTimeout, 10*time.Second),
		IdleTimeout:   cmp.Or(l.IdleTimeout, 2*time.Minute),
		BodyTimeout:   cmp.Or(l.BodyTimeout, 10*time.Minute),
		StallTimeout:  cmp.Or(l.StallTimeout, 30*time.Second),

		RequestsPerSecond: cmp.Or(l.RequestsPerSecond, 5000),
	}
}

// Server is the HTTP door.
type Server struct {
	http    *http.Server
	streams *stream.Streams
}

// New returns a Server; give it listeners with Serve.
func New(o Options) *Server {
	limits := o.Limits.withDefaults()
	answers := api.New(api.Options{Server: o.Server, Log: o.Log, PublicURL: o.PublicURL, MaxBody: limits.MaxBody,
		MaxFetched: limits.MaxFetched, FetchTime: limits.FetchTime, FetchDir: o.FetchDir, AllowPrivate: o.AllowPrivate, PerSecond: limits.RequestsPerSecond})
	streams := stream.New(stream.Options{Server: o.Server, API: answers, Log: o.Log, Limits: o.Streams})
	d := &door{next: answers.Links(api.SplitPaths(newRouter(o.PublicURL, answers, streams))), fail: answers.Fail, log: o.Log, limits: limits, newTrace: rand.Text}
	return &Server{streams: streams, http: &http.Server{
		Handler:           d,
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.BodyTimeout,
		WriteTimeout:      limits.BodyTimeout + limits.StallTimeout, // until the answer begins; from then on see pace.go
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    limits.MaxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}}
}

// newRouter assembles what answers requests.
func newRouter(origin string, answers *api.API, streams *stream.Streams) *echo.Echo {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // X-Forwarded-For is anybody's to write
	e.Logger.SetOutput(io.Discard)
	e.StdLogger = log.New(io.Discard, "", 0)
	answers.Mount(e)
	e.GET("/v0", streams.Open)
	describe(e, origin)
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok") })
	return e
}

// describe serves what the API's routes are, for programs and for people.
func describe(e *echo.Echo, origin string) {
	var routes []openapi.Route
	for _, r := range e.Routes() {
		routes = append(routes, openapi.Route{Method: r.Method, Path: r.Path})
	}
	for path, made := range map[string]struct {
		contentType string
		from        func(string, []openapi.Route) ([]byte, error)
	}{"/openapi.json": {"application/json", openapi.Document}, "/docs": {"text/html; charset=utf-8", openapi.Page}} {
		e.GET(path, func(c echo.Context) error {
			b, err := made.from(origin, routes)
			if err != nil {
				return err
			}
			return c.Blob(http.StatusOK, made.contentType, b)
		})
	}
}

// Serve answers the requests of a listener's connections until Shutdown. It returns nil then.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening, waits for the requests under way to be answered and says goodbye on WebSockets, which the
// HTTP server knows nothing of any more; those that still are when ctx ends are cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	var streams sync.WaitGroup
	streams.Go(func() { s.streams.Shutdown(ctx) })
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	streams.Wait()
	return err
}
