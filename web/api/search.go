package api

import (
	"strconv"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// highlights is the contract's SearchMessageHighlights and SearchThreadHighlights.
type highlights struct {
	From       []string `json:"from,omitempty"`
	Recipients []string `json:"recipients,omitempty"`
	Subject    []string `json:"subject,omitempty"`
	Text       []string `json:"text,omitempty"`
}

// highlightsOf is nil if no field was matched in a way that can be shown.
func highlightsOf(h server.Highlights) *highlights {
	if len(h.From)+len(h.Recipients)+len(h.Subject)+len(h.Text) == 0 {
		return nil
	}
	return &highlights{h.From, h.Recipients, h.Subject, h.Text}
}

// search reads what the searches of messages and threads have in common.
func (q *query) search() server.SearchRequest {
	r := server.SearchRequest{Query: q.words(1), Limit: q.limit(maxSearchLimit), PageToken: q.text("page_token")}
	r.Before, r.After = q.between()
	return r
}

// words is the parameter q, of at least some characters.
func (q *query) words(least int) string {
	text := q.text("q")
	if n := utf8.RuneCountInString(text); n < least || n > 256 {
		q.problems.add("invalid_format", "", "has "+strconv.Itoa(least)+" to 256 characters", "q")
	}
	return text
}

func (a *API) searchMessages(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	r := q.search()
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.server.SearchMessages(c.Request().Context(), g, r)
	if err != nil {
		return err
	}
	type item struct {
		messageItem
		Highlights *highlights `json:"highlights,omitempty"`
	}
	return answer(c, struct {
		page
		Messages []item `json:"messages"`
	}{page{len(found), r.Limit, next}, each(found, func(f *server.FoundMessage) item { return item{messageItemOf(&f.Message), highlightsOf(f.Highlights)} })})
}

func (a *API) searchThreads(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	r := q.search()
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.server.SearchThreads(c.Request().Context(), g, r)
	if err != nil {
		return err
	}
	type item struct {
		threadItem
		Highlights *highlights `json:"highlights,omitempty"`
	}
	return answer(c, struct {
		page
		Threads []item `json:"threads"`
	}{page{len(found), r.Limit, next}, each(found, func(f *server.FoundThread) item { return item{threadItemOf(&f.Thread), highlightsOf(f.Highlights)} })})
}

func (a *API) searchInboxes(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	words, limit := q.words(2), q.limit(maxSearchLimit)
	if err := q.err(); err != nil {
		return err
	}
	found, next, err := a.server.SearchInboxes(c.Request().Context(), g, words, limit, q.text("page_token"))
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Inboxes []inbox `json:"inboxes"`
	}{page{len(found), limit, next}, each(found, inboxOf)})
}
