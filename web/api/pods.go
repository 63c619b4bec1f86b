package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

type pod struct {
	PodID     string    `json:"pod_id"`
	Name      string    `json:"name"`
	UpdatedAt timestamp `json:"updated_at"`
	CreatedAt timestamp `json:"created_at"`
	ClientID  string    `json:"client_id,omitempty"`
}

func podOf(p *mail.Pod) pod {
	return pod{p.PodID, p.Name, timestamp(p.UpdatedAt), timestamp(p.CreatedAt), p.ClientID}
}

func (a *API) listPods(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	pods, next, err := a.server.ListPods(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Pods []pod `json:"pods"`
	}{page{len(pods), p.Limit, next}, each(pods, podOf)})
}

func (a *API) getPod(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "pod_id")
	if err != nil {
		return err
	}
	p, err := a.server.GetPod(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, podOf(&p))
}

func (a *API) createPod(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewPod{Name: body.text("name"), ClientID: body.clientID()}
	if err := body.err(); err != nil {
		return err
	}
	p, err := a.server.CreatePod(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	return answer(c, podOf(&p))
}

func (a *API) deletePod(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "pod_id")
	if err != nil {
		return err
	}
	if err := a.server.DeletePod(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}
