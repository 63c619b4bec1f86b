package mail

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// PublicKey is a point on the curve P-256, as the coordinates of a JWK: unpadded base64url of 32 bytes each (RFC 7518
// 6.2.1).
type PublicKey struct {
	X string `json:"x"`
	Y string `json:"y"`
}

// Check returns an error if the coordinates are not spelled as they must be, or are no point on the curve.
func (k PublicKey) Check() error {
	point := []byte{4} // uncompressed
	for _, coordinate := range []string{k.X, k.Y} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(coordinate)
		if err != nil || len(b) != 32 {
			return fmt.Errorf("a coordinate is 32 bytes in unpadded base64url")
		}
		point = append(point, b...)
	}
	if _, err := ecdh.P256().NewPublicKey(point); err != nil {
		return fmt.Errorf("the coordinates are not a point on P-256")
	}
	return nil
}

// Fingerprint is the key's thumbprint (RFC 7638): SHA-256 of its required members in lexical order, in unpadded
// base64url.
func (k PublicKey) Fingerprint() string {
	h := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + k.X + `","y":"` + k.Y + `"}`))
	return base64.RawURLEncoding.EncodeToString(h[:])
}
