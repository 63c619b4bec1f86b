package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// messageAuthentication tells how a message came in. The contract has no such call.
type messageAuthentication struct {
	InboxID   string   `json:"inbox_id"`
	ThreadID  string   `json:"thread_id"`
	MessageID string   `json:"message_id"`
	Labels    []string `json:"labels"`
	mail.Intake
}

func (a *API) explainMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	m, in, err := a.server.ExplainMessage(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, messageAuthentication{m.InboxID, m.ThreadID, m.MessageID, present(m.Labels), in})
}
