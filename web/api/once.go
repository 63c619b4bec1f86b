package api

import (
	"crypto/sha256"
	"fmt"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// idempotencyKey is the header by which a client makes a request to send repeatable.
const idempotencyKey = "Idempotency-Key"

// once reads the header, and sums up what the request asks for: the route, what its path names, and the body.
func (o *object) once(c echo.Context, g mail.Grant) (once server.Once) {
	values := c.Request().Header.Values(idempotencyKey)
	if len(values) == 0 {
		return once
	}
	if len(values) > 1 || !isClientID(values[0]) {
		o.fail("invalid_format", "", "has 1 to 256 characters of A-Z a-z 0-9 - . _ ~", idempotencyKey)
		return once
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%d\n", c.Path(), g.Scope.Inbox)
	for _, name := range []string{"message_id", "draft_id"} {
		fmt.Fprintf(sum, "%q\n", c.Param(name))
	}
	sum.Write(o.raw)
	return server.Once{Key: values[0], Request: sum.Sum(nil)}
}
