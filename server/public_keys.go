package server

import (
	"context"
	"errors"
	"maps"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// NewPublicKey asks for a public key to be registered at the grant's scope.
type NewPublicKey struct {
	PublicKey   mail.PublicKey
	ClientID    string
	Name        string           // empty: after the fingerprint
	Permissions mail.Permissions // nil: those of the caller
	ExpiresAt   time.Time        // zero: when the caller's key does
}

// RegisterPublicKey notes a public key at the grant's scope, or returns the one that has the client id already; conflict
// if that is another key. What it is for is the business of whoever verifies signatures: it opens nothing here.
func (s *Server) RegisterPublicKey(ctx context.Context, g mail.Grant, n NewPublicKey) (key mail.APIKey, err error) {
	if err := g.Require(mail.APIKeyCreate); err != nil {
		return key, err
	}
	if err := n.PublicKey.Check(); err != nil {
		return key, mail.Invalid("public_key", "%v", err)
	}
	if err := checkKeyName(n.Name); err != nil {
		return key, err
	}
	now := s.clock.Now()
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now) {
		return key, mail.Invalid("expires_at", "lies in the past")
	}
	if n.Name == "" {
		n.Name = "AgentID key " + n.PublicKey.Fingerprint()[:8]
	}
	if n.Permissions == nil {
		n.Permissions = maps.Clone(g.Permissions)
	}
	if err := mayGrant(g, n.Permissions); err != nil {
		return key, err
	}
	id, err := s.newID()
	if err != nil {
		return key, err
	}
	made := mail.APIKey{APIKeyID: id, Type: mail.APIKeyPublicKey, Scope: g.Scope, PodID: g.PodID, InboxID: g.InboxID, ClientID: n.ClientID, Name: n.Name,
		PublicKey: n.PublicKey, Permissions: n.Permissions, CreatedBy: g.APIKeyID, ExpiresAt: n.ExpiresAt, CreatedAt: now, UpdatedAt: now}
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		key, err = insertPublicKey(tx, g, made)
		return err
	})
	return key, coded(err, "Inbox")
}

func insertPublicKey(tx storage.Tx, g mail.Grant, k mail.APIKey) (mail.APIKey, error) {
	if g.Scope.Inbox != 0 {
		if err := tx.CheckOwnInbox(); err != nil {
			return k, err
		}
	}
	if k.ExpiresAt.IsZero() && g.APIKeyID != "" {
		registrar, err := tx.FindAPIKey(g.APIKeyID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // it may be of a wider scope, and out of sight
			return k, err
		}
		k.ExpiresAt = registrar.ExpiresAt
	}
	err := tx.InsertAPIKey(k, storage.Secret{})
	if !errors.Is(err, storage.ErrTaken) {
		return k, err
	}
	have, err := tx.FindOwnAPIKeyByClientID(k.ClientID)
	if err == nil && have.PublicKey != k.PublicKey {
		err = mail.Errorf(mail.CodeConflict, "The client_id %s belongs to another public key.", k.ClientID).WithFix("Choose another client_id, or delete that key first.")
	}
	return have, err
}
