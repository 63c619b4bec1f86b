package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"

	"podmail/mail"
	"podmail/server"
)

// Options is everything an API needs.
type Options struct {
	Server       *server.Server
	Log          *slog.Logger
	PublicURL    string        // of the HTTP listener, without trailing slash: docs links begin with it
	MaxBody      int64         // bytes of a request's body
	MaxFetched   int64         // bytes of the files that a request names by URL, together
	FetchTime    time.Duration // to fetch them all
	FetchDir     string        // where they lie for a moment
	AllowPrivate bool          // whether URLs may lead to private addresses
	PerSecond    int           // requests of one key
}

// API answers requests. It is safe for concurrent use.
type API struct {
	server     *server.Server
	log        *slog.Logger
	maxBody    int64
	fetcher    *fetcher
	errors     errorTable
	keys       *rates // requests of each key
	strangers  *rates // failed authentications from each address
	signUps    *rates // of agents, from each address
	allSignUps *rates // of agents, together
	publicURL  string
	docs       string // URL of the page that explains the error codes
}

// New returns an API; Mount it on a router.
func New(o Options) *API {
	return &API{keys: newRates(rate.Limit(o.PerSecond), 2*o.PerSecond), strangers: newRates(1, 100), signUps: newRates(rate.Every(6*time.Minute), 10), allSignUps: newRates(rate.Every(36*time.Second), 100),
		server: o.Server, log: o.Log, maxBody: o.MaxBody, fetcher: newFetcher(o), errors: newErrorTable(), publicURL: o.PublicURL, docs: o.PublicURL + errorsPath}
}

// handler answers one request of an authenticated caller, whose grant is narrowed to what the path names already.
type handler func(c echo.Context, g mail.Grant) error

// answer writes v as JSON with status 200, which the contract has for creation too.
func answer(c echo.Context, v any) error {
	return writeJSON(c, http.StatusOK, v)
}

func writeJSON(c echo.Context, status int, v any) error {
	w := c.Response()
	w.Header().Set(echo.HeaderContentType, "application/json")
	w.Status = status // sent with the first byte, so that a failure to encode can still become an error
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// empty answers 204: the contract's (empty).
func empty(c echo.Context) error {
	return c.NoContent(http.StatusNoContent)
}
