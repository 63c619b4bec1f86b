package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

type inbox struct {
	PodID       string         `json:"pod_id"`
	InboxID     string         `json:"inbox_id"`
	Email       string         `json:"email"`
	DisplayName string         `json:"display_name,omitempty"`
	ClientID    string         `json:"client_id,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	UpdatedAt   timestamp      `json:"updated_at"`
	CreatedAt   timestamp      `json:"created_at"`
}

func inboxOf(i *mail.Inbox) inbox {
	return inbox{i.PodID, i.Address, i.Address, i.DisplayName, i.ClientID, i.Metadata, timestamp(i.UpdatedAt), timestamp(i.CreatedAt)}
}

func (a *API) listInboxes(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	inboxes, next, err := a.server.ListInboxes(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Inboxes []inbox `json:"inboxes"`
	}{page{len(inboxes), p.Limit, next}, each(inboxes, inboxOf)})
}

func (a *API) getInbox(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	i, err := a.server.GetInbox(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, inboxOf(&i))
}

func (a *API) createInbox(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewInbox{
		Username: body.text("username"), Domain: body.text("domain"), DisplayName: body.text("display_name"),
		ClientID: body.clientID(), Metadata: body.scalars("metadata", false),
	}
	if err := body.err(); err != nil {
		return err
	}
	i, err := a.server.CreateInbox(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	return answer(c, inboxOf(&i))
}

// updateInbox is where null means something: it clears the display name, all metadata, or one key of it (contract:
// semantics.md, Inboxes).
func (a *API) updateInbox(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	u := server.InboxUpdate{DisplayName: body.optionalText("display_name"), Metadata: body.scalars("metadata", true), ClearMetadata: body.isNull("metadata")}
	if body.isNull("display_name") {
		u.DisplayName = new(string)
	}
	if body.isObject("metadata") && len(u.Metadata) == 0 {
		body.fail("too_small", "", "has at least one key; null clears all metadata", "metadata")
	}
	if !body.has("display_name") && !body.has("metadata") {
		body.fail("custom", "", "at least one of display_name and metadata must be given")
	}
	if err := body.err(); err != nil {
		return err
	}
	i, err := a.server.UpdateInbox(c.Request().Context(), g, id, u)
	if err != nil {
		return err
	}
	return answer(c, inboxOf(&i))
}

func (a *API) deleteInbox(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "inbox_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteInbox(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}
