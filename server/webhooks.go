package server

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"podmail/mail"
	"podmail/storage"
)

// webhookNoun is what answers call it.
const webhookNoun = "Webhook"

const (
	maxWebhookURL = 2048 // characters
	maxHeaders    = 32
	maxHeaderText = 4096 // of a name and its value
)

// NewWebhook asks for a webhook at the grant's scope. PodIDs and InboxIDs narrow what it is told.
type NewWebhook struct {
	URL, ClientID                string
	EventTypes, PodIDs, InboxIDs []string
	Headers                      map[string]string
}

// WebhookUpdate changes a webhook. What is empty stays as it is.
type WebhookUpdate struct {
	EventTypes                  []string
	AddPodIDs, RemovePodIDs     []string
	AddInboxIDs, RemoveInboxIDs []string
	Enabled                     *bool
}

// CreateWebhook makes a webhook at the grant's scope, or returns the one there that has the client id already.
func (s *Server) CreateWebhook(ctx context.Context, g mail.Grant, n NewWebhook) (w mail.Webhook, err error) {
	if err := g.Require(mail.WebhookCreate); err != nil {
		return w, err
	}
	made, err := s.newWebhook(ctx, g, n)
	if err != nil {
		return w, err
	}
	s.hooks.Store(true) // before it can be there
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		tx := sys.For(g.Scope)
		if g.Scope.Inbox != 0 {
			if err := tx.CheckOwnInbox(); err != nil {
				return err
			}
		}
		if n.ClientID != "" {
			var err error
			if w, err = tx.FindOwnWebhookByClientID(n.ClientID); !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		if err := beginFanning(sys); err != nil {
			return err
		}
		if err := tx.InsertWebhook(made); err != nil {
			return err
		}
		w, err = tx.FindWebhook(made.WebhookID)
		return err
	})
	return w, coded(err, "Inbox")
}

// beginFanning lets the first webhook be told of what happens from now on, and not of everything since the beginning.
func beginFanning(sys storage.SystemTx) error {
	there, err := sys.HasWebhooks()
	if err != nil || there {
		return err
	}
	last, _, err := sys.FindLastEvent()
	if err != nil {
		return err
	}
	return sys.SetFanned(last)
}

func (s *Server) newWebhook(ctx context.Context, g mail.Grant, n NewWebhook) (w mail.Webhook, err error) {
	if err := checkWebhookURL(n.URL); err != nil {
		return w, err
	}
	if n.ClientID != "" && !validClientID(n.ClientID) {
		return w, invalidClientID()
	}
	if len(n.EventTypes) == 0 {
		return w, mail.Invalid("event_types", "names at least one type of event")
	}
	if w.EventTypes, err = eventTypes(g, n.EventTypes); err != nil {
		return w, err
	}
	if err := checkHeaders(n.Headers); err != nil {
		return w, err
	}
	if w.Places, err = s.webhookPlaces(ctx, g, n.PodIDs, n.InboxIDs); err != nil {
		return w, err
	}
	if err := checkPlaces(w.Places); err != nil {
		return w, err
	}
	id, err := s.newID()
	if err != nil {
		return w, err
	}
	secret := make([]byte, 24)
	if _, err := io.ReadFull(s.random, secret); err != nil {
		return w, err
	}
	w.WebhookID, w.ClientID, w.URL, w.Headers, w.Permissions = "ep_"+strings.ReplaceAll(id, "-", ""), n.ClientID, n.URL, n.Headers, g.Permissions
	w.Secret, w.CreatedAt = "whsec_"+base64.StdEncoding.EncodeToString(secret), s.clock.Now()
	return w, nil
}

// checkWebhookURL wants an absolute http or https URL.
func checkWebhookURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxWebhookURL:
		return mail.Invalid("url", "has at most %d characters", maxWebhookURL)
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return mail.Invalid("url", "must be an http or https URL, such as https://example.com/webhook")
	}
	return nil
}

// reservedHeaders are those of the request that we make ourselves.
var reservedHeaders = []string{"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer", "expect", "proxy-connection", "proxy-authorization"}

