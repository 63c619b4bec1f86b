package mail

import "testing"

// TestPublicKey takes the key of RFC 7515 A.3, and what must not pass for one.
func TestPublicKey(t *testing.T) {
	x, y := "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	for _, c := range []struct {
		name string
		key  PublicKey
		good bool
	}{
		{"RFC 7515 A.3", PublicKey{x, y}, true},
		{"not on the curve", PublicKey{y, x}, false},
		{"padded", PublicKey{x + "=", y}, false},
		{"short", PublicKey{x[:42], y}, false},
		{"stray bits", PublicKey{x[:42] + "V", y}, false},
		{"empty", PublicKey{}, false},
	} {
		if err := c.key.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// The thumbprint as openssl dgst -sha256 gives it for {"crv":"P-256","kty":"EC","x":…,"y":…}.
	if got := (PublicKey{x, y}).Fingerprint(); got != "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U" {
		t.Error("fingerprint:", got)
	}
}
