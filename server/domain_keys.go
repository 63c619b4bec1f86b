package server

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"podmail/mail"
	"podmail/storage"
)

const rsaBits = 2048 // RFC 8301 3.2; its record still fits everywhere

// SigningKeys are the keys for mail from an address at name that leaves an inbox of the scope: those of the nearest
// verified domain over it that the scope's pod may use. None if there is no such domain.
func (s *Server) SigningKeys(ctx context.Context, scope mail.Scope, name string) (signing []mail.SigningKey, err error) {
	var domain mail.Domain
	var keys []mail.DKIMKey
	err = s.store.For(mail.Scope{Pod: scope.Pod}).Read(ctx, func(tx storage.Tx) error {
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
	for _, k := range keys {
		private, err := x509.ParsePKCS8PrivateKey(k.Private)
		if err != nil {
			return nil, fmt.Errorf("key %s of %s: %w", k.Selector, domain.Name, err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("key %s of %s cannot sign: %T", k.Selector, domain.Name, private)
		}
		signing = append(signing, mail.SigningKey{Domain: domain.Name, Selector: k.Selector, Signer: signer})
	}
	return signing, nil
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
func (s *Server) newDKIMKeys() ([]mail.DKIMKey, error) {
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
		{Selector: "podmail", Algorithm: "rsa", Public: base64.StdEncoding.EncodeToString(public)},
		{Selector: "podmail-ed25519", Algorithm: "ed25519", Public: base64.StdEncoding.EncodeToString(edPublic)}, // RFC 8463 4.2: the bare key
	}
	for i, k := range []any{private, edPrivate} {
		if keys[i].Private, err = x509.MarshalPKCS8PrivateKey(k); err != nil {
			return nil, fmt.Errorf("%s key: %w", keys[i].Algorithm, err)
		}
	}
	return keys, nil
}
