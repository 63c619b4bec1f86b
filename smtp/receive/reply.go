package receive

import (
	"errors"

	gosmtp "github.com/emersion/go-smtp"

	"podmail/mail"
)

// replies is the one table from codes to replies with enhanced status codes (RFC 3463). The text is the error's own,
// except for what must not leave the house.
var replies = map[mail.Code]gosmtp.SMTPError{
	mail.CodeInvalid:         {Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 6, 0}},
	mail.CodeUnauthenticated: {Code: 535, EnhancedCode: gosmtp.EnhancedCode{5, 7, 8}},
	mail.CodeForbidden:       {Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 7, 1}},
	mail.CodeNotFound:        {Code: 550, EnhancedCode: gosmtp.EnhancedCode{5, 1, 1}, Message: "No such mailbox here"},
	mail.CodeConflict:        {Code: 554, EnhancedCode: gosmtp.EnhancedCode{5, 5, 0}},
	mail.CodeTooLarge:        {Code: 552, EnhancedCode: gosmtp.EnhancedCode{5, 3, 4}},
	mail.CodeQuota:           {Code: 452, EnhancedCode: gosmtp.EnhancedCode{4, 2, 2}},
	mail.CodeRateLimited:     {Code: 450, EnhancedCode: gosmtp.EnhancedCode{4, 7, 1}},
	mail.CodeUnavailable:     {Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: "Try again later"},
	mail.CodeInternal:        {Code: 451, EnhancedCode: gosmtp.EnhancedCode{4, 3, 0}, Message: "Internal error, try again later"},
}

// reply turns an error into what the peer is told. Whatever is not meant for the peer goes to the log.
func (x *session) reply(err error) error {
	if e, ok := errors.AsType[*gosmtp.SMTPError](err); ok { // the body's own refusal
		return e
	}
	code := mail.CodeOf(err)
	r := replies[code]
	if code == mail.CodeInternal || code == mail.CodeUnavailable {
		x.log.Error("smtp command failed", "error", err)
	}
	if e, ok := errors.AsType[*mail.Error](err); ok && r.Message == "" {
		r.Message = e.Message
	}
	return &r
}
