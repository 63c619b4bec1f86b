package api

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// authenticate finds out what the key in the caller's header grants.
func (a *API) authenticate(c echo.Context) (mail.Grant, error) {
	secret, err := bearer(c.Request().Header.Values(echo.HeaderAuthorization))
	if err != nil {
		return mail.Grant{}, err
	}
	return a.Authenticate(c, secret)
}

// Authenticate finds out what a request's key grants, and has who asks too often wait.
func (a *API) Authenticate(c echo.Context, secret string) (mail.Grant, error) {
	g, err := a.server.Authenticate(c.Request().Context(), secret)
	if err != nil && mail.CodeOf(err) == mail.CodeUnauthenticated {
		if limited := a.strangers.take(network(c.RealIP())); limited != nil {
			return g, limited
		}
	}
	if err == nil {
		err = a.keys.take(g.APIKeyID)
	}
	return g, err
}

// bearer takes the key out of Authorization. The scheme is case-sensitive; no header, another scheme, an empty key and
// white space inside are all missing_authorization (contract: semantics.md, Errors).
func bearer(headers []string) (string, error) {
	if len(headers) == 1 {
		secret, ok := strings.CutPrefix(headers[0], "Bearer ")
		if ok && secret != "" && !strings.ContainsFunc(secret, unicode.IsSpace) {
			return secret, nil
		}
	}
	return "", mail.Errorf(mail.CodeUnauthenticated, "Unauthorized").WithReason(mail.ReasonMissingAuthorization).
		WithFix("Send the header `Authorization: Bearer KEY` with an API key.")
}

// StreamKey takes the key out of a request for a WebSocket. Where a program cannot set a header, a browser say, it stands
// in the query as api_key, which goes before the header's.
func StreamKey(r *http.Request) (string, error) {
	if key := r.URL.Query().Get("api_key"); key != "" {
		return key, nil
	}
	return bearer(r.Header.Values(echo.HeaderAuthorization))
}

// everywhere leaves a grant as wide as its key.
func (a *API) everywhere(_ echo.Context, g mail.Grant) (mail.Grant, error) { return g, nil }

// inPod narrows a grant to the pod of the path.
func (a *API) inPod(c echo.Context, g mail.Grant) (mail.Grant, error) {
	id, err := pathID(c, "pod_id")
	if err != nil {
		return g, err
	}
	return a.server.InPod(c.Request().Context(), g, id)
}

// inInbox narrows a grant to the inbox of the path.
func (a *API) inInbox(c echo.Context, g mail.Grant) (mail.Grant, error) {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return g, err
	}
	return a.server.InInbox(c.Request().Context(), g, id)
}

type identity struct {
	ScopeType      mail.ScopeType `json:"scope_type"`
	ScopeID        string         `json:"scope_id"`
	OrganizationID string         `json:"organization_id"`
	PodID          string         `json:"pod_id,omitempty"`
	InboxID        string         `json:"inbox_id,omitempty"`
	APIKeyID       string         `json:"api_key_id,omitempty"`
}

// me tells a caller which key it holds, and of what scope.
func (a *API) me(c echo.Context, g mail.Grant) error {
	id := identity{ScopeType: g.KeyScope.Type(), OrganizationID: a.server.OrganizationID(), PodID: g.PodID, InboxID: g.InboxID, APIKeyID: g.APIKeyID}
	switch id.ScopeType {
	case mail.ScopeInbox:
		id.ScopeID = g.InboxID
	case mail.ScopePod:
		id.ScopeID = g.PodID
	default:
		id.ScopeID = id.OrganizationID
	}
	return answer(c, id)
}
