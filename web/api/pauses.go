package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// pause is an addition to the contract: something that the operator stopped.
type pause struct {
	Kind      mail.PauseKind `json:"kind"`
	Name      string         `json:"name"`
	Reason    string         `json:"reason,omitempty"`
	CreatedAt timestamp      `json:"created_at"`
}

func pauseOf(p *mail.Pause) pause {
	return pause{p.Kind, p.Name, p.Reason, timestamp(p.CreatedAt)}
}

func (a *API) listPauses(c echo.Context, g mail.Grant) error {
	pauses, err := a.server.ListPauses(c.Request().Context(), g)
	if err != nil {
		return err
	}
	return answer(c, struct {
		Count  int     `json:"count"`
		Pauses []pause `json:"pauses"`
	}{len(pauses), each(pauses, pauseOf)})
}

func (a *API) createPause(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	kind, name, reason := mail.PauseKind(body.text("kind")), body.text("name"), body.text("reason")
	if !isPauseKind(kind) {
		body.fail("invalid_value", "", "must be one of pod, domain, destination", "kind")
	}
	if err := body.err(); err != nil {
		return err
	}
	p, err := a.server.Pause(c.Request().Context(), g, kind, name, reason)
	if err != nil {
		return err
	}
	return answer(c, pauseOf(&p))
}

func isPauseKind(k mail.PauseKind) bool {
	return k == mail.PausePod || k == mail.PauseDomain || k == mail.PauseDestination
}

func (a *API) deletePause(c echo.Context, g mail.Grant) error {
	kind := mail.PauseKind(c.Param("kind"))
	if !isPauseKind(kind) {
		return mail.NotFound("Pause")
	}
	name, err := pathID(c, "name")
	if err != nil {
		return err
	}
	if err := a.server.Resume(c.Request().Context(), g, kind, name); err != nil {
		return err
	}
	return empty(c)
}
