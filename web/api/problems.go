package api

import (
	"strings"

	"podmail/mail"
)

// maxProblems bounds how many of a request's faults are told.
const maxProblems = 20

// problems gathers what is wrong with a request, so that one answer tells all of it.
type problems []mail.FieldError

func (p *problems) add(code, expected, message string, path ...string) {
	if len(*p) < maxProblems {
		*p = append(*p, mail.FieldError{Code: code, Expected: expected, Message: message, Path: path})
	}
}

// err is nil if nothing is wrong, else a validation error.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	first := p[0]
	message := first.Message
	if len(first.Path) > 0 {
		message = strings.Join(first.Path, ".") + ": " + message
	}
	return &mail.Error{Code: mail.CodeInvalid, Message: message, Fields: p}
}
