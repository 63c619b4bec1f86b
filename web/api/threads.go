package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// threadItem is the contract's ThreadItem: a thread as lists show it.
type threadItem struct {
	InboxID           string       `json:"inbox_id"`
	ThreadID          string       `json:"thread_id"`
	Labels            []string     `json:"labels"`
	Timestamp         timestamp    `json:"timestamp"`
	ReceivedTimestamp timestamp    `json:"received_timestamp,omitzero"`
	SentTimestamp     timestamp    `json:"sent_timestamp,omitzero"`
	Senders           []string     `json:"senders"`
	Recipients        []string     `json:"recipients"`
	Subject           string       `json:"subject,omitempty"`
	Preview           string       `json:"preview,omitempty"`
	Attachments       []attachment `json:"attachments,omitempty"`
	LastMessageID     string       `json:"last_message_id"`
	MessageCount      int64        `json:"message_count"`
	Size              int64        `json:"size"`
	UpdatedAt         timestamp    `json:"updated_at"`
	CreatedAt         timestamp    `json:"created_at"`
}

func threadItemOf(t *mail.Thread) threadItem {
	return threadItem{
		InboxID: t.InboxID, ThreadID: t.ThreadID, Labels: present(t.Labels()), Timestamp: timestamp(t.Timestamp),
		ReceivedTimestamp: timestamp(t.ReceivedTimestamp), SentTimestamp: timestamp(t.SentTimestamp),
		Senders: present(t.Senders), Recipients: present(t.Recipients), Subject: t.Subject, Preview: t.Preview,
		Attachments: each(t.Attachments, attachmentOf), LastMessageID: t.LastMessageID, MessageCount: t.MessageCount,
		Size: t.Size, UpdatedAt: timestamp(t.UpdatedAt), CreatedAt: timestamp(t.CreatedAt),
	}
}

func (a *API) listThreads(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	f, most := q.filter("senders", "recipients")
	p := q.page(most)
	if err := q.err(); err != nil {
		return err
	}
	threads, next, err := a.server.ListThreads(c.Request().Context(), g, f, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Threads []threadItem `json:"threads"`
	}{page{len(threads), p.Limit, next}, each(threads, threadItemOf)})
}

// getThread pages the thread's messages: newest page first, each in ascending order.
func (a *API) getThread(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "thread_id")
	if err != nil {
		return err
	}
	q := readQuery(c)
	p := mail.Page{Limit: q.limit(maxSearchLimit), Token: q.text("page_token")}
	if err := q.err(); err != nil {
		return err
	}
	t, messages, next, err := a.server.GetThread(c.Request().Context(), g, id, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		threadItem
		page
		Messages []message `json:"messages"`
	}{threadItemOf(&t), page{len(messages), p.Limit, next}, each(messages, func(m *server.ThreadMessage) message {
		return messageOf(&m.Message, &m.Content)
	})})
}

// updatedThread is the contract's UpdateThreadResponse.
type updatedThread struct {
	ThreadID string   `json:"thread_id"`
	Labels   []string `json:"labels"`
}

func (a *API) updateThread(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "thread_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	add, remove := body.texts("add_labels"), body.texts("remove_labels")
	if err := body.err(); err != nil {
		return err
	}
	t, err := a.server.UpdateThread(c.Request().Context(), g, id, add, remove)
	if err != nil {
		return err
	}
	return answer(c, updatedThread{t.ThreadID, present(t.Labels())})
}

func (a *API) deleteThread(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "thread_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteThread(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

func (a *API) getThreadAttachment(c echo.Context, g mail.Grant) error {
	threadID, err := pathID(c, "thread_id")
	if err != nil {
		return err
	}
	id, err := pathID(c, "attachment_id")
	if err != nil {
		return err
	}
	att, link, err := a.server.ThreadAttachmentLink(c.Request().Context(), g, threadID, id)
	if err != nil {
		return err
	}
	return answer(c, linkedAttachmentOf(&att, link))
}
