package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const webhookColumns = `w.id, w.pod_id, w.inbox_id, p.public_id, i.address, w.public_id, w.client_id, w.url, w.event_types, w.places, w.secret, w.headers, w.permissions, w.enabled, w.failing_since, w.created_at, w.updated_at`
const webhookFrom = ` FROM webhooks w LEFT JOIN pods p ON p.id = w.pod_id AND {scope p} LEFT JOIN inboxes i ON i.pod_id = w.pod_id AND i.id = w.inbox_id AND {scope i}
	WHERE w.deleted = 0 AND (w.inbox_id IS NULL OR i.address IS NOT NULL) AND `

var (
	findWebhook           = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.public_id = ? AND {scope w}`)
	findWebhookByID       = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.id = ? AND {scope w}`)
	findWebhookByClientID = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.client_id = ? AND {scope w} ORDER BY w.id LIMIT 1`)
	findOwnByClientID     = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.client_id = ? AND {exact w}`)
	listWebhooks          = compileListing(`SELECT `+webhookColumns+webhookFrom+`{scope w} AND {after} {order} LIMIT ?3`, "w.created_at", "w.id")
	listListening         = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.enabled = 1 AND {above w}`)
	listNarrowed          = tables.Compile(`SELECT ` + webhookColumns + webhookFrom + `w.places IS NOT NULL AND {above w}`)
	insertWebhook         = tables.Compile(`INSERT INTO webhooks (pod_id, inbox_id, public_id, client_id, url, event_types, places, secret, headers, permissions, created_at, updated_at)
		VALUES ({own_pod}, {own_inbox}, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)`)
	updateWebhook = tables.Compile(`UPDATE webhooks SET event_types = ?2, places = ?3, headers = ?4, permissions = ?5, enabled = ?6, failing_since = ?7, updated_at = ?8 WHERE id = ?1 AND {scope webhooks}`)
	hideWebhook   = tables.Compile(`UPDATE webhooks SET deleted = 1, client_id = NULL WHERE id = ? AND {scope webhooks}`)
	deleteWebhook = tables.Compile(`DELETE FROM webhooks WHERE id = ? AND {scope webhooks}`)
	listOwnHooks  = tables.Compile(`SELECT w.id FROM webhooks w WHERE {exact w} LIMIT ?`)
)

func scanWebhook(r *sqlite.Row) (w mail.Webhook, err error) {
	var types, places, headers, permissions string
	if err := r.Scan(&w.ID, &w.Scope.Pod, &w.Scope.Inbox, &w.PodID, &w.InboxID, &w.WebhookID, &w.ClientID, &w.URL, &types, &places, &w.Secret, &headers, &permissions,
		&w.Enabled, &w.FailingSince, &w.CreatedAt, &w.UpdatedAt); err != nil {
		return w, err
	}
	for _, f := range []struct {
		s string
		v any
	}{{types, &w.EventTypes}, {places, &w.Places}, {headers, &w.Headers}, {permissions, &w.Permissions}} {
		if err := decode(f.s, f.v); err != nil {
			return w, err
		}
	}
	return w, nil
}

// FindWebhook finds a webhook by its public id.
func (tx Tx) FindWebhook(id string) (mail.Webhook, error) {
	return get(tx, findWebhook, scanWebhook, id)
}

// FindWebhookByID finds a webhook by its key.
func (tx Tx) FindWebhookByID(id int64) (mail.Webhook, error) {
	return get(tx, findWebhookByID, scanWebhook, id)
}

// FindWebhookByClientID finds a webhook by the customer's own id, which is unique at its scope; in a wider scope the
// oldest wins.
func (tx Tx) FindWebhookByClientID(id string) (mail.Webhook, error) {
	return get(tx, findWebhookByClientID, scanWebhook, id)
}

// FindOwnWebhookByClientID is FindWebhookByClientID at the handle's very scope.
func (tx Tx) FindOwnWebhookByClientID(id string) (mail.Webhook, error) {
	return get(tx, findOwnByClientID, scanWebhook, id)
}

// ListWebhooks lists webhooks by creation.
func (tx Tx) ListWebhooks(p mail.Page) ([]mail.Webhook, string, error) {
	key, id, err := pageBounds(p)
	if err != nil {
		return nil, "", err
	}
	hooks, err := all(tx, listWebhooks.pick(p.Ascending), scanWebhook, key, id, p.Limit+1)
	hooks, next := page(hooks, p.Limit, func(w *mail.Webhook) mail.Cursor {
		return mail.Cursor{Key: w.CreatedAt.UnixMicro(), ID: w.ID}
	})
	return hooks, next, err
}

// ListListening lists the enabled webhooks of the handle's scope and of the wider ones.
func (tx Tx) ListListening() ([]mail.Webhook, error) { return all(tx, listListening, scanWebhook) }

// ListNarrowed lists the webhooks of the handle's scope and of the wider ones that name pods or inboxes.
func (tx Tx) ListNarrowed() ([]mail.Webhook, error) { return all(tx, listNarrowed, scanWebhook) }

// InsertWebhook adds a webhook at the handle's scope. ErrTaken if its client id is.
func (tx Tx) InsertWebhook(w mail.Webhook) error {
	_, err := tx.tx.Insert(insertWebhook, w.WebhookID, sqlite.Null(w.ClientID), w.URL, encode(w.EventTypes), encode(w.Places), w.Secret, encode(w.Headers), permissionsJSON(w.Permissions), w.CreatedAt)
	return translate(err)
}

// UpdateWebhook writes what can change of a webhook.
func (tx Tx) UpdateWebhook(w mail.Webhook) error {
	_, err := tx.tx.Exec(updateWebhook, w.ID, encode(w.EventTypes), encode(w.Places), encode(w.Headers), permissionsJSON(w.Permissions), w.Enabled, w.FailingSince, w.UpdatedAt)
	return err
}

// HideWebhook makes a webhook invisible. What is left of it is removed by CleanWebhook.
func (tx Tx) HideWebhook(id int64) error {
	_, err := tx.tx.Exec(hideWebhook, id)
	return err
}

// CleanWebhook removes at most about limit rows of what is under a webhook, and then itself. done tells that nothing is
// left of it.
func (tx Tx) CleanWebhook(id int64, limit int) (done bool, err error) {
	for _, s := range []*sqlite.Statement{deleteSomeAttempts, deleteSomePosts} {
		n, err := tx.tx.Exec(s, id, limit)
		if err != nil || int(n) == limit {
			return false, translate(err)
		}
	}
	_, err = tx.tx.Exec(deleteWebhook, id)
	return true, translate(err)
}

// cleanWebhooks removes webhooks of the handle's very scope, some rows at a time.
func (tx Tx) cleanWebhooks(limit int) (done bool, err error) {
	ids, err := all(tx, listOwnHooks, scanID, limit)
	for _, id := range ids {
		if done, err := tx.CleanWebhook(id, limit); err != nil || !done {
			return false, err
		}
	}
	return len(ids) == 0, err
}
