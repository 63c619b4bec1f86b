package receive

import (
	"errors"
	"fmt"
	"strings"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
	"podmail/smtp/wire"
)

// replyTo is the one table from codes to replies with enhanced status codes (RFC 3463). The text is the error's own,
// except for what must not leave the house.
func replyTo(code mail.Code, reason mail.Reason, text string) *wire.Reply {
	switch reason { // RFC 3463 3.5, RFC 7372
	case mail.ReasonRoutingLoop:
		return wire.NewReply(554, "5.4.6", text)
	case mail.ReasonUnauthenticatedMessage:
		return wire.NewReply(550, "5.7.26", text)
	case mail.ReasonSPFFailed:
		return wire.NewReply(550, "5.7.23", text)
	case mail.ReasonAuthenticationFailed:
		return wire.NewReply(451, "4.7.24", text)
	}
	switch code {
	case mail.CodeInvalid:
		return wire.NewReply(554, "5.6.0", text)
	case mail.CodeUnauthenticated:
		return wire.NewReply(535, "5.7.8", text)
	case mail.CodeForbidden:
		return wire.NewReply(550, "5.7.1", text)
	case mail.CodeNotFound:
		return wire.NewReply(550, "5.1.1", "No such mailbox here")
	case mail.CodeConflict:
		return wire.NewReply(554, "5.5.0", text)
	case mail.CodeTooLarge:
		return wire.NewReply(552, "5.3.4", text)
	case mail.CodeQuota:
		return wire.NewReply(452, "4.2.2", text)
	case mail.CodeRateLimited:
		return wire.NewReply(450, "4.7.1", text)
	case mail.CodeUnavailable:
		return wire.NewReply(451, "4.3.0", "Try again later")
	}
	return wire.NewReply(451, "4.3.0", "Internal error, try again later")
}

// asError makes a reply one that go-smtp gives; nil is its own. The guard keeps it within its line.
func asError(r *wire.Reply) error {
	if r == nil {
		return nil
	}
	e := &gosmtp.SMTPError{Code: r.Code, Message: strings.NewReplacer("\r", "?", "\n", "?").Replace(r.Lines[0])}
	if _, err := fmt.Sscanf(r.Status, "%d.%d.%d", &e.EnhancedCode[0], &e.EnhancedCode[1], &e.EnhancedCode[2]); err != nil {
		e.EnhancedCode = gosmtp.EnhancedCodeNotSet
	}
	return e
}

// reply turns an error into what the peer is told. Whatever is not meant for the peer goes to the log.
func (x *session) reply(err error) *wire.Reply {
	if r, ok := errors.AsType[*wire.Reply](err); ok { // the body's own refusal
		return r
	}
	code := mail.CodeOf(err)
	if code == mail.CodeInternal || code == mail.CodeUnavailable {
		x.g.log.Error("smtp command failed", "error", err)
	}
	var reason mail.Reason
	text := ""
	if e, ok := errors.AsType[*mail.Error](err); ok {
		reason, text = e.Reason, e.Message
	}
	return replyTo(code, reason, text)
}

// tooMuch refuses what goes beyond a limit per hour. It passes, and the sender's server tries again.
func (x *session) tooMuch(of string) *wire.Reply {
	x.s.metrics.limited.WithLabelValues(of).Inc()
	x.g.log.Info("rate limited", "of", of)
	return wire.NewReply(450, "4.7.1", "Too many "+of+" or bytes in one hour, try again later")
}

// replyClass names a reply in metrics.
func replyClass(code int) string { return [...]string{"", "", "2xx", "3xx", "4xx", "5xx"}[code/100] }
