package server

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"podmail/mail"
	"podmail/storage"
)

// NewAPIKey asks for a key of the grant's scope.
type NewAPIKey struct {
	Name        string
	Permissions mail.Permissions // nil: everything in scope
}

// APIKeyUpdate changes a key. What is nil stays as it is.
type APIKeyUpdate struct {
	Name             *string
	Permissions      mail.Permissions
	ClearPermissions bool
}

// prefixLength is how much of a secret is kept readable, to recognise the key by.
const prefixLength = 12

// newKey makes a key of the grant's scope with its secret: am_, a hint at the scope, and 256 random bits.
func (s *Server) newKey(g mail.Grant, n NewAPIKey) (mail.APIKey, string, error) {
	id, err := s.newID()
	if err != nil {
		return mail.APIKey{}, "", err
	}
	random := make([]byte, 32)
	if _, err := io.ReadFull(s.random, random); err != nil {
		return mail.APIKey{}, "", err
	}
	hint := map[mail.ScopeType]string{mail.ScopeOrganization: "org", mail.ScopePod: "pod", mail.ScopeInbox: "inb"}[g.Scope.Type()]
	secret := "am_" + hint + "_" + base64.RawURLEncoding.EncodeToString(random)
	if n.Name == "" {
		n.Name = "API key"
	}
	now := s.clock.Now()
	return mail.APIKey{APIKeyID: id, Type: mail.APIKeyBearer, Scope: g.Scope, PodID: g.PodID, InboxID: g.InboxID, Name: n.Name, Prefix: secret[:prefixLength],
		Permissions: n.Permissions, CreatedBy: g.APIKeyID, CreatedAt: now, UpdatedAt: now}, secret, nil
}

// CreateAPIKey makes a key of the grant's scope and returns its secret, which is shown this once. A restricted key can
// grant no more than it has.
func (s *Server) CreateAPIKey(ctx context.Context, g mail.Grant, n NewAPIKey) (key mail.APIKey, secret string, err error) {
	if err := g.Require(mail.APIKeyCreate); err != nil {
		return key, "", err
	}
	if err := checkKeyName(n.Name); err != nil {
		return key, "", err
	}
	if n.Permissions == nil && g.Permissions.Restricted() {
		n.Permissions = maps.Clone(g.Permissions) // the widest that the caller can grant
	}
	if err := mayGrant(g, n.Permissions); err != nil {
		return key, "", err
	}
	if key, secret, err = s.newKey(g, n); err != nil {
		return key, "", err
	}
	kept, err := s.secretOf(secret)
	if err != nil {
		return key, "", err
	}
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if g.Scope.Inbox != 0 {
			if err := tx.CheckOwnInbox(); err != nil {
				return err
			}
		}
		return tx.InsertAPIKey(key, kept)
	})
	return key, secret, coded(err, "Inbox")
}

func checkKeyName(name string) error {
	if utf8.RuneCountInString(name) > 256 {
		return mail.Invalid("name", "has at most 256 characters")
	}
	return nil
}

// mayGrant refuses to give away what the caller does not have.
func mayGrant(g mail.Grant, ps mail.Permissions) error {
	for p, granted := range ps {
		if !slices.Contains(mail.AllPermissions(), p) {
			return mail.Invalid("permissions", "there is no permission %q", p)
		}
		if granted && g.Permissions.Restricted() && !g.Permissions[p] {
			return mail.Errorf(mail.CodeForbidden, "A key cannot grant %s, which it does not have.", p).WithReason(mail.ReasonPermissionEscalation).
				WithFix("Leave %s out, or use a key that has it.", p)
		}
	}
	return nil
}

// findAPIKey finds a key by its id or, if it is a public key, by its client id.
func findAPIKey(tx storage.Tx, id string) (mail.APIKey, error) {
	key, err := tx.FindAPIKey(id)
	if errors.Is(err, storage.ErrNotFound) {
		return tx.FindAPIKeyByClientID(id)
	}
	return key, err
}

// GetAPIKey finds a key in the grant's scope.
func (s *Server) GetAPIKey(ctx context.Context, g mail.Grant, id string) (key mail.APIKey, err error) {
	if err := g.Require(mail.APIKeyRead); err != nil {
		return key, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		key, err = findAPIKey(tx, id)
		return err
	})
	return key, coded(err, "API key")
}

// ListAPIKeys lists the keys in the grant's scope, those of narrower scopes among them: of one family or, if it is
// empty, of all.
func (s *Server) ListAPIKeys(ctx context.Context, g mail.Grant, family mail.APIKeyType, p mail.Page) (keys []mail.APIKey, next string, err error) {
	if err := g.Require(mail.APIKeyRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		keys, next, err = tx.ListAPIKeys(family, p)
		return err
	})
	return keys, next, coded(err, "API keys")
}

// UpdateAPIKey changes name and permissions. Lifting all restrictions takes an unrestricted key.
func (s *Server) UpdateAPIKey(ctx context.Context, g mail.Grant, id string, u APIKeyUpdate) (key mail.APIKey, err error) {
	if err := g.Require(mail.APIKeyUpdate); err != nil {
		return key, err
	}
	if u.Name != nil {
		if err := checkKeyName(*u.Name); err != nil {
			return key, err
		}
	}
	if u.ClearPermissions && g.Permissions.Restricted() {
		return key, mail.Errorf(mail.CodeForbidden, "Only an unrestricted key can lift the restrictions of a key.").WithReason(mail.ReasonUnrestrictedKey).
			WithFix("Use a key without permissions of its own.")
	}
	if err := mayGrant(g, u.Permissions); err != nil {
		return key, err
	}
	now := s.clock.Now()
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if key, err = findAPIKey(tx, id); err != nil {
			return err
		}
		if u.Name != nil {
			key.Name = *u.Name
		}
		if u.ClearPermissions {
			key.Permissions = nil
		} else if u.Permissions != nil {
			key.Permissions = u.Permissions
		}
		key.UpdatedAt = now
		return tx.UpdateAPIKey(key)
	})
	return key, coded(err, "API key")
}

// DeleteAPIKey revokes a key at once.
func (s *Server) DeleteAPIKey(ctx context.Context, g mail.Grant, id string) error {
	if err := g.Require(mail.APIKeyDelete); err != nil {
		return err
	}
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		key, err := findAPIKey(tx, id)
		if err != nil {
			return err
		}
		return tx.DeleteAPIKey(key.ID)
	})
	return coded(err, "API key")
}
