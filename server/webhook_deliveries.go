package server

import (
	"context"

	"podmail/mail"
	"podmail/storage"
)

// ListWebhookDeliveries lists what a webhook was told and is to be told, newest first, in one state or in all.
func (s *Server) ListWebhookDeliveries(ctx context.Context, g mail.Grant, webhookID string, state mail.WebhookState, p mail.Page) (ds []mail.WebhookDelivery, next string, err error) {
	if err := g.Require(mail.WebhookRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		w, err := findWebhook(tx, webhookID)
		if err != nil {
			return err
		}
		ds, next, err = tx.ListWebhookDeliveries(w.ID, state, p)
		return err
	})
	for i := range ds {
		s.name(&ds[i])
	}
	return ds, next, coded(err, webhookNoun)
}

// name gives a delivery its public ids.
func (s *Server) name(d *mail.WebhookDelivery) {
	d.DeliveryID, d.EventID = s.postIDs.of(d.ID), s.eventIDs.of(d.Event)
}

// GetWebhookDelivery finds a delivery of a webhook with its attempts, the first ones first.
func (s *Server) GetWebhookDelivery(ctx context.Context, g mail.Grant, webhookID, deliveryID string) (d mail.WebhookDelivery, attempts []mail.WebhookAnswer, err error) {
	if err := g.Require(mail.WebhookRead); err != nil {
		return d, nil, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		if d, err = s.findPost(tx, webhookID, deliveryID); err != nil {
			return err
		}
		attempts, err = tx.ListWebhookAttempts(d.ID)
		return err
	})
	s.name(&d)
	return d, attempts, coded(err, "Delivery")
}

func (s *Server) findPost(tx storage.Tx, webhookID, deliveryID string) (d mail.WebhookDelivery, err error) {
	w, err := findWebhook(tx, webhookID)
	if err != nil {
		return d, coded(err, webhookNoun)
	}
	id, ok := s.postIDs.parse(deliveryID)
	if !ok {
		return d, storage.ErrNotFound
	}
	return tx.FindWebhookDelivery(w.ID, id)
}

// ReplayWebhookDelivery tells a webhook an event again, or now if it waits for its next attempt. One that waits behind
// another of its inbox keeps its place.
func (s *Server) ReplayWebhookDelivery(ctx context.Context, g mail.Grant, webhookID, deliveryID string) (d mail.WebhookDelivery, err error) {
	if err := g.Require(mail.WebhookUpdate); err != nil {
		return d, err
	}
	now := s.clock.Now()
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if d, err = s.findPost(tx, webhookID, deliveryID); err != nil {
			return err
		}
		if d.State == mail.WebhookQueued && d.NextAttemptAt.IsZero() {
			return nil
		}
		d.State, d.Attempts, d.NextAttemptAt, d.UpdatedAt = mail.WebhookQueued, 0, now, now
		return tx.UpdateWebhookDelivery(d)
	})
	s.name(&d)
	poke(s.posts)
	return d, coded(err, "Delivery")
}
