package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// bearerKey is the contract's BearerApiKey.
type bearerKey struct {
	Type        mail.APIKeyType  `json:"type"`
	APIKeyID    string           `json:"api_key_id"`
	Prefix      string           `json:"prefix"`
	Name        string           `json:"name"`
	PodID       string           `json:"pod_id,omitempty"`
	InboxID     string           `json:"inbox_id,omitempty"`
	UsedAt      timestamp        `json:"used_at,omitzero"`
	Permissions mail.Permissions `json:"permissions,omitzero"` // an empty set is told, nil is not
	CreatedAt   timestamp        `json:"created_at"`
	UpdatedAt   timestamp        `json:"updated_at"`
	ExpiresAt   timestamp        `json:"expires_at,omitzero"`
}

// apiKeyOf is the contract's ApiKey: a bearer key or a public key.
func apiKeyOf(k *mail.APIKey) any {
	if k.Type == mail.APIKeyPublicKey {
		return publicKeyOf(k)
	}
	return bearerKey{k.Type, k.APIKeyID, k.Prefix, k.Name, k.PodID, k.InboxID, timestamp(k.UsedAt), k.Permissions,
		timestamp(k.CreatedAt), timestamp(k.UpdatedAt), timestamp(k.ExpiresAt)}
}

// listAPIKeys answers without a limit field, unlike the other lists (contract: types.md, ListApiKeysResponse).
func (a *API) listAPIKeys(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	family := mail.APIKeyType(q.oneOf("type", string(mail.APIKeyBearer), string(mail.APIKeyPublicKey)))
	if err := q.err(); err != nil {
		return err
	}
	keys, next, err := a.server.ListAPIKeys(c.Request().Context(), g, family, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		Count         int    `json:"count"`
		NextPageToken string `json:"next_page_token,omitempty"`
		APIKeys       []any  `json:"api_keys"`
	}{len(keys), next, each(keys, apiKeyOf)})
}

func (a *API) getAPIKey(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "api_key_id")
	if err != nil {
		return err
	}
	k, err := a.server.GetAPIKey(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, apiKeyOf(&k))
}

// createdAPIKey is the contract's CreateApiKeyResponse, the only answer that ever holds a key's secret.
type createdAPIKey struct {
	APIKeyID    string           `json:"api_key_id"`
	APIKey      string           `json:"api_key"`
	Prefix      string           `json:"prefix"`
	Name        string           `json:"name"`
	PodID       string           `json:"pod_id,omitempty"`
	InboxID     string           `json:"inbox_id,omitempty"`
	Permissions mail.Permissions `json:"permissions,omitzero"`
	CreatedAt   timestamp        `json:"created_at"`
}

// createAPIKey makes a bearer key, or registers a public key if the body has one.
func (a *API) createAPIKey(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	if body.has("public_key") {
		return a.registerPublicKey(c, g, body)
	}
	n := server.NewAPIKey{Name: body.text("name"), Permissions: body.permissions()}
	if err := body.err(); err != nil {
		return err
	}
	k, secret, err := a.server.CreateAPIKey(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	return answer(c, createdAPIKey{k.APIKeyID, secret, k.Prefix, k.Name, k.PodID, k.InboxID, k.Permissions, timestamp(k.CreatedAt)})
}

// updateAPIKey takes null permissions as lifting all restrictions (contract: semantics.md, "Null is meaningful").
func (a *API) updateAPIKey(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "api_key_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	u := server.APIKeyUpdate{Name: body.optionalText("name"), Permissions: body.permissions(), ClearPermissions: body.isNull("permissions")}
	if err := body.err(); err != nil {
		return err
	}
	k, err := a.server.UpdateAPIKey(c.Request().Context(), g, id, u)
	if err != nil {
		return err
	}
	return answer(c, apiKeyOf(&k))
}

func (a *API) deleteAPIKey(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "api_key_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteAPIKey(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}
