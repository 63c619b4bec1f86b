package server

import (
	"context"
	"errors"

	"podmail/mail"
	"podmail/storage"
)

// coded gives an error of storage the code that the doors understand. what names the thing that was asked for. An
// error that has a code keeps it; anything unknown stays internal.
func coded(err error, what string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*mail.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		e := mail.NotFound(what)
		e.Err = err
		return e
	case errors.Is(err, storage.ErrGone):
		e := mail.NotFound(what)
		e.Err = err
		return e
	case errors.Is(err, storage.ErrTaken):
		return &mail.Error{Code: mail.CodeConflict, Message: what + " exists already", Err: err}
	case errors.Is(err, storage.ErrOverloaded), errors.Is(err, storage.ErrFull), errors.Is(err, storage.ErrClosed):
		return &mail.Error{Code: mail.CodeUnavailable, Message: "the server cannot store anything right now", Fix: "Try again in a moment.", Err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &mail.Error{Code: mail.CodeUnavailable, Message: "the request was given up", Err: err}
	}
	return err
}
