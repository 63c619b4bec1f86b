package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// forwarding is an addition to the contract: to whom an inbox hands on what arrives in it.
type forwarding struct {
	InboxID   string    `json:"inbox_id"`
	Addresses []string  `json:"addresses"`
	KeepCopy  bool      `json:"keep_copy"`
	UpdatedAt timestamp `json:"updated_at"`
}

func forwardingOf(i *mail.Inbox) forwarding {
	return forwarding{i.Address, i.Forwarding.Addresses, i.Forwarding.KeepCopy, timestamp(i.Forwarding.UpdatedAt)}
}

func (a *API) getForwarding(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	i, err := a.server.GetForwarding(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, forwardingOf(&i))
}

func (a *API) setForwarding(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	_, said := body.given("keep_copy")
	n := server.NewForwarding{Addresses: body.texts("addresses"), KeepCopy: !said || body.flag("keep_copy")}
	if err := body.err(); err != nil {
		return err
	}
	i, err := a.server.SetForwarding(c.Request().Context(), g, id, n)
	if err != nil {
		return err
	}
	return answer(c, forwardingOf(&i))
}

func (a *API) removeForwarding(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	if err := a.server.RemoveForwarding(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}
