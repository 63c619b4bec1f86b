package server

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"sync"

	"podmail/mail"
	"podmail/storage"
)

const (
	rsaBits       = 2048 // RFC 8301 3.2; its record still fits everywhere
	firstSelector = "podmail"
)

// SigningKeys are the keys for mail from an address at name that leaves an inbox of the scope: those of the nearest
// verified domain over it that the scope's pod may use. None if there is no such domain.
func (s *Server) SigningKeys(ctx context.Context, scope mail.Scope, name string) ([]mail.SigningKey, error) {
	var domain mail.Domain
	var keys []mail.DKIMKey
	err := s.store.For(mail.Scope{Pod: scope.Pod}).Read(ctx, func(tx storage.Tx) error {
		d, ok, err := servingDomain(tx, domainName(name))
		if err != nil || !ok {
			return err
		}
		domain = d
		keys, err = tx.FindDomainKeys(d.ID)
		return err
	})
	if err != nil {
		return nil, coded(err, "Domain")
	}
	if domain.Builtin && len(keys) == 0 {
		if keys, err = s.builtinKeys(ctx, domain.ID); err != nil {
			return nil, err
		}
	}
	return s.signers(&domain, keys)
}

// signers are those of a domain's keys that sign now.
func (s *Server) signers(d *mail.Domain, keys []mail.DKIMKey) (signing []mail.SigningKey, err error) {
	for _, k := range keys {
		if !k.Signs() {
			continue
		}
		signer, err := s.parsedKeys.parse(k.Private)
		if err != nil {
			return nil, fmt.Errorf("key %s of %s: %w", k.Selector, d.Name, err)
		}
		signing = append(signing, mail.SigningKey{Domain: d.Name, Selector: k.Selector, Signer: signer})
	}
	return signing, nil
}

// maxParsedKeys is how many keys are kept parsed.
const maxParsedKeys = 1000

// parsedKeys keeps keys that sign as they are used: to read one takes a fifth of the time of a signature.
type parsedKeys struct {
	mu   sync.Mutex
	keys map[string]crypto.Signer // by PKCS #8
}

func (p *parsedKeys) parse(der []byte) (crypto.Signer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if signer, ok := p.keys[string(der)]; ok {
		return signer, nil
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("it cannot sign: %T", private)
	}
	if p.keys == nil || len(p.keys) >= maxParsedKeys {
		p.keys = map[string]crypto.Signer{}
	}
	p.keys[string(der)] = signer
	return signer, nil
}

// builtinKeys are the keys of the installation's own domain. They take time to make, so that they are made when they are
// first needed, once.
func (s *Server) builtinKeys(ctx context.Context, id int64) (keys []mail.DKIMKey, err error) {
	s.making.Lock()
	defer s.making.Unlock()
	at := s.store.For(mail.Scope{})
	find := func(tx storage.Tx) (err error) {
		keys, err = tx.FindDomainKeys(id)
		return err
	}
	if err := at.Read(ctx, find); err != nil || len(keys) > 0 {
		return keys, coded(err, "Domain")
	}
	made, err := s.newDKIMKeys(firstSelector)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	err = at.Write(ctx, func(tx storage.Tx) error {
		if err := find(tx); err != nil || len(keys) > 0 { // made by a command of the operator meanwhile
			return err
		}
		d, err := tx.FindDomainByID(id)
		if err != nil {
			return err
		}
		keys = made
		if err := tx.UpdateDomainKeys(id, keys); err != nil {
			return err
		}
		d.Records, d.Status, d.NextCheckAt, d.UpdatedAt = mail.RecordsOf(&d, keys, s.hostname), mail.DomainNotStarted, now.Add(firstCheck), now
		return tx.UpdateDomain(d)
	})
	return keys, coded(err, "Domain")
}

// beginBuiltin gives the installation's own domain its keys, and returns it with what to publish.
func (s *Server) beginBuiltin(ctx context.Context, id int64) (d mail.Domain, err error) {
	if _, err := s.builtinKeys(ctx, id); err != nil {
		return d, err
	}
	err = s.store.For(mail.Scope{}).Read(ctx, func(tx storage.Tx) (err error) {
		d, err = tx.FindDomainByID(id)
		return err
	})
	return d, coded(err, "Domain")
}

// servingDomain finds the nearest domain that a name is or lies below, that the transaction's scope may use, and that
// takes mail for it. ok is false if there is none.
func servingDomain(tx storage.Tx, name string) (d mail.Domain, ok bool, err error) {
	over, err := tx.ListDomainsOver(name)
	for _, d := range over {
		if d.Serves(name) {
			return d, true, err
		}
	}
	return d, false, err
}

// newDKIMKeys makes a domain's keys: RSA, which everybody verifies, and Ed25519 (RFC 8463).
func (s *Server) newDKIMKeys(selector string) ([]mail.DKIMKey, error) {
	private, err := rsa.GenerateKey(s.random, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("RSA key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey) // RFC 6376 3.6.1
	if err != nil {
		return nil, fmt.Errorf("RSA key: %w", err)
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(s.random)
	if err != nil {
		return nil, fmt.Errorf("Ed25519 key: %w", err)
	}
	keys := []mail.DKIMKey{
		{Selector: selector, Algorithm: "rsa", Public: base64.StdEncoding.EncodeToString(public)},
		{Selector: selector + "-ed25519", Algorithm: "ed25519", Public: base64.StdEncoding.EncodeToString(edPublic)}, // RFC 8463 4.2: the bare key
	}
	for i, k := range []any{private, edPrivate} {
		if keys[i].Private, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
			return nil, fmt.Errorf("%s key: %w", keys[i].Algorithm, err)
		}
	}
	return keys, nil
}
