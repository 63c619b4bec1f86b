package server

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"podmail/mail"
	"podmail/storage"
)

// Pause stops what a pod sends, what is sent from a domain, or what goes to one. It is accepted, and waits. What is stopped
// already gets the reason, if there is one.
func (s *Server) Pause(ctx context.Context, g mail.Grant, kind mail.PauseKind, name, reason string) (p mail.Pause, err error) {
	if utf8.RuneCountInString(reason) > maxReason {
		return p, mail.Invalid("reason", "has at most %d characters", maxReason)
	}
	made, err := s.newPause(ctx, g, kind, name)
	if err != nil {
		return p, err
	}
	made.Reason, made.CreatedAt = reason, s.clock.Now()
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		if err := sys.InsertPause(made); err != nil {
			return err
		}
		p, err = sys.FindPause(made.Kind, made.Name)
		return err
	})
	return p, coded(err, "Pause")
}

// newPause begins a pause. CodeNotFound if no pod has the name, CodeInvalid if no domain can have it.
func (s *Server) newPause(ctx context.Context, g mail.Grant, kind mail.PauseKind, name string) (mail.Pause, error) {
	if err := operators(g, mail.MessageSend, "stops mail"); err != nil {
		return mail.Pause{}, err
	}
	if kind == mail.PausePod {
		in, err := s.InPod(ctx, g, name)
		return mail.Pause{Kind: kind, Pod: in.Scope.Pod, Name: in.PodID}, err
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if ascii, err := idna.Lookup.ToASCII(name); err == nil { // as the queue has it
		name = ascii
	}
	literal := kind == mail.PauseDestination && strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]") // RFC 5321 4.1.3
	if !literal && !mail.ValidDomain(name) {
		return mail.Pause{}, mail.Invalid("name", "is no domain")
	}
	return mail.Pause{Kind: kind, Name: name}, nil
}

// Resume lets go on what was stopped. CodeNotFound if it is not.
func (s *Server) Resume(ctx context.Context, g mail.Grant, kind mail.PauseKind, name string) error {
	p, err := s.newPause(ctx, g, kind, name)
	if err != nil {
		return err
	}
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error { return sys.DeletePause(p.Kind, p.Name) })
	if errors.Is(err, storage.ErrNotFound) {
		return mail.Errorf(mail.CodeNotFound, "The %s %s is not stopped.", kind, name).WithFix("podmail queue pauses, or GET /v0/queue/pauses, lists what is.")
	}
	poke(s.outbound)
	return coded(err, "Pause")
}

// ListPauses lists what is stopped: everything to the operator, to others whether their pod is.
func (s *Server) ListPauses(ctx context.Context, g mail.Grant) (pauses []mail.Pause, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, err
	}
	if g.Scope.Type() != mail.ScopeOrganization {
		err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
			pauses, err = tx.ListOwnPauses()
			return err
		})
		return pauses, coded(err, "Pauses")
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		pauses, err = sys.ListPauses()
		return err
	})
	return pauses, coded(err, "Pauses")
}

// operators refuses what a key of the organization alone may do, with a permission.
func operators(g mail.Grant, p mail.Permission, what string) error {
	if g.KeyScope.Type() != mail.ScopeOrganization {
		return mail.Errorf(mail.CodeForbidden, "Forbidden").WithFix("Only the operator %s: use a key of the organization.", what)
	}
	return g.Require(p)
}
