package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// errorAnswer is how a kind of failure is told: the HTTP status, the word that clients branch on, the name that the
// published clients know such errors by, and what it means.
type errorAnswer struct {
	Status        int
	Code          string
	Name, Meaning string
}

// errorTable is the door's one table from a failure to its answer (contract: semantics.md, Errors). A reason, where
// there is one, says more than a code.
type errorTable struct {
	byReason map[mail.Reason]errorAnswer
	byCode   map[mail.Code]errorAnswer
	method   errorAnswer // 405, which only this door knows
	internal errorAnswer
}

func newErrorTable() errorTable {
	return errorTable{
		byReason: map[mail.Reason]errorAnswer{
			mail.ReasonRangeTooWide:         {400, "query_range_too_wide", "ValidationError", "The time between start and end has more buckets than an answer holds."},
			mail.ReasonMissingAuthorization: {401, "missing_authorization", "UnauthorizedError", "The request has no usable Authorization header."},
			mail.ReasonUnknownAPIKey:        {401, "unknown_api_key", "UnauthorizedError", "The API key is unknown, revoked or expired."},
			mail.ReasonMissingPermission:    {403, "missing_permission", "ForbiddenError", "The API key lacks a permission, which the fix names."},
			mail.ReasonPermissionEscalation: {403, "permission_escalation", "ForbiddenError", "A key cannot grant what it does not have."},
			mail.ReasonUnrestrictedKey:      {403, "unrestricted_key_required", "ForbiddenError", "Only a key without restrictions may do this."},
			mail.ReasonMessageRejected:      {403, "message_rejected", "MessageRejectedError", "The message was not sent; the message says why."},
			mail.ReasonDomainNotVerified:    {403, "domain_not_verified", "DomainNotVerifiedError", "The domain is not verified for the pod."},
			mail.ReasonAlreadyExists:        {403, "already_exists", "AlreadyExistsError", "The thing exists already."},
			mail.ReasonResourceTaken:        {403, "resource_taken", "IsTakenError", "The address or domain is in use."},
			mail.ReasonCannotDelete:         {403, "cannot_delete", "CannotDeleteError", "Something still depends on it; the message says what."},
			mail.ReasonUnprocessable:        {422, "unprocessable", "UnprocessableError", "The request is well formed but cannot be carried out."},
			mail.ReasonResourceDeleting:     {409, "resource_deleting", "ConflictError", "The thing is being deleted."},
		},
		byCode: map[mail.Code]errorAnswer{
			mail.CodeInvalid:         {400, "validation_error", "ValidationError", "The request is malformed; errors lists where."},
			mail.CodeUnauthenticated: {401, "unauthorized", "UnauthorizedError", "The caller could not be authenticated."},
			mail.CodeForbidden:       {403, "forbidden", "ForbiddenError", "The key may not do this."},
			mail.CodeNotFound:        {404, "not_found", "NotFoundError", "There is no such thing, or it is not the key's to see."},
			mail.CodeConflict:        {409, "conflict", "ConflictError", "The request conflicts with another or with what is stored."},
			mail.CodeTooLarge:        {413, "payload_too_large", "PayloadTooLargeError", "The request or the message is larger than allowed."},
			mail.CodeQuota:           {403, "limit_exceeded", "LimitExceededError", "A limit of the installation is reached."},
			mail.CodeRateLimited:     {429, "rate_limit_exceeded", "RateLimitError", "Too many requests; wait as long as Retry-After says."},
			mail.CodeUnavailable:     {503, "service_unavailable", "ServiceUnavailableError", "The server cannot do this right now; nothing was done."},
		},
		method:   errorAnswer{405, "method_not_allowed", "MethodNotAllowedError", "The endpoint has other methods; the Allow header lists them."},
		internal: errorAnswer{500, "internal_error", "InternalError", "The server failed; its log has the details under the request's id."},
	}
}

// errorBody is the contract's ErrorResponse and ValidationErrorResponse.
type errorBody struct {
	Name    string       `json:"name"`
	Code    string       `json:"code"`
	Message string       `json:"message"`
	Errors  []fieldError `json:"errors,omitempty"`
	Fix     string       `json:"fix,omitempty"`
	Docs    string       `json:"docs"`
}

