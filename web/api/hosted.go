package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// nothing answers with a list that never has items.
func nothing(field string) handler {
	return func(c echo.Context, _ mail.Grant) error {
		q := readQuery(c)
		limit := q.limit(maxPlainLimit)
		if err := q.err(); err != nil {
			return err
		}
		return answer(c, map[string]any{"count": 0, "limit": limit, field: []any{}})
	}
}

func (a *API) getAccount(echo.Context, mail.Grant) error  { return a.server.NoAccount() }
func (a *API) getProvider(echo.Context, mail.Grant) error { return a.server.NoProvider() }

func (a *API) connectProvider(c echo.Context, g mail.Grant) error {
	if _, err := a.readBody(c); err != nil {
		return err
	}
	return a.server.ConnectProvider(g)
}

func (a *API) authorizeInbox(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	if _, err := a.readBody(c); err != nil {
		return err
	}
	return a.server.AuthorizeInbox(c.Request().Context(), g, id)
}
