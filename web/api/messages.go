package api

import (
	"strings"

	"github.com/labstack/echo/v4"

	"podmail/mail"
)

// messageItem is the contract's MessageItem: a message as lists show it.
type messageItem struct {
	InboxID     string       `json:"inbox_id"`
	ThreadID    string       `json:"thread_id"`
	MessageID   string       `json:"message_id"`
	Labels      []string     `json:"labels"`
	Timestamp   timestamp    `json:"timestamp"`
	From        string       `json:"from"`
	To          []string     `json:"to"`
	Cc          []string     `json:"cc,omitempty"`
	Bcc         []string     `json:"bcc,omitempty"`
	Subject     string       `json:"subject,omitempty"`
	Preview     string       `json:"preview,omitempty"`
	Attachments []attachment `json:"attachments,omitempty"`
	InReplyTo   string       `json:"in_reply_to,omitempty"`
	References  []string     `json:"references,omitempty"`
	Size        int64        `json:"size"`
	UpdatedAt   timestamp    `json:"updated_at"`
	CreatedAt   timestamp    `json:"created_at"`
}

func messageItemOf(m *mail.Message) messageItem {
	e := &m.Envelope
	item := messageItem{
		InboxID: m.InboxID, ThreadID: m.ThreadID, MessageID: m.MessageID, Labels: present(m.Labels), Timestamp: timestamp(m.Timestamp),
		From: strings.Join(mail.Strings(e.From), ", "), To: present(mail.Strings(e.To)), Cc: mail.Strings(e.Cc), Bcc: mail.Strings(e.Bcc),
		Subject: e.Subject, Preview: m.Preview, Attachments: each(m.Attachments, attachmentOf), References: e.References,
		Size: m.Size, UpdatedAt: timestamp(m.UpdatedAt), CreatedAt: timestamp(m.CreatedAt),
	}
	if len(e.InReplyTo) > 0 {
		item.InReplyTo = e.InReplyTo[0]
	}
	return item
}

// present makes a list that must be there [] instead of null.
func present(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// message is the contract's Message. Batches leave the bodies out.
type message struct {
	messageItem
	ReplyTo       []string          `json:"reply_to,omitempty"`
	Text          *string           `json:"text,omitempty"`
	HTML          *string           `json:"html,omitempty"`
	ExtractedText string            `json:"extracted_text,omitempty"`
	ExtractedHTML string            `json:"extracted_html,omitempty"`
	Headers       map[string]string `json:"headers,omitempty"`
}

func messageOf(m *mail.Message, c *mail.Content) message {
	out := message{messageItem: messageItemOf(m), ReplyTo: mail.Strings(m.Envelope.ReplyTo),
		ExtractedText: c.ExtractedText, ExtractedHTML: c.ExtractedHTML, Headers: c.Headers}
	if c.HasText {
		out.Text = &c.Text
	}
	if c.HasHTML {
		out.HTML = &c.HTML
	}
	return out
}

func (a *API) listMessages(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	f, most := q.filter("from", "to")
	p := q.page(most)
	if err := q.err(); err != nil {
		return err
	}
	messages, next, err := a.server.ListMessages(c.Request().Context(), g, f, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Messages []messageItem `json:"messages"`
	}{page{len(messages), p.Limit, next}, each(messages, messageItemOf)})
}

func (a *API) getMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	m, content, err := a.server.GetMessage(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, messageOf(&m, &content))
}

// updatedMessage is the contract's UpdateMessageResponse.
type updatedMessage struct {
	MessageID string   `json:"message_id"`
	Labels    []string `json:"labels"`
}

func (a *API) updateMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
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
	m, err := a.server.UpdateMessage(c.Request().Context(), g, id, add, remove)
	if err != nil {
		return err
	}
	return answer(c, updatedMessage{m.MessageID, present(m.Labels)})
}

func (a *API) deleteMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteMessage(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

// rawMessage is the contract's RawMessageResponse.
type rawMessage struct {
	MessageID   string    `json:"message_id"`
	Size        int64     `json:"size"`
	DownloadURL string    `json:"download_url"`
	ExpiresAt   timestamp `json:"expires_at"`
}

func (a *API) getRawMessage(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	m, link, err := a.server.RawLink(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, rawMessage{m.MessageID, m.Size, link.URL, timestamp(link.ExpiresAt)})
}

func (a *API) getMessageAttachment(c echo.Context, g mail.Grant) error {
	messageID, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	id, err := pathID(c, "attachment_id")
	if err != nil {
		return err
	}
	att, link, err := a.server.AttachmentLink(c.Request().Context(), g, messageID, id)
	if err != nil {
		return err
	}
	return answer(c, linkedAttachmentOf(&att, link))
}
