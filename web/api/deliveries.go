package api

import (
	"context"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// queuedDelivery is an addition to the contract: one recipient's way out of a message.
type queuedDelivery struct {
	DeliveryID    string             `json:"delivery_id"`
	MessageID     string             `json:"message_id"`
	Purpose       mail.Purpose       `json:"purpose"`
	Sender        string             `json:"sender"`
	Recipient     string             `json:"recipient"`
	State         mail.DeliveryState `json:"state"`
	AttemptCount  int                `json:"attempt_count"`
	LastReply     string             `json:"last_reply,omitempty"`
	NextAttemptAt timestamp          `json:"next_attempt_at,omitzero"`
	UpdatedAt     timestamp          `json:"updated_at"`
	CreatedAt     timestamp          `json:"created_at"`
	Attempts      []deliveryAttempt  `json:"attempts,omitempty"`
}

type deliveryAttempt struct {
	Host        string               `json:"host,omitempty"`
	TLS         string               `json:"tls,omitempty"`
	Failure     mail.TransferFailure `json:"failure,omitempty"`
	Reply       string               `json:"reply"`
	AttemptedAt timestamp            `json:"attempted_at"`
}

func (a *API) deliveryOf(d *mail.Delivery) queuedDelivery {
	return queuedDelivery{DeliveryID: a.server.DeliveryID(d), MessageID: d.MessageID, Purpose: d.Purpose, Sender: d.Sender, Recipient: d.Recipient, State: d.State, AttemptCount: d.Attempts,
		LastReply: d.LastReply, NextAttemptAt: timestamp(d.NextAttemptAt), UpdatedAt: timestamp(d.UpdatedAt), CreatedAt: timestamp(d.CreatedAt)}
}

func (a *API) deliveryWith(d *mail.Delivery, attempts []mail.DeliveryAttempt) queuedDelivery {
	out := a.deliveryOf(d)
	out.Attempts = each(attempts, func(t *mail.DeliveryAttempt) deliveryAttempt {
		return deliveryAttempt{t.Host, t.TLS, t.Failure, t.Reply, timestamp(t.At)}
	})
	return out
}

func (a *API) listQueue(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	ds, next, err := a.server.ListDeliveries(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Deliveries []queuedDelivery `json:"deliveries"`
	}{page{len(ds), p.Limit, next}, each(ds, a.deliveryOf)})
}

func (a *API) getQueued(c echo.Context, g mail.Grant) error {
	id, err := a.pathQueued(c)
	if err != nil {
		return err
	}
	d, attempts, err := a.server.GetDelivery(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, a.deliveryWith(&d, attempts))
}

// pathQueued reads which delivery a path means.
func (a *API) pathQueued(c echo.Context) (int64, error) {
	id, err := pathID(c, "queued_id")
	if err != nil {
		return 0, err
	}
	return a.server.ParseDeliveryID(id), nil
}

// controlQueued answers a route that changes a delivery which waits.
func (a *API) controlQueued(change func(*server.Server, context.Context, mail.Grant, int64) error) handler {
	return func(c echo.Context, g mail.Grant) error {
		id, err := a.pathQueued(c)
		if err != nil {
			return err
		}
		if _, err := a.readBody(c); err != nil { // it has no fields
			return err
		}
		if err := change(a.server, c.Request().Context(), g, id); err != nil {
			return err
		}
		return empty(c)
	}
}

func (a *API) listDeliveriesOfMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	ds, attempts, err := a.server.DeliveriesOf(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, struct {
		Count      int              `json:"count"`
		Deliveries []queuedDelivery `json:"deliveries"`
	}{len(ds), each(ds, func(d *mail.Delivery) queuedDelivery { return a.deliveryWith(d, attempts[d.ID]) })})
}
