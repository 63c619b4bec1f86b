package verify

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"

	"podmail/mail"
	"podmail/server/dns"
)

const (
	minKeyBits = 1024 // RFC 8301 3.2; go-msgauth rounds up
	maxKeyBits = 8192 // bounds what a single verification can cost; go-msgauth has none
)

// publicKey is a key as a domain publishes it (RFC 6376 3.6.1).
type publicKey struct {
	key    crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
	strict bool             // t=s: i= must not be in a subdomain
	record string           // as it was published, in single spaces
}

// keyring finds the keys that a message's signatures name, each once, for DKIM and ARC. go-msgauth is handed
// the records of those that are good: it takes no second record at a name, and a key of any size.
type keyring struct {
	resolver dns.Resolver
	mu       sync.Mutex
	found    map[string]*foundKey
}

type foundKey struct {
	once  sync.Once
	key   *publicKey
	fault *fault
}

// find looks a signature's key up.
func (r *keyring) find(ctx context.Context, s *signature) (*publicKey, *fault) {
	name := s.selector + "._domainkey." + s.domain
	r.mu.Lock()
	k := r.found[name]
	if k == nil {
		k = &foundKey{}
		r.found[name] = k
	}
	r.mu.Unlock()
	k.once.Do(func() { k.key, k.fault = r.lookup(ctx, name) })
	return k.key, k.fault
}

func (r *keyring) lookup(ctx context.Context, name string) (k *publicKey, f *fault) {
	texts, err := find(name, func(name string) ([]string, error) { return r.resolver.LookupTXT(ctx, name) })
	switch {
	case errors.Is(err, errMissing):
		return nil, permanent(mail.FaultNoKey, "there is no key at %s", name)
	case err != nil:
		return nil, &fault{mail.AuthTempError, mail.FaultLookup, err.Error()}
	}
	for _, text := range texts { // RFC 6376 6.1.2 leaves open which of several counts: the first that is one
		if k, f = readKey(text); f == nil {
			break
		}
	}
	return k, f
}

// readKey reads a key record.
func readKey(text string) (*publicKey, *fault) {
	t, err := readTags(text)
	if err != nil {
		return nil, permanent(mail.FaultKeySyntax, "the key record cannot be read: %v", err)
	}
	if v, ok := t["v"]; ok && (v != "DKIM1" || !strings.HasPrefix(strings.TrimSpace(text), "v")) {
		return nil, permanent(mail.FaultKeySyntax, "the record at the key's name is no key record")
	}
	p, ok := t["p"]
	if !ok {
		return nil, permanent(mail.FaultKeySyntax, "the key record has no key")
	}
	if p == "" {
		return nil, permanent(mail.FaultRevoked, "the key was revoked")
	}
	if h, ok := t["h"]; ok && !slices.Contains(list(h), "sha256") {
		return nil, permanent(mail.FaultKeyType, "the key is not for SHA-256")
	}
	if s, ok := t["s"]; ok && !slices.Contains(list(s), "*") && !slices.Contains(list(s), "email") {
		return nil, permanent(mail.FaultKeyType, "the key is not for mail")
	}
	data, err := decode(p)
	if err != nil {
		return nil, permanent(mail.FaultKeySyntax, "the key is no base64")
	}
	k := &publicKey{strict: slices.Contains(list(t["t"]), "s"), record: strings.Join(strings.Fields(text), " ")}
	switch t["k"] {
	case "rsa", "":
		key, ok := readRSA(data)
		if !ok {
			return nil, permanent(mail.FaultKeySyntax, "the key is no RSA key")
		}
		if key.N.BitLen() < minKeyBits {
			return nil, permanent(mail.FaultWeakKey, "the key has %d bits, fewer than %d", key.N.BitLen(), minKeyBits)
		}
		k.key = key
	case "ed25519":
		if len(data) != ed25519.PublicKeySize {
			return nil, permanent(mail.FaultKeySyntax, "the key is no Ed25519 key")
		}
		k.key = ed25519.PublicKey(data)
	default:
		return nil, permanent(mail.FaultKeyType, "the key is of the unknown type %q", printable(t["k"], 40))
	}
	return k, nil
}

// readRSA reads a key in either of the forms that are published (RFC 6376 3.6.1, erratum 3017).
func readRSA(data []byte) (*rsa.PublicKey, bool) {
	if any, err := x509.ParsePKIXPublicKey(data); err == nil {
		key, ok := any.(*rsa.PublicKey)
		return key, ok && key.N.BitLen() <= maxKeyBits
	}
	key, err := x509.ParsePKCS1PublicKey(data)
	return key, err == nil && key.N.BitLen() <= maxKeyBits
}
