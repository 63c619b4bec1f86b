package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"

	"podmail/mail"
	"podmail/storage"
)

func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// Authenticate turns an API key's secret into what it grants. CodeUnauthenticated if it is unknown, revoked or
// expired. Secrets are random and long, so their SHA-256 is a safe index: no slow hash is needed.
func (s *Server) Authenticate(ctx context.Context, secret string) (mail.Grant, error) {
	var key mail.APIKey
	err := s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		key, err = tx.FindAPIKeyByHash(hashOf(secret))
		return err
	})
	now := s.clock.Now()
	if errors.Is(err, storage.ErrNotFound) || (err == nil && !key.ExpiresAt.IsZero() && !key.ExpiresAt.After(now)) {
		return mail.Grant{}, mail.Errorf(mail.CodeUnauthenticated, "The API key is not known here.").WithReason(mail.ReasonUnknownAPIKey).
			WithFix("Check the key, or create a new one with `podmail key create`.")
	}
	if err != nil {
		return mail.Grant{}, coded(err, "API key")
	}
	s.used.note(key.ID, now, s.verifierFor(key, secret))
	return mail.Grant{Scope: key.Scope, KeyScope: key.Scope, PodID: key.PodID, InboxID: key.InboxID, APIKeyID: key.APIKeyID, Permissions: key.Permissions}, nil
}

// Login is Authenticate for mail clients: user is an inbox address, password an API key whose scope covers it and that
// has the permission need, without which the client could do nothing. The grant is narrowed to the inbox.
// CodeUnauthenticated whatever is wrong, so that addresses cannot be probed; CodeForbidden for want of the permission.
func (s *Server) Login(ctx context.Context, user, password string, need mail.Permission) (mail.Grant, mail.Inbox, error) {
	refused := errLogin()
	g, err := s.Authenticate(ctx, password)
	if err != nil {
		if mail.CodeOf(err) == mail.CodeUnauthenticated {
			return mail.Grant{}, mail.Inbox{}, refused
		}
		return mail.Grant{}, mail.Inbox{}, err
	}
	var inbox mail.Inbox
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		inbox, err = tx.FindInbox(asciiAddress(user))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return mail.Grant{}, mail.Inbox{}, refused
	}
	if err != nil {
		return mail.Grant{}, mail.Inbox{}, coded(err, "inbox")
	}
	return narrowed(g, inbox), inbox, g.Require(need)
}

func errLogin() *mail.Error {
	return mail.Errorf(mail.CodeUnauthenticated, "Authentication failed.").
		WithFix("Log in with the inbox's address and an API key whose scope covers the inbox.")
}

func narrowed(g mail.Grant, i mail.Inbox) mail.Grant {
	g.Scope, g.PodID, g.InboxID = i.Scope(), i.PodID, i.Address
	return g
}

// InPod narrows a grant to a pod named by pod_id or client_id. not_found outside the grant's scope; forbidden for an
// inbox's key, which has no business with pods (contract: semantics.md, last but one section).
func (s *Server) InPod(ctx context.Context, g mail.Grant, podID string) (mail.Grant, error) {
	if g.KeyScope.Type() == mail.ScopeInbox {
		return g, mail.Errorf(mail.CodeForbidden, "Forbidden").WithFix("Use the routes under /v0/inboxes, or a key of the pod or the organization.")
	}
	var pod mail.Pod
	err := s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		pod, err = tx.FindPod(podID)
		return err
	})
	if err != nil {
		return g, coded(err, "Pod")
	}
	g.Scope, g.PodID = pod.Scope(), pod.PodID
	return g, nil
}

// InInbox narrows a grant to an inbox named by address or client_id; not_found outside the grant's scope.
func (s *Server) InInbox(ctx context.Context, g mail.Grant, inboxID string) (mail.Grant, error) {
	inbox, err := s.findInbox(ctx, g, inboxID)
	if err != nil {
		return g, err
	}
	return narrowed(g, inbox), nil
}

func (s *Server) findInbox(ctx context.Context, g mail.Grant, inboxID string) (inbox mail.Inbox, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if strings.Contains(inboxID, "@") { // a client_id has none
			inbox, err = tx.FindInbox(asciiAddress(inboxID))
		} else {
			inbox, err = tx.FindInboxByClientID(inboxID)
		}
		return err
	})
	return inbox, coded(err, "Inbox")
}
