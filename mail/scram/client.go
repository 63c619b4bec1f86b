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

// maxIterations is how often a client hashes its secret for a server at most: one must not keep it busy.
const maxIterations = 1_000_000

// Errors of a client about its server.
var (
	ErrWeak   = errors.New("the server asks for too few iterations, or for too many")
	ErrServer = errors.New("the server does not prove that it knows the secret")
)

// Client is one exchange from the client's side, bound to no channel. Its messages are First, and the answers of Final;
// what the server says to that goes to Verify.
type Client struct {
	bare      string // the first message without its header
	secret    string
	nonce     string
	signature []byte // that the server must know
}

// NewClient begins an exchange. User and secret are in ASCII, since others would need to be prepared (RFC 4013); the nonce
// is random, and has no commas.
func NewClient(user, secret, nonce string) *Client {
	return &Client{bare: "n=" + strings.NewReplacer("=", "=3D", ",", "=2C").Replace(user) + ",r=" + nonce, secret: secret, nonce: nonce}
}

const unbound = "n,," // the header of a client that binds no channel (RFC 5802 7)

// First is the client's first message.
func (c *Client) First() string { return unbound + c.bare }

// Final answers the server's first message, with the proof that the client knows the secret.
func (c *Client) Final(challenge string) (string, error) {
	fields := strings.Split(challenge, ",")
	if len(fields) < 3 || !strings.HasPrefix(fields[0], "r="+c.nonce) || fields[0] == "r="+c.nonce || !strings.HasPrefix(fields[1], "s=") || !strings.HasPrefix(fields[2], "i=") {
		return "", errMalformed // "m=" would come first: an extension that must be understood
	}
	salt, err := base64.StdEncoding.DecodeString(fields[1][len("s="):])
	if err != nil || len(salt) == 0 {
		return "", errMalformed
	}
	iterations, err := strconv.Atoi(fields[2][len("i="):])
	if err != nil {
		return "", errMalformed
	}
	if iterations < Iterations || iterations > maxIterations { // RFC 7677 4
		return "", ErrWeak
	}
	salted, err := pbkdf2.Key(sha256.New, c.secret, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	withoutProof := "c=" + base64.StdEncoding.EncodeToString([]byte(unbound)) + "," + fields[0]
	message := c.bare + "," + challenge + "," + withoutProof
	subtle.XORBytes(key, key, mac(stored[:], message))
	c.signature = mac(mac(salted, "Server Key"), message)
	return withoutProof + ",p=" + base64.StdEncoding.EncodeToString(key), nil
}

// Verify reads the server's final message.
func (c *Client) Verify(final string) error {
	proof, _, _ := strings.Cut(final, ",")
	text, ok := strings.CutPrefix(proof, "v=")
	signature, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(c.signature) == 0 || !hmac.Equal(signature, c.signature) {
		return ErrServer
	}
	return nil
}