func checkHeaders(headers map[string]string) error {
	if len(headers) > maxHeaders {
		return mail.Invalid("headers", "has at most %d entries", maxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range headers {
		lower := strings.ToLower(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return mail.Invalid("headers", "%q is no name of an HTTP header", name)
		case !httpguts.ValidHeaderFieldValue(value) || len(name)+len(value) > maxHeaderText:
			return mail.Invalid("headers."+name, "is no value of an HTTP header, or longer than %d characters", maxHeaderText)
		case slices.Contains(reservedHeaders, lower) || strings.HasPrefix(lower, "svix-"):
			return mail.Invalid("headers."+name, "is set by the server itself")
		case seen[lower]:
			return mail.Invalid("headers."+name, "is given twice: case makes no difference")
		}
		seen[lower] = true
	}
	return nil
}

// ListWebhooks lists the webhooks in the grant's scope, those of narrower scopes among them.
func (s *Server) ListWebhooks(ctx context.Context, g mail.Grant, p mail.Page) (hooks []mail.Webhook, next string, err error) {
	if err := g.Require(mail.WebhookRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		hooks, next, err = tx.ListWebhooks(p)
		return err
	})
	return hooks, next, coded(err, "Webhooks")
}

// GetWebhook finds a webhook by its id or client_id.
func (s *Server) GetWebhook(ctx context.Context, g mail.Grant, id string) (w mail.Webhook, err error) {
	if err := g.Require(mail.WebhookRead); err != nil {
		return w, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		w, err = findWebhook(tx, id)
		return err
	})
	return w, coded(err, webhookNoun)
}

func findWebhook(tx storage.Tx, id string) (mail.Webhook, error) {
	w, err := tx.FindWebhook(id)
	if errors.Is(err, storage.ErrNotFound) {
		return tx.FindWebhookByClientID(id)
	}
	return w, err
}

// UpdateWebhook changes what a webhook is told. Whoever changes that is who it is told for: what his key may not read,
// the webhook is not told from then on.
func (s *Server) UpdateWebhook(ctx context.Context, g mail.Grant, id string, u WebhookUpdate) (w mail.Webhook, err error) {
	if err := g.Require(mail.WebhookUpdate); err != nil {
		return w, err
	}
	var types []mail.EventType
	if len(u.EventTypes) > 0 {
		if types, err = eventTypes(g, u.EventTypes); err != nil {
			return w, err
		}
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		w, err = findWebhook(tx, id)
		return err
	})
	if err != nil {
		return w, coded(err, webhookNoun)
	}
	within := g
	within.Scope, within.PodID, within.InboxID = w.Scope, w.PodID, w.InboxID
	add, err := s.webhookPlaces(ctx, within, u.AddPodIDs, u.AddInboxIDs)
	if err != nil {
		return w, err
	}
	remove, err := s.placesThere(ctx, within, u.RemovePodIDs, u.RemoveInboxIDs)
	if err != nil {
		return w, err
	}
	now := s.clock.Now()
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if w, err = tx.FindWebhookByID(w.ID); err != nil {
			return err
		}
		if types != nil {
			w.EventTypes = types
		}
		if err := replacePlaces(&w, add, remove); err != nil {
			return err
		}
		if types != nil || len(add) > 0 {
			w.Permissions = g.Permissions
		}
		if u.Enabled != nil {
			if *u.Enabled && !w.Enabled {
				w.FailingSince = time.Time{} // it gets as much patience as a new one
			}
			w.Enabled = *u.Enabled
		}
		w.UpdatedAt = now
		return tx.UpdateWebhook(w)
	})
	poke(s.posts)
	return w, coded(err, webhookNoun)
}

// UpdateWebhookHeaders sets and removes the headers that go with every post to a webhook, by their names in any case.
func (s *Server) UpdateWebhookHeaders(ctx context.Context, g mail.Grant, id string, set map[string]string, remove []string) error {
	if err := g.Require(mail.WebhookUpdate); err != nil {
		return err
	}
	if err := checkHeaders(set); err != nil {
		return err
	}
	for name := range set {
		if slices.ContainsFunc(remove, func(r string) bool { return strings.EqualFold(r, name) }) {
			return mail.Invalid("remove_headers", "%s is set and removed at once", name)
		}
	}
	now := s.clock.Now()
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		w, err := findWebhook(tx, id)
		if err != nil {
			return err
		}
		headers := map[string]string{}
		for name, value := range w.Headers {
			replaced := func(n string) bool { return strings.EqualFold(n, name) }
			if !slices.ContainsFunc(remove, replaced) && !slices.ContainsFunc(slices.Collect(maps.Keys(set)), replaced) {
				headers[name] = value
			}
		}
		maps.Copy(headers, set)
		if err := checkHeaders(headers); err != nil {
			return err
		}
		w.Headers, w.UpdatedAt = headers, now
		return tx.UpdateWebhook(w)
	})
	return coded(err, webhookNoun)
}

// DeleteWebhook deletes a webhook, at once invisible; what it had still to tell is not told.
func (s *Server) DeleteWebhook(ctx context.Context, g mail.Grant, id string) error {
	if err := g.Require(mail.WebhookDelete); err != nil {
		return err
	}
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		w, err := findWebhook(tx, id)
		if err != nil {
			return err
		}
		return tx.HideWebhook(w.ID)
	})
	poke(s.sweep)
	return coded(err, webhookNoun)
}
