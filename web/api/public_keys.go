package api

import (
	"slices"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// publicKey is the contract's PublicKeyCredential. It never has a status: that is for the keys of AgentMail's own
// sign-in service.
type publicKey struct {
	Type        mail.APIKeyType   `json:"type"`
	APIKeyID    string            `json:"api_key_id"`
	ClientID    string            `json:"client_id,omitempty"`
	Name        string            `json:"name"`
	PublicKey   publicKeyMaterial `json:"public_key"`
	PodID       string            `json:"pod_id,omitempty"`
	InboxID     string            `json:"inbox_id,omitempty"`
	Permissions mail.Permissions  `json:"permissions"`
	CreatedBy   apiKeyCreator     `json:"created_by"`
	CreatedAt   timestamp         `json:"created_at"`
	UpdatedAt   timestamp         `json:"updated_at"`
	ExpiresAt   timestamp         `json:"expires_at,omitzero"`
}

type publicKeyMaterial struct {
	JWK         jwk    `json:"jwk"`
	Fingerprint string `json:"fingerprint"`
}

type jwk struct {
	KeyType string `json:"kty"`
	Curve   string `json:"crv"`
	mail.PublicKey
}

type apiKeyCreator struct {
	APIKeyID string `json:"api_key_id"`
}

func publicKeyOf(k *mail.APIKey) publicKey {
	return publicKey{k.Type, k.APIKeyID, k.ClientID, k.Name, publicKeyMaterial{jwk{"EC", "P-256", k.PublicKey}, k.PublicKey.Fingerprint()}, k.PodID, k.InboxID,
		k.Permissions.All(k.Scope.Type()), apiKeyCreator{k.CreatedBy}, timestamp(k.CreatedAt), timestamp(k.UpdatedAt), timestamp(k.ExpiresAt)}
}

// registerPublicKey is createAPIKey for a body with public_key.
func (a *API) registerPublicKey(c echo.Context, g mail.Grant, body *object) error {
	n := server.NewPublicKey{PublicKey: body.publicKey("public_key"), ClientID: body.clientID(), Name: body.text("name"),
		Permissions: body.permissions(), ExpiresAt: body.moment("expires_at")}
	if err := body.err(); err != nil {
		return err
	}
	k, err := a.server.RegisterPublicKey(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	return answer(c, publicKeyOf(&k))
}

// publicKey reads a JWK that has exactly the members of a public P-256 key: no private part, no key id (the client's
// documentation of PublicJwk).
func (o *object) publicKey(name string) (k mail.PublicKey) {
	j := o.object(name)
	if j == nil {
		o.fail("invalid_type", "object", "expected object", name)
		return k
	}
	for member := range j.fields {
		if !slices.Contains([]string{"kty", "crv", "x", "y"}, member) {
			j.fail("unrecognized_keys", "", "has kty, crv, x and y only", member)
		}
	}
	for member, value := range map[string]string{"kty": "EC", "crv": "P-256"} {
		if j.text(member) != value {
			j.fail("invalid_value", "", "must be "+value, member)
		}
	}
	return mail.PublicKey{X: j.text("x"), Y: j.text("y")}
}
