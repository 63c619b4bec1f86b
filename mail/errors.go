package mail

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code is the kind of a failure. Each door has one table from Code to its own answers.
type Code string

// The codes. Any error that is not an *Error counts as CodeInternal: its text goes to the log and never to a peer.
const (
	CodeInvalid         Code = "invalid"
	CodeUnauthenticated Code = "unauthenticated"
	CodeForbidden       Code = "forbidden"
	CodeNotFound        Code = "not_found"
	CodeConflict        Code = "conflict"
	CodeTooLarge        Code = "too_large"
	CodeQuota           Code = "quota"
	CodeRateLimited     Code = "rate_limited"
	CodeUnavailable     Code = "unavailable"
	CodeInternal        Code = "internal"
)

// Reason narrows a Code down to the word of the API contract that clients branch on. Empty means the door's default
// word for the Code.
type Reason string

// The reasons that server hands out (contract: semantics.md, Errors).
const (
	ReasonMissingAuthorization Reason = "missing_authorization"
	ReasonUnknownAPIKey        Reason = "unknown_api_key"
	ReasonMissingPermission    Reason = "missing_permission"
	ReasonPermissionEscalation Reason = "permission_escalation"
	ReasonUnrestrictedKey      Reason = "unrestricted_key_required"
	ReasonMessageRejected      Reason = "message_rejected"
	ReasonDomainNotVerified    Reason = "domain_not_verified"
	ReasonAlreadyExists        Reason = "already_exists"
	ReasonResourceTaken        Reason = "resource_taken"
	ReasonCannotDelete         Reason = "cannot_delete"
	ReasonUnprocessable        Reason = "unprocessable"
	ReasonResourceDeleting     Reason = "resource_deleting"
	ReasonRangeTooWide         Reason = "query_range_too_wide"
)

// The reasons for which mail that comes in is refused. SMTP has an enhanced code for each (RFC 3463, RFC 7372).
const (
	ReasonUnauthenticatedMessage Reason = "unauthenticated_message"
	ReasonSPFFailed              Reason = "spf_failed"
	ReasonAuthenticationFailed   Reason = "authentication_failed" // for a reason that will pass
	ReasonRoutingLoop            Reason = "routing_loop"
)

// Error is the one error that layers above storage hand to the doors.
type Error struct {
	Code    Code
	Reason  Reason
	Message string // what happened, for the peer
	Fix     string // what to do next, for the peer; may be empty
	Fields  []FieldError
	// RetryAfter is when to try again; zero: nothing is known.
	RetryAfter time.Duration
	Err        error // the cause, for the log only
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Path     []string // from the root of the body, or the parameter's name
	Message  string
	Code     string // such as invalid_type
	Expected string // such as string
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return string(e.Code) + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// WithReason sets the contract's word and returns e.
func (e *Error) WithReason(r Reason) *Error { e.Reason = r; return e }

// WithFix sets the advice and returns e.
func (e *Error) WithFix(format string, args ...any) *Error {
	e.Fix = fmt.Sprintf(format, args...)
	return e
}

// Errorf makes an *Error with the given code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an *Error about one field of a request.
func Invalid(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{Code: CodeInvalid, Message: field + ": " + msg, Fields: []FieldError{{Path: strings.Split(field, "."), Message: msg}}}
}

// NotFound is the answer for what is absent and for what lies outside the caller's scope alike.
func NotFound(what string) *Error {
	return &Error{Code: CodeNotFound, Message: what + " not found"}
}

// CodeOf returns the code of err: CodeInternal for anything that is not an *Error.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
