package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// draftItem is the contract's DraftItem: a draft as lists show it.
type draftItem struct {
	InboxID     string          `json:"inbox_id"`
	DraftID     string          `json:"draft_id"`
	Labels      []string        `json:"labels"`
	To          []string        `json:"to,omitempty"`
	Cc          []string        `json:"cc,omitempty"`
	Bcc         []string        `json:"bcc,omitempty"`
	Subject     string          `json:"subject,omitempty"`
	Preview     string          `json:"preview,omitempty"`
	Attachments []attachment    `json:"attachments,omitempty"`
	InReplyTo   string          `json:"in_reply_to,omitempty"`
	ForwardOf   string          `json:"forward_of,omitempty"`
	SendStatus  mail.SendStatus `json:"send_status,omitempty"`
	SendAt      timestamp       `json:"send_at,omitzero"`
	UpdatedAt   timestamp       `json:"updated_at"`
}

func draftItemOf(d *mail.Draft) draftItem {
	e := &d.Message.Envelope
	item := draftItem{
		InboxID: d.Message.InboxID, DraftID: d.DraftID, Labels: present(d.Message.Labels), To: mail.Strings(e.To), Cc: mail.Strings(e.Cc), Bcc: mail.Strings(e.Bcc),
		Subject: e.Subject, Preview: d.Message.Preview, Attachments: each(d.Message.Attachments, attachmentOf),
		SendStatus: d.SendStatus, SendAt: timestamp(d.SendAt), UpdatedAt: timestamp(d.UpdatedAt),
	}
	if d.Kind == mail.DraftForward {
		item.ForwardOf = d.Original
	} else {
		item.InReplyTo = d.Original
	}
	return item
}

// draft is the contract's Draft.
type draft struct {
	draftItem
	ClientID   string    `json:"client_id,omitempty"`
	ReplyTo    []string  `json:"reply_to,omitempty"`
	Text       *string   `json:"text,omitempty"`
	HTML       *string   `json:"html,omitempty"`
	References []string  `json:"references,omitempty"`
	CreatedAt  timestamp `json:"created_at"`
}

func answerDraft(c echo.Context) func(mail.Draft, mail.Content, error) error {
	return func(d mail.Draft, content mail.Content, err error) error {
		if err != nil {
			return err
		}
		e := &d.Message.Envelope
		out := draft{draftItem: draftItemOf(&d), ClientID: d.ClientID, ReplyTo: mail.Strings(e.ReplyTo), References: e.References, CreatedAt: timestamp(d.CreatedAt)}
		if content.Text != "" {
			out.Text = &content.Text
		}
		if content.HTML != "" {
			out.HTML = &content.HTML
		}
		return answer(c, out)
	}
}

func (a *API) listDrafts(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	f := mail.MessageFilter{Labels: q.list("labels")}
	f.Before, f.After = q.between()
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	drafts, next, err := a.server.ListDrafts(c.Request().Context(), g, f, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Drafts []draftItem `json:"drafts"`
	}{page{len(drafts), p.Limit, next}, each(drafts, draftItemOf)})
}

func (a *API) getDraft(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "draft_id")
	if err != nil {
		return err
	}
	return answerDraft(c)(a.server.GetDraft(c.Request().Context(), g, id))
}

func (a *API) getDraftAttachment(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "draft_id")
	if err != nil {
		return err
	}
	file, err := pathID(c, "attachment_id")
	if err != nil {
		return err
	}
	found, link, err := a.server.DraftAttachmentLink(c.Request().Context(), g, id, file)
	if err != nil {
		return err
	}
	return answer(c, linkedAttachmentOf(&found, link))
}

func (a *API) createDraft(c echo.Context, g mail.Grant) error {
	body, r, err := a.readSend(c, g)
	if err != nil {
		return err
	}
	if r.TrackOpens {
		return mail.Errorf(mail.CodeInvalid, "Opens of drafts cannot be tracked.").WithReason(mail.ReasonUnprocessable).WithFix("Send the message without a draft, or leave track_opens out.")
	}
	r.Headers, r.Once = nil, server.Once{} // no part of a draft, which has a client_id
	n := server.NewDraft{SendRequest: r, InReplyTo: body.text("in_reply_to"), ForwardOf: body.text("forward_of"), ReplyAll: body.flag("reply_all"),
		SendAt: body.moment("send_at"), ClientID: body.clientID()}
	if err := body.err(); err != nil {
		return err
	}
	return answerDraft(c)(a.server.CreateDraft(c.Request().Context(), g, n))
}

// updateDraft is where null means something: it clears a field (contract: semantics.md, Drafts).
func (a *API) updateDraft(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "draft_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	u := server.DraftUpdate{
		To: body.clearableTexts("to"), Cc: body.clearableTexts("cc"), Bcc: body.clearableTexts("bcc"), ReplyTo: body.clearableTexts("reply_to"),
		Subject: body.clearableText("subject"), Text: body.clearableText("text"), HTML: body.clearableText("html"),
		RemoveAttachments: body.texts("remove_attachments"), AddLabels: body.texts("add_labels"), RemoveLabels: body.texts("remove_labels"),
	}
	if body.has("send_at") {
		at := body.moment("send_at")
		u.SendAt = &at
	}
	if u.AddAttachments, err = a.newAttachments(body, "add_attachments"); err != nil {
		return err
	}
	return answerDraft(c)(a.server.UpdateDraft(c.Request().Context(), g, id, u))
}

func (a *API) deleteDraft(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "draft_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteDraft(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

func (a *API) sendDraft(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "draft_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	send := server.DraftSend{AddLabels: body.texts("add_labels"), RemoveLabels: body.texts("remove_labels"), Once: body.once(c, g)}
	if err := body.err(); err != nil {
		return err
	}
	return answerSent(c)(a.server.SendDraft(c.Request().Context(), g, id, send))
}

// clearableText is a string field; nil if absent, empty if null.
func (o *object) clearableText(name string) *string {
	if o.isNull(name) {
		return new(string)
	}
	return o.optionalText(name)
}

// clearableTexts is a field of strings; nil if absent, empty if null.
func (o *object) clearableTexts(name string) *[]string {
	if !o.has(name) {
		return nil
	}
	list := o.texts(name)
	return &list
}
