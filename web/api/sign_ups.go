package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// signUp needs no key: it is how an agent gets one. Whoever knocks often waits.
func (a *API) signUp(c echo.Context) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewSignUp{HumanEmail: body.text("human_email"), Username: body.text("username"), Source: body.text("source"), Referrer: body.text("referrer")}
	if err := body.err(); err != nil {
		return err
	}
	if err := a.signUps.take(network(c.RealIP())); err != nil {
		return err
	}
	if err := a.allSignUps.take(""); err != nil {
		return err
	}
	inbox, secret, err := a.server.SignUp(c.Request().Context(), n)
	if err != nil {
		return err
	}
	return answer(c, struct {
		OrganizationID string `json:"organization_id"`
		InboxID        string `json:"inbox_id"`
		APIKey         string `json:"api_key"`
	}{a.server.OrganizationID(), inbox.Address, secret})
}

func (a *API) verifySignUp(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	code := body.text("otp_code")
	if err := body.err(); err != nil {
		return err
	}
	if err := a.server.VerifySignUp(c.Request().Context(), g, code); err != nil {
		return err
	}
	return answer(c, struct {
		Verified bool `json:"verified"`
	}{true})
}
