package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"podmail/mail"
	"podmail/storage"
)

// OrganizationID is the installation's public id.
func (s *Server) OrganizationID() string { return s.organization.PublicID }

// Organization returns the installation with its exact counts.
func (s *Server) Organization(ctx context.Context, g mail.Grant) (o mail.Organization, err error) {
	o = mail.Organization{OrganizationID: s.organization.PublicID, CreatedAt: s.organization.CreatedAt, UpdatedAt: s.organization.UpdatedAt}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if o.InboxCount, err = tx.CountInboxes(); err != nil {
			return err
		}
		o.DomainCount, err = tx.CountDomains()
		return err
	})
	return o, coded(err, "Organization")
}

// NewPod asks for a pod. Both fields may be empty.
type NewPod struct{ Name, ClientID string }

// CreatePod makes a pod, or returns the one that has the client id already.
func (s *Server) CreatePod(ctx context.Context, g mail.Grant, n NewPod) (pod mail.Pod, err error) {
	if err := g.Require(mail.PodCreate); err != nil {
		return pod, err
	}
	if n.ClientID != "" && !validClientID(n.ClientID) {
		return pod, invalidClientID()
	}
	id, err := s.newID()
	if err != nil {
		return pod, err
	}
	if n.Name == "" {
		n.Name = "Pod " + id[len(id)-6:]
	}
	now := s.clock.Now()
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) (err error) {
		if n.ClientID != "" {
			if pod, err = tx.FindPod(n.ClientID); !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		pod, err = tx.InsertPod(mail.Pod{PodID: id, Name: n.Name, ClientID: n.ClientID, CreatedAt: now})
		return err
	})
	return pod, coded(err, "Pod")
}

// validClientID checks the contract's 1–256 characters of A-Z a-z 0-9 - . _ ~.
func validClientID(id string) bool {
	other := func(r rune) bool {
		return !('A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
	}
	return len(id) >= 1 && len(id) <= 256 && strings.IndexFunc(id, other) < 0
}

func invalidClientID() error {
	return mail.Invalid("client_id", "has 1 to 256 characters of A-Z a-z 0-9 - . _ ~")
}

// GetPod finds a pod by pod_id or client_id.
func (s *Server) GetPod(ctx context.Context, g mail.Grant, podID string) (pod mail.Pod, err error) {
	if err := g.Require(mail.PodRead); err != nil {
		return pod, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		pod, err = tx.FindPod(podID)
		return err
	})
	return pod, coded(err, "Pod")
}

// ListPods lists the pods in the grant's scope.
func (s *Server) ListPods(ctx context.Context, g mail.Grant, p mail.Page) (pods []mail.Pod, next string, err error) {
	if err := g.Require(mail.PodRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		pods, next, err = tx.ListPods(p)
		return err
	})
	return pods, next, coded(err, "Pods")
}

// DeletePod removes an empty pod. One that still has inboxes or domains, and the default pod, is refused and untouched.
func (s *Server) DeletePod(ctx context.Context, g mail.Grant, podID string) error {
	if err := g.Require(mail.PodDelete); err != nil {
		return err
	}
	now := s.clock.Now()
	err := s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		pod, err := sys.For(g.Scope).FindPod(podID)
		if err != nil {
			return err
		}
		if pod.Default {
			return cannotDelete("The default pod cannot be deleted.", "Leave it empty if you do not need it.")
		}
		tx := sys.For(pod.Scope())
		inboxes, err := tx.CountInboxes()
		if err != nil {
			return err
		}
		domains, err := tx.CountDomains()
		if err != nil {
			return err
		}
		if inboxes > 0 || domains > 0 {
			return cannotDelete(fmt.Sprintf("The pod still has %s and %s.", plural(inboxes, "inbox", "inboxes"), plural(domains, "domain", "domains")),
				"Delete its inboxes, then its domains, then the pod.")
		}
		if err := tx.DeleteAPIKeys(); err != nil {
			return err
		}
		if err := tx.DeleteListEntries(); err != nil {
			return err
		}
		if err := tx.DeleteSignUp(); err != nil {
			return err
		}
		if err := tx.DeleteIdempotencyKeys(); err != nil {
			return err
		}
		if err := forgetPlace(sys, pod.Scope(), now); err != nil {
			return err
		}
		if err := tx.DeletePauses(); err != nil {
			return err
		}
		if err := tx.DeleteRoutes(); err != nil {
			return err
		}
		if err := tx.DeleteSent(); err != nil {
			return err
		}
		return tx.HidePod(now)
	})
	poke(s.sweep)
	return coded(err, "Pod")
}

func cannotDelete(message, fix string) error {
	return mail.Errorf(mail.CodeForbidden, "%s", message).WithReason(mail.ReasonCannotDelete).WithFix("%s", fix)
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
