package imap

import (
	"errors"
	"strings"

	goimap "github.com/emersion/go-imap/v2"

	"podmail/imap/fetch"
	"podmail/imap/search"
	"podmail/imap/session"
	"podmail/imap/tracker"
	"podmail/imap/wire"
	"podmail/mail"
)

// responseCodes is the one table from error codes to IMAP's (RFC 9051 7.1).
var responseCodes = map[mail.Code]goimap.ResponseCode{
	mail.CodeInvalid:         goimap.ResponseCodeCannot,
	mail.CodeUnauthenticated: goimap.ResponseCodeAuthenticationFailed,
	mail.CodeForbidden:       goimap.ResponseCodeNoPerm,
	mail.CodeNotFound:        goimap.ResponseCodeNonExistent,
	mail.CodeConflict:        goimap.ResponseCodeAlreadyExists,
	mail.CodeTooLarge:        goimap.ResponseCodeTooBig,
	mail.CodeQuota:           goimap.ResponseCodeOverQuota,
	mail.CodeRateLimited:     goimap.ResponseCodeLimit,
	mail.CodeUnavailable:     goimap.ResponseCodeUnavailable,
}

// status turns an error into the tagged response that tells it. What is not meant for peers goes to the log.
func (c *connection) status(command string, err error) *goimap.Error {
	no := func(code goimap.ResponseCode, text string) *goimap.Error {
		return &goimap.Error{Type: goimap.StatusResponseTypeNo, Code: code, Text: text}
	}
	bad := func(text string) *goimap.Error {
		return &goimap.Error{Type: goimap.StatusResponseTypeBad, Code: goimap.ResponseCodeClientBug, Text: text}
	}
	switch {
	case errors.Is(err, wire.ErrSyntax), errors.Is(err, tracker.ErrNumber), errors.Is(err, session.ErrNotSelected):
		return bad(sentence(err.Error()))
	case errors.Is(err, session.ErrReadOnly):
		return no("READ-ONLY", "The mailbox was opened with EXAMINE")
	case errors.Is(err, search.ErrCharset):
		return no("BADCHARSET (US-ASCII UTF-8)", "Charset not supported") // RFC 9051 6.4.4
	case errors.Is(err, fetch.ErrEncoding):
		return no(goimap.ResponseCodeUnknownCTE, "The part's encoding is not known")
	}
	if e, ok := errors.AsType[*mail.Error](err); ok {
		code := responseCodes[e.Code]
		if e.Reason == mail.ReasonAlreadyExists || e.Reason == mail.ReasonResourceTaken {
			code = goimap.ResponseCodeAlreadyExists
		}
		if code != "" {
			c.log.Debug("imap: command refused", "command", command, "code", e.Code, "error", err)
			return no(code, sentence(e.Message))
		}
	}
	if c.ctx.Err() != nil {
		return no(goimap.ResponseCodeUnavailable, "The connection is ending")
	}
	c.log.Error("imap: command failed", "command", command, "error", err)
	// Not the library's own words, which the guard takes for a syntax error.
	return no(goimap.ResponseCodeServerBug, "Something went wrong here; it has been logged")
}

// failed is status for the library, which takes nil for success.
func (a *adapter) failed(command string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, session.ErrGone) {
		a.conn.ByeAfter("The mailbox has been deleted")
	}
	return a.status(command, err)
}

// tryCreate makes a missing destination what clients look for (RFC 9051 6.3.12, 6.4.7).
func tryCreate(err error) error {
	if e, ok := errors.AsType[*goimap.Error](err); ok && e.Code == goimap.ResponseCodeNonExistent {
		e.Code = goimap.ResponseCodeTryCreate
	}
	return err
}

// sentence makes text fit for a response line: one line of ASCII or UTF-8 that starts with a capital.
func sentence(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if text == "" {
		return "Refused"
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
