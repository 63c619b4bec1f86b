package api

import (
	"maps"
	"slices"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// webhook is the contract's Webhook. One of a pod or an inbox names that; others name what they are narrowed to.
type webhook struct {
	WebhookID  string           `json:"webhook_id"`
	URL        string           `json:"url"`
	EventTypes []mail.EventType `json:"event_types"`
	PodIDs     []string         `json:"pod_ids,omitempty"`
	InboxIDs   []string         `json:"inbox_ids,omitempty"`
	Secret     string           `json:"secret"`
	Enabled    bool             `json:"enabled"`
	UpdatedAt  timestamp        `json:"updated_at"`
	CreatedAt  timestamp        `json:"created_at"`
	ClientID   string           `json:"client_id,omitempty"`
}

func webhookOf(w *mail.Webhook) webhook {
	out := webhook{WebhookID: w.WebhookID, URL: w.URL, EventTypes: w.EventTypes, Secret: w.Secret, Enabled: w.Enabled,
		UpdatedAt: timestamp(w.UpdatedAt), CreatedAt: timestamp(w.CreatedAt), ClientID: w.ClientID}
	switch w.Scope.Type() {
	case mail.ScopeInbox:
		out.InboxIDs = []string{w.InboxID}
	case mail.ScopePod:
		out.PodIDs = []string{w.PodID}
	}
	for _, p := range w.Places {
		if p.Inbox != 0 {
			out.InboxIDs = append(out.InboxIDs, p.InboxID)
		} else {
			out.PodIDs = append(out.PodIDs, p.PodID)
		}
	}
	return out
}

func (a *API) listWebhooks(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	hooks, next, err := a.server.ListWebhooks(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Webhooks []webhook `json:"webhooks"`
	}{page{len(hooks), p.Limit, next}, each(hooks, webhookOf)})
}

func (a *API) createWebhook(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewWebhook{URL: body.text("url"), EventTypes: body.texts("event_types"), PodIDs: body.texts("pod_ids"), InboxIDs: body.texts("inbox_ids"),
		ClientID: body.clientID(), Headers: body.textMap("headers")}
	for name, kind := range map[string]string{"url": "string", "event_types": "array"} {
		if _, given := body.given(name); !given {
			body.fail("invalid_type", kind, "must be given", name)
		}
	}
	if _, given := body.given("headers"); given && len(n.Headers) == 0 {
		body.fail("too_small", "", "has at least one entry", "headers")
	}
	if err := body.err(); err != nil {
		return err
	}
	w, err := a.server.CreateWebhook(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	return answer(c, webhookOf(&w))
}

func (a *API) getWebhook(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	w, err := a.server.GetWebhook(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, webhookOf(&w))
}

func (a *API) updateWebhook(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	u := server.WebhookUpdate{EventTypes: body.texts("event_types"), AddPodIDs: body.texts("add_pod_ids"), RemovePodIDs: body.texts("remove_pod_ids"),
		AddInboxIDs: body.texts("add_inbox_ids"), RemoveInboxIDs: body.texts("remove_inbox_ids")}
	if _, given := body.given("enabled"); given { // ours: AgentMail's clients have no way to enable an endpoint again
		enabled := body.flag("enabled")
		u.Enabled = &enabled
	}
	if err := body.err(); err != nil {
		return err
	}
	w, err := a.server.UpdateWebhook(c.Request().Context(), g, id, u)
	if err != nil {
		return err
	}
	return answer(c, webhookOf(&w))
}

func (a *API) deleteWebhook(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteWebhook(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

// getWebhookHeaders tells the names only: values are write-only.
func (a *API) getWebhookHeaders(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	w, err := a.server.GetWebhook(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, struct {
		HeaderNames []string `json:"header_names"`
	}{present(slices.Sorted(maps.Keys(w.Headers)))})
}

func (a *API) updateWebhookHeaders(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "webhook_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	set, remove := body.textMap("headers"), body.texts("remove_headers")
	if len(set) == 0 && len(remove) == 0 {
		body.fail("custom", "", "at least one of headers and remove_headers must be given")
	}
	if err := body.err(); err != nil {
		return err
	}
	if err := a.server.UpdateWebhookHeaders(c.Request().Context(), g, id, set, remove); err != nil {
		return err
	}
	return empty(c)
}