type fieldError struct {
	Code     string   `json:"code"`
	Expected string   `json:"expected,omitempty"`
	Path     []string `json:"path"`
	Message  string   `json:"message"`
}

// fail is the router's error handler.
func (a *API) fail(err error, c echo.Context) {
	if c.Response().Committed { // the peer went away while the answer was on its way
		a.log.Debug("an answer was cut short", "trace", mail.TraceID(c.Request().Context()), "path", LogPath(c.Request()), "error", err)
		return
	}
	c.Response().Status = 0
	a.Fail(c.Response(), c.Request(), err)
}

// Fail answers a request with what went wrong. The text of an error that is not meant for peers goes to the log only.
func (a *API) Fail(w http.ResponseWriter, r *http.Request, err error) {
	ans, body := a.told(r, err)
	body.Name, body.Code, body.Docs = ans.Name, ans.Code, a.docs+"#"+ans.Code
	h := w.Header()
	switch ans.Status {
	case http.StatusUnauthorized:
		h.Set(echo.HeaderWWWAuthenticate, "Bearer") // RFC 9110 11.6.1
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set(echo.HeaderRetryAfter, retryAfter(err)) // the clients wait and try again by themselves
	}
	h.Set(echo.HeaderContentType, "application/json")
	w.WriteHeader(ans.Status)
	if r.Method == http.MethodHead {
		return
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		a.log.Debug("an error could not be told", "trace", mail.TraceID(r.Context()), "error", err)
	}
}

// Explain words what went wrong for a peer who is not waiting for an answer: the name that clients know such errors by,
// their code, and what to do next. r is the request that led there.
func (a *API) Explain(r *http.Request, err error) (name, code, message, fix string) {
	ans, body := a.told(r, err)
	return ans.Name, ans.Code, body.Message, body.Fix
}

// retryAfter is in how many whole seconds it is worth trying again.
func retryAfter(err error) string {
	wait := time.Second
	if e, ok := errors.AsType[*mail.Error](err); ok {
		wait = max(wait, e.RetryAfter+time.Second-1)
	}
	return strconv.Itoa(int(wait / time.Second))
}

// told finds the answer to an error and begins its body.
func (a *API) told(r *http.Request, err error) (errorAnswer, errorBody) {
	if e, ok := errors.AsType[*mail.Error](err); ok {
		ans, known := a.errors.byReason[e.Reason]
		if !known {
			ans, known = a.errors.byCode[e.Code]
		}
		if known {
			if ans.Status >= 500 {
				a.log.Warn("request refused", "trace", mail.TraceID(r.Context()), "method", r.Method, "path", LogPath(r), "error", err)
			}
			body := errorBody{Message: e.Message, Fix: e.Fix}
			if ans.Status == http.StatusBadRequest {
				body.Errors = fieldErrors(e)
			}
			return ans, body
		}
	}
	switch {
	case errors.Is(err, echo.ErrNotFound):
		return a.errors.byCode[mail.CodeNotFound], errorBody{Message: "There is no such endpoint."}
	case errors.Is(err, echo.ErrMethodNotAllowed):
		return a.errors.method, errorBody{Message: "The endpoint does not have this method."}
	}
	trace := mail.TraceID(r.Context())
	a.log.Error("request failed", "trace", trace, "method", r.Method, "path", LogPath(r), "error", err)
	return a.errors.internal, errorBody{Message: "The server failed to answer. Its operator finds the details in the log under request id " + trace + "."}
}

// fieldErrors lists what is wrong where; there is always at least one entry.
func fieldErrors(e *mail.Error) []fieldError {
	fields := e.Fields
	if len(fields) == 0 {
		fields = []mail.FieldError{{Message: e.Message}}
	}
	return each(fields, func(f *mail.FieldError) fieldError {
		fe := fieldError{f.Code, f.Expected, f.Path, f.Message}
		if fe.Code == "" {
			fe.Code = "custom"
		}
		if fe.Path == nil {
			fe.Path = []string{}
		}
		return fe
	})
}
