package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"podmail/mail"
	"podmail/mail/scram"
	"podmail/storage"
)

// SCRAM wants to know a salt before it knows which key is meant, and an inbox may be opened by many. So all keys of an
// installation have one salt: it only keeps verifiers of one installation from being looked up in another's, since
// secrets are random and long enough that none can be guessed.

// SCRAMSalt is what every key's secret is salted with.
func (s *Server) SCRAMSalt() []byte {
	h := hmac.New(sha256.New, s.organization.Secret)
	h.Write([]byte("SCRAM-SHA-256"))
	return h.Sum(nil)[:16]
}

// secretOf is what is kept of a bearer key's secret.
func (s *Server) secretOf(secret string) (storage.Secret, error) {
	v, err := scram.Derive(secret, s.SCRAMSalt())
	if err != nil {
		return storage.Secret{}, fmt.Errorf("derive verifier: %w", err)
	}
	return storage.Secret{Hash: hashOf(secret), SCRAM: v}, nil
}

// verifierFor makes the verifier that a key from before there were any lacks; nil if it has one.
func (s *Server) verifierFor(key mail.APIKey, secret string) func() []byte {
	if key.Provable {
		return nil
	}
	return func() []byte {
		kept, err := s.secretOf(secret)
		if err != nil {
			s.log.Error("no SCRAM verifier", "key", key.APIKeyID, "error", err)
		}
		return kept.SCRAM
	}
}

// maxVerifiers bounds how many keys are tried for one login: the newest that cover the inbox.
const maxVerifiers = 1000

// LoginByProof is Login for mail clients that prove that they know the key's secret and do not say it: proves tells
// whether the client proved a key's. It returns the verifier too, which the client wants to be proved in turn.
func (s *Server) LoginByProof(ctx context.Context, user string, proves func(scram.Verifier) bool, need mail.Permission) (mail.Grant, mail.Inbox, scram.Verifier, error) {
	var inbox mail.Inbox
	var keys []storage.KeyVerifier
	err := s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		if inbox, err = tx.FindInbox(asciiAddress(user)); err != nil {
			return err
		}
		keys, err = tx.For(inbox.Scope()).ListVerifiers(maxVerifiers)
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return mail.Grant{}, inbox, nil, coded(err, "Inbox")
	}
	now := s.clock.Now()
	for _, k := range keys {
		if expired := !k.Key.ExpiresAt.IsZero() && !k.Key.ExpiresAt.After(now); expired || !proves(k.SCRAM) {
			continue
		}
		s.used.note(k.Key.ID, now, nil)
		g := narrowed(mail.Grant{Scope: k.Key.Scope, KeyScope: k.Key.Scope, APIKeyID: k.Key.APIKeyID, Permissions: k.Key.Permissions}, inbox)
		return g, inbox, k.SCRAM, g.Require(need)
	}
	return mail.Grant{}, mail.Inbox{}, nil, errLogin()
}
