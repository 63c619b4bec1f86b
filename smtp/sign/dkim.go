// Package sign makes the signatures under which mail leaves: DKIM (RFC 6376, RFC 8463), ARC seals on what is forwarded
// (RFC 8617), and the reverse paths of forwards (SRS). It is pure: keys, time and bytes are handed in.
package sign

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"podmail/mail"
)

// oversigned fields are named once more than they are there, so that nobody can add one (RFC 6376 8.15).
var oversigned = []string{"from", "sender", "reply-to", "subject", "date", "message-id", "to", "cc", "mime-version", "content-type", "content-transfer-encoding"}

// signed fields are named as often as they are there.
var signed = []string{"in-reply-to", "references", "list-id", "list-unsubscribe", "list-unsubscribe-post", "list-help", "list-post", "list-subscribe",
	"list-owner", "list-archive", "auto-submitted", "feedback-id", "resent-from", "resent-to", "resent-cc", "resent-date", "resent-message-id"}

// Signer signs one message, which is written to it with lines ended by CRLF. It holds the header and nothing of the body.
type Signer struct {
	intake
	keys []mail.SigningKey
	now  time.Time
}

// New returns a Signer with keys for a message that leaves now.
func New(keys []mail.SigningKey, now time.Time) *Signer {
	return &Signer{keys: keys, now: now, intake: newIntake(len(keys) > 0)}
}

// Fields returns a DKIM-Signature field for each key, to be put on top of the message; none without keys.
func (s *Signer) Fields() ([]byte, error) {
	if len(s.keys) == 0 {
		return nil, nil
	}
	fields, bodyHash, err := s.finish()
	if err != nil {
		return nil, err
	}
	names := named(fields)
	var out []byte
	for _, key := range s.keys {
		f, err := s.signature("DKIM-Signature", "v=1", key, fields, names, bodyHash)
		if err != nil {
			return nil, fmt.Errorf("DKIM key %s of %s: %w", key.Selector, key.Domain, err)
		}
		out = append(out, f...)
	}
	return out, nil
}

// signature makes a field that signs fields of those names and the body.
func (s *Signer) signature(name, first string, key mail.SigningKey, fields []field, names []string, bodyHash string) ([]byte, error) {
	algorithm, err := algorithmOf(key.Signer)
	if err != nil {
		return nil, err
	}
	tags := []string{first, "a=" + algorithm, "c=relaxed/relaxed", "d=" + key.Domain, "s=" + key.Selector, fmt.Sprintf("t=%d", s.now.Unix()),
		"h=" + strings.Join(names, ":"), "bh=" + bodyHash}
	return seal(name, tags, selected(fields, names), key.Signer)
}

// named is the list of fields to sign, h=.
func named(fields []field) (names []string) {
	count := map[string]int{}
	for _, f := range fields {
		count[f.name]++
	}
	for _, name := range oversigned {
		for range count[name] + 1 {
			names = append(names, name)
		}
	}
	for _, name := range signed {
		for range count[name] {
			names = append(names, name)
		}
	}
	return names
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
	width := len("DKIM-Signature: ")
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
