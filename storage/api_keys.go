package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const apiKeyColumns = `k.id, k.pod_id, k.inbox_id, k.public_id, p.public_id, i.address, k.name, k.prefix, k.permissions, k.used_at, k.expires_at, k.created_at, k.updated_at`
const apiKeyFrom = ` FROM api_keys k LEFT JOIN pods p ON p.id = k.pod_id AND {scope p} LEFT JOIN inboxes i ON i.pod_id = k.pod_id AND i.id = k.inbox_id AND {scope i} WHERE {scope k} `

var (
	findAPIKey   = tables.Compile(`SELECT ` + apiKeyColumns + apiKeyFrom + ` AND k.public_id = ?`)
	listAPIKeys  = compileListing(`SELECT `+apiKeyColumns+apiKeyFrom+` AND {after} {order} LIMIT ?3`, "k.created_at", "k.id")
	insertAPIKey = tables.Compile(`INSERT INTO api_keys (pod_id, inbox_id, public_id, name, prefix, hash, permissions, expires_at, created_at, updated_at)
		SELECT p.id, NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 FROM pods p WHERE p.id = {pod} AND {scope p}`)
	insertInboxAPIKey = tables.Compile(`INSERT INTO api_keys (pod_id, inbox_id, public_id, name, prefix, hash, permissions, expires_at, created_at, updated_at)
		SELECT i.pod_id, i.id, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 FROM inboxes i WHERE i.id = {inbox} AND {scope i}`)
	// A key of the organization is inserted under the organization: there is no pod to take from the handle.
	insertOrganizationAPIKey = tables.Compile(`INSERT INTO api_keys (public_id, name, prefix, hash, permissions, expires_at, created_at, updated_at)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7 WHERE {organization}`)
	updateAPIKey  = tables.Compile(`UPDATE api_keys SET name = ?2, permissions = ?3, updated_at = ?4 WHERE id = ?1 AND {scope api_keys}`)
	deleteAPIKey  = tables.Compile(`DELETE FROM api_keys WHERE id = ? AND {scope api_keys}`)
	deleteAPIKeys = tables.Compile(`DELETE FROM api_keys WHERE {scope api_keys}`)
)

func scanAPIKey(r *sqlite.Row) (k mail.APIKey, err error) {
	var permissions string
	if err := r.Scan(&k.ID, &k.Scope.Pod, &k.Scope.Inbox, &k.APIKeyID, &k.PodID, &k.InboxID, &k.Name, &k.Prefix, &permissions, &k.UsedAt, &k.ExpiresAt, &k.CreatedAt, &k.UpdatedAt); err != nil {
		return k, err
	}
	return k, decode(permissions, &k.Permissions)
}

// FindAPIKey finds a key by its public id.
func (tx Tx) FindAPIKey(id string) (mail.APIKey, error) { return get(tx, findAPIKey, scanAPIKey, id) }

// ListAPIKeys lists keys by creation.
func (tx Tx) ListAPIKeys(p mail.Page) ([]mail.APIKey, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	keys, err := all(tx, listAPIKeys.pick(p.Ascending), scanAPIKey, key, id, p.Limit+1)
	keys, next := page(keys, p.Limit, func(k *mail.APIKey) mail.Cursor {
		return mail.Cursor{Key: k.CreatedAt.UnixMicro(), ID: k.ID}
	})
	return keys, next, err
}

// InsertAPIKey stores k under the handle's scope; hash is the SHA-256 of the secret.
func (tx Tx) InsertAPIKey(k mail.APIKey, hash []byte) error {
	s := map[mail.ScopeType]*sqlite.Statement{
		mail.ScopeOrganization: insertOrganizationAPIKey, mail.ScopePod: insertAPIKey, mail.ScopeInbox: insertInboxAPIKey,
	}[tx.Scope().Type()]
	_, err := tx.tx.Exec(s, k.APIKeyID, k.Name, k.Prefix, hash, permissionsJSON(k.Permissions), k.ExpiresAt, k.CreatedAt)
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
