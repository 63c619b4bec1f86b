package api

import (
	"encoding/base64"
	"strings"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// sent is the contract's SendMessageResponse.
type sent struct {
	MessageID string `json:"message_id"`
	ThreadID  string `json:"thread_id"`
}

func (a *API) send(c echo.Context, g mail.Grant) error {
	_, r, err := a.readSend(c, g)
	if err != nil {
		return err
	}
	return answerSent(c)(a.server.Send(c.Request().Context(), g, r))
}

func (a *API) reply(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	body, r, err := a.readSend(c, g)
	if err != nil {
		return err
	}
	all := body.flag("reply_all")
	if err := body.err(); err != nil {
		return err
	}
	return answerSent(c)(a.server.Reply(c.Request().Context(), g, id, r, all))
}

func (a *API) replyAll(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	_, r, err := a.readSend(c, g)
	if err != nil {
		return err
	}
	return answerSent(c)(a.server.Reply(c.Request().Context(), g, id, r, true))
}

func (a *API) forward(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "message_id")
	if err != nil {
		return err
	}
	_, r, err := a.readSend(c, g)
	if err != nil {
		return err
	}
	return answerSent(c)(a.server.Forward(c.Request().Context(), g, id, r))
}

func answerSent(c echo.Context) func(mail.Message, error) error {
	return func(m mail.Message, err error) error {
		if err != nil {
			return err
		}
		return answer(c, sent{m.MessageID, m.ThreadID})
	}
}

// readSend reads what send, reply, reply-all and forward have in common.
func (a *API) readSend(c echo.Context, g mail.Grant) (*object, server.SendRequest, error) {
	body, err := a.readBody(c)
	if err != nil {
		return nil, server.SendRequest{}, err
	}
	r := server.SendRequest{
		To: body.texts("to"), Cc: body.texts("cc"), Bcc: body.texts("bcc"), ReplyTo: body.texts("reply_to"),
		Subject: body.text("subject"), Text: body.optionalText("text"), HTML: body.optionalText("html"),
		Headers: body.textMap("headers"), Labels: body.texts("labels"), TrackOpens: body.flag("track_opens"), Once: body.once(c, g),
	}
	if r.Attachments, err = a.newAttachments(body, "attachments"); err != nil {
		return nil, r, err
	}
	return body, r, nil
}

// newAttachment reads the contract's SendAttachment: either content or url.
func (o *object) newAttachment() server.NewAttachment {
	n := server.NewAttachment{Filename: o.text("filename"), ContentType: o.text("content_type"),
		Disposition: o.text("content_disposition"), ContentID: o.text("content_id")}
	if n.Disposition != "" && n.Disposition != "inline" && n.Disposition != "attachment" {
		o.fail("invalid_value", "", "must be inline or attachment", "content_disposition")
	}
	content, url := o.optionalText("content"), o.optionalText("url")
	if (content == nil) == (url == nil) {
		o.fail("custom", "", "either content or url must be given")
	}
	if content != nil {
		var ok bool
		if n.Content, ok = decodeBase64(*content); !ok {
			o.fail("invalid_format", "base64", "is not base64", "content")
		}
	}
	return n
}

// decodeBase64 takes base64 as it is written around: standard or URL-safe alphabet, with or without padding, broken
// into lines or not.
func decodeBase64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "-_ \t") {
		s = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "").Replace(s)
	}
	s = strings.TrimRight(s, "=\r\n")
	b, err := base64.RawStdEncoding.DecodeString(s) // skips line breaks by itself
	return b, err == nil
}
