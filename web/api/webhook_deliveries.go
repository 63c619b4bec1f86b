package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// webhookDelivery is an addition to the contract: an event on its way to an endpoint.
type webhookDelivery struct {
	DeliveryID    string            `json:"delivery_id"`
	EventID       string            `json:"event_id"`
	EventType     mail.EventType    `json:"event_type"`
	State         mail.WebhookState `json:"state"`
	AttemptCount  int               `json:"attempt_count"` // since it was queued, or replayed
	ResponseCode  int               `json:"response_code,omitempty"`
	NextAttemptAt timestamp         `json:"next_attempt_at,omitzero"`
	CreatedAt     timestamp         `json:"created_at"`
	UpdatedAt     timestamp         `json:"updated_at"`
}

// webhookAttempt is one post.
type webhookAttempt struct {
	ResponseCode int       `json:"response_code,omitempty"`
	Response     string    `json:"response,omitempty"` // how it begins
	Error        string    `json:"error,omitempty"`
	DurationMS   int64     `json:"duration_ms"`
	AttemptedAt  timestamp `json:"attempted_at"`
}

func webhookDeliveryOf(d *mail.WebhookDelivery) webhookDelivery {
	return webhookDelivery{d.DeliveryID, d.EventID, d.EventType, d.State, d.Attempts, d.Status, timestamp(d.NextAttemptAt), timestamp(d.CreatedAt), timestamp(d.UpdatedAt)}
}

func webhookAttemptOf(a *mail.WebhookAnswer) webhookAttempt {
	return webhookAttempt{a.Status, a.Answer, a.Error, a.Took.Milliseconds(), timestamp(a.At)}
}

func (a *API) listWebhookDeliveries(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	state := q.oneOf("state", string(mail.WebhookQueued), string(mail.WebhookDelivered), string(mail.WebhookFailed), string(mail.WebhookGone))
	if err := q.err(); err != nil {
		return err
	}
	ds, next, err := a.server.ListWebhookDeliveries(c.Request().Context(), g, id, mail.WebhookState(state), p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Deliveries []webhookDelivery `json:"deliveries"`
	}{page{len(ds), p.Limit, next}, each(ds, webhookDeliveryOf)})
}

// pathDelivery reads which delivery of which webhook a path means.
func pathDelivery(c echo.Context) (webhookID, deliveryID string, err error) {
	if webhookID, err = pathID(c, "webhook_id"); err != nil {
		return "", "", err
	}
	deliveryID, err = pathID(c, "delivery_id")
	return webhookID, deliveryID, err
}

func (a *API) getWebhookDelivery(c echo.Context, g mail.Grant) error {
	webhookID, deliveryID, err := pathDelivery(c)
	if err != nil {
		return err
	}
	d, attempts, err := a.server.GetWebhookDelivery(c.Request().Context(), g, webhookID, deliveryID)
	if err != nil {
		return err
	}
	return answer(c, struct {
		webhookDelivery
		Attempts []webhookAttempt `json:"attempts"`
	}{webhookDeliveryOf(&d), each(attempts, webhookAttemptOf)})
}

func (a *API) replayWebhookDelivery(c echo.Context, g mail.Grant) error {
	webhookID, deliveryID, err := pathDelivery(c)
	if err != nil {
		return err
	}
	if _, err := a.readBody(c); err != nil { // it has no fields
		return err
	}
	d, err := a.server.ReplayWebhookDelivery(c.Request().Context(), g, webhookID, deliveryID)
	if err != nil {
		return err
	}
	return answer(c, webhookDeliveryOf(&d))
}
