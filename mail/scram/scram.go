// Package scram is SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side and the client's: messages to bytes and back, and
// the proofs in them. Where verifiers and secrets come from, and what a channel is bound to, is told by the caller.
package scram

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Iterations is how often a secret is hashed. RFC 7677 asks for as many at least; secrets that a machine made at random
// gain nothing from more.
const Iterations = 4096

// Verifier is what is kept of a secret: it proves that a client knows the secret, and to a client that the server knows
// the verifier. It holds StoredKey and ServerKey (RFC 5802 3), 64 bytes.
type Verifier []byte

// Derive makes the verifier of a secret.
func Derive(secret string, salt []byte) (Verifier, error) {
	salted, err := pbkdf2.Key(sha256.New, secret, salt, Iterations, sha256.Size)
	if err != nil {
		return nil, err
	}
	stored := sha256.Sum256(mac(salted, "Client Key"))
	return append(stored[:], mac(salted, "Server Key")...), nil
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// Binding is what a channel can be bound to: a name (RFC 5929, RFC 9266) and its bytes.
type Binding struct {
	Name string
	Data []byte
}

// Conversation is one exchange. It is begun with First; the client's answer goes to Final.
type Conversation struct {
	User string // whom the client wants to log in as
	As   string // the identity that it wants to act for; empty: its own

	bindingInput []byte // what the final message must repeat
	withoutProof string
	nonce        string
	clientFirst  string
	serverFirst  string
	proof        []byte
}

var errMalformed = errors.New("malformed SCRAM message")

// Errors that tell why a well-formed exchange cannot go on.
var (
	ErrBinding = errors.New("the channel is not bound as it must be")
	ErrProof   = errors.New("the proof is wrong")
)

// First reads the client's first message and answers it. plus tells whether the mechanism is a -PLUS; bindings are what
// the channel can be bound to, none where it cannot be.
func (c *Conversation) First(message string, plus bool, bindings []Binding, salt []byte, nonce string) (challenge string, err error) {
	flag, rest, _ := strings.Cut(message, ",")
	authzid, bare, found := strings.Cut(rest, ",")
	if !found {
		return "", errMalformed
	}
	header := message[:len(message)-len(bare)]
	if c.bindingInput, err = bindingInput(flag, header, plus, bindings); err != nil {
		return "", err
	}
	if authzid != "" {
		if c.As, err = name(authzid, "a="); err != nil {
			return "", err
		}
	}
	fields := strings.Split(bare, ",")
	if len(fields) < 2 { // "m=" would come first: an extension that must be understood
		return "", errMalformed
	}
	if c.User, err = name(fields[0], "n="); err != nil {
		return "", err
	}
	theirs, ok := strings.CutPrefix(fields[1], "r=")
	if !ok || theirs == "" {
		return "", errMalformed
	}
	c.nonce, c.clientFirst = theirs+nonce, bare
	c.serverFirst = "r=" + c.nonce + ",s=" + base64.StdEncoding.EncodeToString(salt) + ",i=" + strconv.Itoa(Iterations)
	return c.serverFirst, nil
}

// bindingInput is what the client must repeat: its header, and the channel's bytes (RFC 5802 7).
func bindingInput(flag, header string, plus bool, bindings []Binding) ([]byte, error) {
	name, bound := strings.CutPrefix(flag, "p=")
	switch {
	case bound != plus:
		return nil, ErrBinding
	case bound:
		for _, b := range bindings {
			if b.Name == name {
				return append([]byte(header), b.Data...), nil
			}
		}
		return nil, ErrBinding
	case flag == "y" && len(bindings) > 0: // it could have bound, and was told that we cannot: somebody sits between us
		return nil, ErrBinding
	case flag != "n" && flag != "y":
		return nil, errMalformed
	}
	return []byte(header), nil
}

// name decodes a saslname (RFC 5802 5.1).
func name(field, prefix string) (string, error) {
	s, ok := strings.CutPrefix(field, prefix)
	if !ok || s == "" {
		return "", errMalformed
	}
	var b strings.Builder
	for {
		before, after, escaped := strings.Cut(s, "=")
		b.WriteString(before)
		switch {
		case !escaped:
			return b.String(), nil
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", errMalformed
		}
		s = after[2:]
	}
}

// Final reads the client's final message. What it proves is asked of Proves.
func (c *Conversation) Final(message string) error {
	i := strings.LastIndex(message, ",p=")
	if i < 0 {
		return errMalformed
	}
	c.withoutProof = message[:i]
	var err error
	if c.proof, err = base64.StdEncoding.DecodeString(message[i+len(",p="):]); err != nil || len(c.proof) != sha256.Size {
		return errMalformed
	}
	fields := strings.Split(c.withoutProof, ",")
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "c=") {
		return errMalformed
	}
	input, err := base64.StdEncoding.DecodeString(fields[0][len("c="):])
	if err != nil || fields[1] != "r="+c.nonce {
		return errMalformed
	}
	if subtle.ConstantTimeCompare(input, c.bindingInput) != 1 {
		return ErrBinding
	}
	return nil
}

func (c *Conversation) authMessage() string {
	return c.clientFirst + "," + c.serverFirst + "," + c.withoutProof
}

// Proves tells whether the client knows the secret of v.
func (c *Conversation) Proves(v Verifier) bool {
	if len(v) != 2*sha256.Size {
		return false
	}
	key := mac(v[:sha256.Size], c.authMessage())
	subtle.XORBytes(key, key, c.proof)
	stored := sha256.Sum256(key)
	return subtle.ConstantTimeCompare(stored[:], v[:sha256.Size]) == 1
}

// Success is the server's final message, which proves to the client that we know v.
func (c *Conversation) Success(v Verifier) string {
	return "v=" + base64.StdEncoding.EncodeToString(mac(v[sha256.Size:], c.authMessage()))
}
