package api

import (
	"strconv"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// batchGetMessages answers with the messages that there are, in the order of the request, without bodies.
func (a *API) batchGetMessages(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	ids := body.messageIDs(maxBatchGet)
	if err := body.err(); err != nil {
		return err
	}
	found, err := a.server.GetMessages(c.Request().Context(), g, ids)
	if err != nil {
		return err
	}
	messages := each(found, func(m *mail.Message) message { return messageOf(m, &mail.Content{}) })
	return answer(c, struct {
		Limit    int       `json:"limit"`
		Count    int       `json:"count"`
		Messages []message `json:"messages"`
	}{len(ids), len(messages), messages})
}

// batchUpdateMessages changes the labels of the messages that there are, all or none, in the order of the request.
func (a *API) batchUpdateMessages(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	ids := body.messageIDs(maxBatchUpdate)
	add, remove := body.texts("add_labels"), body.texts("remove_labels")
	if err := body.err(); err != nil {
		return err
	}
	updated, err := a.server.UpdateMessages(c.Request().Context(), g, ids, add, remove)
	if err != nil {
		return err
	}
	updates := each(updated, func(m *mail.Message) updatedMessage { return updatedMessage{m.MessageID, present(m.Labels)} })
	return answer(c, struct {
		Limit   int              `json:"limit"`
		Count   int              `json:"count"`
		Updates []updatedMessage `json:"updates"`
	}{len(ids), len(updates), updates})
}

// messageIDs reads a batch's message_ids: at least one, at most so many, none twice.
func (o *object) messageIDs(most int) []string {
	ids := o.texts("message_ids")
	if len(ids) < 1 {
		o.fail("too_small", "array", "must name at least one message", "message_ids")
	}
	if len(ids) > most {
		o.fail("too_big", "array", "has at most "+strconv.Itoa(most)+" ids", "message_ids")
		return nil
	}
	seen := make(map[string]bool, len(ids))
	for i, id := range ids {
		if ids[i] = bracketed(id); seen[ids[i]] {
			o.fail("custom", "", "names a message twice", "message_ids", strconv.Itoa(i))
		}
		seen[ids[i]] = true
	}
	return ids
}
