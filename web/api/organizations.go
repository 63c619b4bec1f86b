package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
)

type organization struct {
	OrganizationID string    `json:"organization_id"`
	InboxCount     int64     `json:"inbox_count"`
	DomainCount    int64     `json:"domain_count"`
	UpdatedAt      timestamp `json:"updated_at"`
	CreatedAt      timestamp `json:"created_at"`
}

func (a *API) getOrganization(c echo.Context, g mail.Grant) error {
	o, err := a.server.Organization(c.Request().Context(), g)
	if err != nil {
		return err
	}
	return answer(c, organization{o.OrganizationID, o.InboxCount, o.DomainCount, timestamp(o.UpdatedAt), timestamp(o.CreatedAt)})
}
