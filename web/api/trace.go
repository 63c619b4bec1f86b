package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// tracedMessage is an addition to the contract: a message in one of the inboxes that sent or received it.
type tracedMessage struct {
	InboxID    string           `json:"inbox_id"`
	MessageID  string           `json:"message_id"`
	ThreadID   string           `json:"thread_id,omitempty"` // of one that is still there
	Deleted    bool             `json:"deleted,omitempty"`
	TraceID    string           `json:"trace_id,omitempty"` // that the log has
	Labels     []string         `json:"labels"`
	Timestamp  timestamp        `json:"timestamp"`
	Deliveries []queuedDelivery `json:"deliveries"`
}

func (a *API) tracedOf(t *server.Traced) tracedMessage {
	m := &t.Message
	return tracedMessage{m.InboxID, m.MessageID, m.ThreadID, t.Deleted, m.TraceID, m.Labels, timestamp(m.Timestamp),
		each(t.Deliveries, func(d *mail.Delivery) queuedDelivery { return a.deliveryWith(d, t.Attempts[d.ID]) })}
}

func (a *API) traceMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	traced, err := a.server.Trace(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, struct {
		Count    int             `json:"count"`
		Messages []tracedMessage `json:"messages"`
	}{len(traced), each(traced, a.tracedOf)})
}
