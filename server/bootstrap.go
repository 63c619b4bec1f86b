package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"podmail/mail"
	"podmail/storage"
)

// Bootstrap makes what must exist from the start, at every start: the organization, the default pod, and the default
// domain, which belongs to all pods. If no API key was ever made it makes the first one, for the organization, and
// returns its secret; otherwise "".
func (s *Server) Bootstrap(ctx context.Context) (firstKey string, err error) {
	if err := s.found(ctx); err != nil {
		return "", fmt.Errorf("bootstrap: %w", err)
	}
	if err := s.indexInboxes(ctx); err != nil {
		return "", fmt.Errorf("index inboxes: %w", err)
	}
	if err := s.recallUnheard(ctx); err != nil {
		return "", fmt.Errorf("recall unheard answers: %w", err)
	}
	return s.firstKey(ctx)
}

// found makes the organization, its default pod and its default domain.
func (s *Server) found(ctx context.Context) error {
	secret := make([]byte, 32)
	if _, err := io.ReadFull(s.random, secret); err != nil {
		return fmt.Errorf("random bytes: %w", err)
	}
	organizationID, err := s.newID()
	if err != nil {
		return err
	}
	podID, err := s.newID()
	if err != nil {
		return err
	}
	now := s.clock.Now()
	return s.store.System().Write(ctx, func(tx storage.SystemTx) error {
		row, err := tx.FindOrganization()
		if errors.Is(err, storage.ErrNotFound) {
			row = storage.OrganizationRow{PublicID: organizationID, Secret: secret, CreatedAt: now, UpdatedAt: now}
			if err := tx.InsertOrganization(row); err != nil {
				return err
			}
			if _, err := tx.InsertPod(mail.Pod{PodID: podID, Name: "Default", Default: true, CreatedAt: now}); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		s.organization = row
		if s.eventIDs, err = newEventIDs(row.Secret, "event ids"); err != nil {
			return err
		}
		if s.postIDs, err = newEventIDs(row.Secret, "webhook deliveries"); err != nil {
			return err
		}
		if s.queueIDs, err = newEventIDs(row.Secret, "deliveries"); err != nil {
			return err
		}
		if s.openTokens, err = newOpenTokens(row.Secret); err != nil {
			return err
		}
		s.srsSecret = newSRSSecret(row.Secret)
		listed, err := tx.HasListEntries()
		if err != nil {
			return err
		}
		s.lists.Store(listed)
		hooked, err := tx.HasWebhooks()
		if err != nil {
			return err
		}
		s.hooks.Store(hooked)
		there, err := tx.HasDomain(s.defaultDomain)
		if err != nil || there {
			return err
		}
		_, err = tx.InsertDomain(mail.Domain{Name: s.defaultDomain, Builtin: true, Verified: true, Status: mail.DomainVerified, CreatedAt: now}, nil)
		return err
	})
}

func (s *Server) firstKey(ctx context.Context) (secret string, err error) {
	key, secret, err := s.newKey(s.Operator(), NewAPIKey{Name: "First key"})
	if err != nil {
		return "", err
	}
	kept, err := s.secretOf(secret)
	if err != nil {
		return "", err
	}
	err = s.store.System().Write(ctx, func(tx storage.SystemTx) error {
		row, err := tx.FindOrganization()
		if err != nil || row.Keyed {
			secret = ""
			return err
		}
		if err := tx.SetKeyed(); err != nil {
			return err
		}
		return tx.InsertAPIKey(key, kept)
	})
	return secret, coded(err, "organization")
}

// Operator is the grant of who runs the machine: the whole organization, without a key.
func (s *Server) Operator() mail.Grant { return mail.Grant{} }
