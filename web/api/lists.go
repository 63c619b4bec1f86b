package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// listEntry is the contract's ListEntry and PodListEntry.
type listEntry struct {
	Entry          string         `json:"entry"`
	OrganizationID string         `json:"organization_id"`
	PodID          string         `json:"pod_id,omitempty"`
	InboxID        string         `json:"inbox_id,omitempty"`
	Reason         string         `json:"reason,omitempty"`
	Direction      mail.Direction `json:"direction"`
	ListType       mail.ListType  `json:"list_type"`
	EntryType      string         `json:"entry_type"`
	CreatedAt      timestamp      `json:"created_at"`
	ReadOnly       bool           `json:"read_only,omitempty"`
	ExpiresAt      timestamp      `json:"expires_at,omitzero"` // an addition to the contract; absent: never
}

// listEntryOf renders an entry as the route has it: the organization's own, which a narrower key uses for its own scope,
// says nothing of pods and inboxes.
func (a *API) listEntryOf(c echo.Context) func(*mail.ListEntry) listEntry {
	ofOrganization := strings.HasPrefix(c.Path(), "/v0/lists/")
	return func(e *mail.ListEntry) listEntry {
		out := listEntry{e.Entry, a.server.OrganizationID(), e.PodID, e.InboxID, e.Reason, e.Direction, e.Type, "domain", timestamp(e.CreatedAt), e.ReadOnly, timestamp(e.ExpiresAt)}
		if e.IsAddress() {
			out.EntryType = "email"
		}
		if ofOrganization {
			out.PodID, out.InboxID = "", ""
		}
		return out
	}
}

// pathList reads which list a path means. There are six.
func pathList(c echo.Context) (l server.List, err error) {
	l = server.List{Direction: mail.Direction(c.Param("direction")), Type: mail.ListType(c.Param("type"))}
	switch l.Direction {
	case mail.DirectionSend, mail.DirectionReceive, mail.DirectionReply:
	default:
		return l, mail.NotFound("List")
	}
	if l.Type != mail.ListAllow && l.Type != mail.ListBlock {
		return l, mail.NotFound("List")
	}
	return l, nil
}

func (a *API) listListEntries(c echo.Context, g mail.Grant) error {
	l, err := pathList(c)
	if err != nil {
		return err
	}
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	token, err := url.PathUnescape(p.Token) // an entry, which is what pages go by
	if err != nil {
		q.problems.add("invalid_format", "", "is no page token of this list", "page_token")
	}
	p.Token = token
	if err := q.err(); err != nil {
		return err
	}
	entries, next, err := a.server.ListListEntries(c.Request().Context(), g, l, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Entries []listEntry `json:"entries"`
	}{page{len(entries), p.Limit, url.PathEscape(next)}, each(entries, a.listEntryOf(c))})
}

func (a *API) getListEntry(c echo.Context, g mail.Grant) error {
	l, err := pathList(c)
	if err != nil {
		return err
	}
	entry, err := pathID(c, "entry")
	if err != nil {
		return err
	}
	e, err := a.server.GetListEntry(c.Request().Context(), g, l, entry)
	if err != nil {
		return err
	}
	return answer(c, a.listEntryOf(c)(&e))
}

func (a *API) createListEntry(c echo.Context, g mail.Grant) error {
	l, err := pathList(c)
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewListEntry{Entry: body.text("entry"), Reason: body.text("reason"), ExpiresAt: body.moment("expires_at")}
	if err := body.err(); err != nil {
		return err
	}
	e, err := a.server.CreateListEntry(c.Request().Context(), g, l, n)
	if err != nil {
		return err
	}
	return answer(c, a.listEntryOf(c)(&e))
}

// exportList answers with a whole list, as it is read.
func (a *API) exportList(c echo.Context, g mail.Grant) error {
	l, err := pathList(c)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/csv; charset=utf-8; header=present")
	h.Set(echo.HeaderContentDisposition, attachmentDisposition(string(l.Direction)+"-"+string(l.Type)+".csv"))
	if err := a.server.ExportList(c.Request().Context(), g, l, c.Response()); err != nil {
		if c.Response().Committed {
			a.log.Error("an export was cut short", "trace", mail.TraceID(c.Request().Context()), "error", err)
			panic(http.ErrAbortHandler) // the peer must not take half a list for a whole one
		}
		h.Del(echo.HeaderContentDisposition)
		return err
	}
	return nil
}

func (a *API) deleteListEntry(c echo.Context, g mail.Grant) error {
	l, err := pathList(c)
	if err != nil {
		return err
	}
	entry, err := pathID(c, "entry")
	if err != nil {
		return err
	}
	if err := a.server.DeleteListEntry(c.Request().Context(), g, l, entry); err != nil {
		return err
	}
	return empty(c)
}
