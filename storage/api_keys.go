package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const apiKeyColumns = `k.id, k.pod_id, k.inbox_id, k.public_id, k.type, p.public_id, i.address, k.client_id, k.name, k.prefix, k.public_key, k.permissions, k.created_by, k.used_at, k.expires_at, k.created_at, k.updated_at, k.scram IS NOT NULL`
const apiKeyFrom = ` FROM api_keys k LEFT JOIN pods p ON p.id = k.pod_id AND {scope p} LEFT JOIN inboxes i ON i.pod_id = k.pod_id AND i.id = k.inbox_id AND {scope i} WHERE {scope k} `
const insertAPIKeyColumns = `INSERT INTO api_keys (pod_id, inbox_id, public_id, type, client_id, name, prefix, hash, public_key, permissions, created_by, expires_at, created_at, updated_at, scram) SELECT `
const insertAPIKeyValues = `, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12 `

var (
	findAPIKey           = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.public_id = ?`)
	findAPIKeyByClientID = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.client_id = ? ORDER BY k.id LIMIT 1`)
	findOwnKeyByClientID = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.client_id = ? AND {exact k}`)
	listAPIKeys          = compileListing(`SELECT `+apiKeyColumns+apiKeyFrom+` AND {after} AND (?4 = '' OR k.type = ?4) {order} LIMIT ?3`, "k.created_at", "k.id")
	insertAPIKey         = tables.Compile(insertAPIKeyColumns + `p.id, NULL` + insertAPIKeyValues + `FROM pods p WHERE p.id = {pod} AND {scope p}`)
	insertInboxAPIKey    = tables.Compile(insertAPIKeyColumns + `i.pod_id, i.id` + insertAPIKeyValues + `FROM inboxes i WHERE i.id = {inbox} AND {scope i}`)
	// A key of the organization is inserted under the organization: there is no pod to take from the handle.
	insertOrganizationAPIKey = tables.Compile(insertAPIKeyColumns + `NULL, NULL` + insertAPIKeyValues + `WHERE {organization}`)
	updateAPIKey             = tables.Compile(`UPDATE api_keys SET name = ?2, permissions = ?3, updated_at = ?4 WHERE id = ?1 AND {scope api_keys}`)
	// The keys that a mail program of an inbox may log in with, the newest first.
	listVerifiers = tables.Compile(`SELECT k.id, k.pod_id, k.inbox_id, k.public_id, k.permissions, k.expires_at, k.scram FROM api_keys k
		WHERE k.scram IS NOT NULL AND {above k} ORDER BY k.id DESC LIMIT ?`)
	deleteAPIKey  = tables.Compile(`DELETE FROM api_keys WHERE id = ? AND {scope api_keys}`)
	deleteAPIKeys = tables.Compile(`DELETE FROM api_keys WHERE {scope api_keys}`)
)

func scanAPIKey(r *sqlite.Row) (k mail.APIKey, err error) {
	var family, publicKey, permissions string
	if err := r.Scan(&k.ID, &k.Scope.Pod, &k.Scope.Inbox, &k.APIKeyID, &family, &k.PodID, &k.InboxID, &k.ClientID, &k.Name, &k.Prefix, &publicKey,
		&permissions, &k.CreatedBy, &k.UsedAt, &k.ExpiresAt, &k.CreatedAt, &k.UpdatedAt, &k.Provable); err != nil {
		return k, err
	}
	k.Type = mail.APIKeyType(family)
	if err := decode(publicKey, &k.PublicKey); err != nil {
		return k, err
	}
	return k, decode(permissions, &k.Permissions)
}

// FindAPIKey finds a key by its public id.
func (tx Tx) FindAPIKey(id string) (mail.APIKey, error) { return get(tx, findAPIKey, scanAPIKey, id) }

// FindAPIKeyByClientID finds a public key by the id that its owner chose, which is unique where it was registered; in
// a wider scope the oldest wins.
func (tx Tx) FindAPIKeyByClientID(id string) (mail.APIKey, error) {
	return get(tx, findAPIKeyByClientID, scanAPIKey, id)
}

// FindOwnAPIKeyByClientID is FindAPIKeyByClientID at the handle's very scope.
func (tx Tx) FindOwnAPIKeyByClientID(id string) (mail.APIKey, error) {
	return get(tx, findOwnKeyByClientID, scanAPIKey, id)
}

// ListAPIKeys lists keys by creation, of one family or, if it is empty, of all.
func (tx Tx) ListAPIKeys(family mail.APIKeyType, p mail.Page) ([]mail.APIKey, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	keys, err := all(tx, listAPIKeys.pick(p.Ascending), scanAPIKey, key, id, p.Limit+1, string(family))
	keys, next := page(keys, p.Limit, func(k *mail.APIKey) mail.Cursor {
		return mail.Cursor{Key: k.CreatedAt.UnixMicro(), ID: k.ID}
	})
	return keys, next, err
}

// Secret is what is kept of a bearer key's secret: its SHA-256, and what SCRAM proves it against.
type Secret struct{ Hash, SCRAM []byte }

// KeyVerifier is a key with its SCRAM verifier.
type KeyVerifier struct {
	Key   mail.APIKey
	SCRAM []byte
}

// ListVerifiers lists bearer keys whose scope covers the handle's, with the public ids of their scopes left out.
func (tx Tx) ListVerifiers(limit int) ([]KeyVerifier, error) {
	return all(tx, listVerifiers, func(r *sqlite.Row) (v KeyVerifier, err error) {
		var permissions string
		k := &v.Key
		if err := r.Scan(&k.ID, &k.Scope.Pod, &k.Scope.Inbox, &k.APIKeyID, &permissions, &k.ExpiresAt, &v.SCRAM); err != nil {
			return v, err
		}
		return v, decode(permissions, &k.Permissions)
	}, limit)
}

// InsertAPIKey stores k under the handle's scope; the secret of a public key is not looked at. ErrTaken if its client id
// is.
func (tx Tx) InsertAPIKey(k mail.APIKey, secret Secret) error {
	s := map[mail.ScopeType]*sqlite.Statement{
		mail.ScopeOrganization: insertOrganizationAPIKey, mail.ScopePod: insertAPIKey, mail.ScopeInbox: insertInboxAPIKey,
	}[tx.Scope().Type()]
	var publicKey, hash, scram any
	if k.Type == mail.APIKeyPublicKey {
		publicKey = encode(k.PublicKey)
	} else {
		hash, scram = secret.Hash, secret.SCRAM
	}
	_, err := tx.tx.Exec(s, k.APIKeyID, string(k.Type), sqlite.Null(k.ClientID), k.Name, sqlite.Null(k.Prefix), hash, publicKey,
		permissionsJSON(k.Permissions), sqlite.Null(k.CreatedBy), k.ExpiresAt, k.CreatedAt, scram)
	return translate(err)
}

// permissionsJSON keeps "no permissions at all" apart from "no restriction".
func permissionsJSON(p mail.Permissions) any {
	if p == nil {
		return nil
	}
	if len(p) == 0 {
		return "{}"
	}
	return encode(p)
}

// UpdateAPIKey writes name and permissions.
func (tx Tx) UpdateAPIKey(k mail.APIKey) error {
	_, err := tx.tx.Exec(updateAPIKey, k.ID, k.Name, permissionsJSON(k.Permissions), k.UpdatedAt)
	return err
}

// DeleteAPIKey removes one key.
func (tx Tx) DeleteAPIKey(id int64) error {
	_, err := tx.tx.Exec(deleteAPIKey, id)
	return err
}

// DeleteAPIKeys removes every key of the handle's scope.
func (tx Tx) DeleteAPIKeys() error {
	_, err := tx.tx.Exec(deleteAPIKeys)
	return err
}
