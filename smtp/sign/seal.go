package sign

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// messageSignature makes the field of an ARC set that signs fields of those names and the body. No library seals.
func (s *Sealer) messageSignature(instance string, fields []field, names []string) ([]byte, error) {
	algorithm, err := algorithmOf(s.seal.Key.Signer)
	if err != nil {
		return nil, err
	}
	tags := []string{instance, "a=" + algorithm, "c=relaxed/relaxed", "d=" + s.seal.Key.Domain, "s=" + s.seal.Key.Selector, fmt.Sprintf("t=%d", s.seal.At.Unix()),
		"h=" + strings.Join(names, ":"), "bh=" + base64.StdEncoding.EncodeToString(s.body.Sum())}
	return seal("ARC-Message-Signature", tags, selected(fields, names), s.seal.Key.Signer)
}

// algorithmOf is the value of a= for a key (RFC 6376 3.3, RFC 8463 3).
func algorithmOf(key crypto.Signer) (string, error) {
	switch key.Public().(type) {
	case *rsa.PublicKey:
		return "rsa-sha256", nil
	case ed25519.PublicKey:
		return "ed25519-sha256", nil
	}
	return "", fmt.Errorf("a key of type %T cannot sign mail", key)
}

// seal makes a signature field of that name over covered fields and itself.
func seal(name string, tags []string, covered []field, key crypto.Signer) ([]byte, error) {
	unsigned := name + ": " + fold(tags)
	var text strings.Builder
	for _, f := range covered {
		text.WriteString(f.relaxed())
	}
	own := field{strings.ToLower(name), []byte(unsigned)}
	text.WriteString(strings.TrimSuffix(own.relaxed(), "\r\n")) // RFC 6376 3.7
	digest := sha256.Sum256([]byte(text.String()))
	hash := crypto.Hash(crypto.SHA256)
	if _, ok := key.Public().(ed25519.PublicKey); ok {
		hash = 0 // RFC 8463 3: the digest itself is what is signed
	}
	signature, err := key.Sign(nil, digest[:], hash)
	if err != nil {
		return nil, err
	}
	out := unsigned
	for rest := base64.StdEncoding.EncodeToString(signature); rest != ""; {
		n := min(len(rest), 70)
		if out != unsigned {
			out += "\r\n\t "
		}
		out, rest = out+rest[:n], rest[n:]
	}
	return []byte(out + "\r\n"), nil
}

// fold writes tags, the last an empty b=, in lines of a sensible length. Only h= can be longer than one: it is broken
// after a colon (RFC 6376 3.5).
func fold(tags []string) string {
	var b strings.Builder
	width := 16
	put := func(s, before string) {
		if width > 16 && width+len(before)+len(s) > 76 {
			b.WriteString("\r\n\t")
			width, before = 8, ""
		}
		b.WriteString(before + s)
		width += len(before) + len(s)
	}
	before := ""
	for _, tag := range tags {
		name, value, _ := strings.Cut(tag, "=")
		if name != "h" {
			put(tag+";", before)
			before = " "
			continue
		}
		pieces := strings.SplitAfter(value, ":")
		for i, piece := range pieces {
			if i == 0 {
				piece = "h=" + piece
			} else {
				before = ""
			}
			if i == len(pieces)-1 {
				piece += ";"
			}
			put(piece, before)
		}
		before = " "
	}
	b.WriteString("\r\n\tb=")
	return b.String()
}
