package server

import (
	"context"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// maxWebhookPlaces is how many pods, and how many inboxes, a webhook names (contract: semantics.md, Events).
const maxWebhookPlaces = 10

// webhookPlaces finds the pods and inboxes by their ids, as the grant sees them. The grant's whole scope is no narrowing.
func (s *Server) webhookPlaces(ctx context.Context, g mail.Grant, podIDs, inboxIDs []string) (places []mail.WebhookPlace, err error) {
	for _, id := range podIDs {
		in, err := s.InPod(ctx, g, id)
		if err != nil {
			return nil, err
		}
		if !in.Scope.Covers(g.Scope) {
			places = append(places, mail.WebhookPlace{Pod: in.Scope.Pod, PodID: in.PodID})
		}
	}
	for _, id := range inboxIDs {
		in, err := s.InInbox(ctx, g, id)
		if err != nil {
			return nil, err
		}
		if !in.Scope.Covers(g.Scope) {
			places = append(places, mail.WebhookPlace{Pod: in.Scope.Pod, Inbox: in.Scope.Inbox, InboxID: in.InboxID})
		}
	}
	return distinct(places), nil
}

// placesThere is webhookPlaces without those that are not there, or not any more.
func (s *Server) placesThere(ctx context.Context, g mail.Grant, podIDs, inboxIDs []string) (places []mail.WebhookPlace, err error) {
	find := func(podIDs, inboxIDs []string) error {
		found, err := s.webhookPlaces(ctx, g, podIDs, inboxIDs)
		if mail.CodeOf(err) == mail.CodeNotFound {
			return nil
		}
		places = append(places, found...)
		return err
	}
	for _, id := range podIDs {
		if err := find([]string{id}, nil); err != nil {
			return nil, err
		}
	}
	for _, id := range inboxIDs {
		if err := find(nil, []string{id}); err != nil {
			return nil, err
		}
	}
	return places, nil
}

func checkPlaces(places []mail.WebhookPlace) error {
	pods := 0
	for _, p := range places {
		if p.Inbox == 0 {
			pods++
		}
	}
	if pods > maxWebhookPlaces {
		return mail.Invalid("pod_ids", "a webhook names at most %d pods", maxWebhookPlaces).WithFix("Leave them out to listen to all pods, or make another webhook.")
	}
	if len(places)-pods > maxWebhookPlaces {
		return mail.Invalid("inbox_ids", "a webhook names at most %d inboxes", maxWebhookPlaces).WithFix("Make the webhook for their pod, or make another one.")
	}
	return nil
}

// replacePlaces adds and removes places. A webhook that names some keeps at least one: without any it would be told of
// everything.
func replacePlaces(w *mail.Webhook, add, remove []mail.WebhookPlace) error {
	before := len(w.Places)
	places := distinct(append(slices.Clone(w.Places), add...))
	places = slices.DeleteFunc(places, func(p mail.WebhookPlace) bool {
		return slices.ContainsFunc(remove, func(r mail.WebhookPlace) bool { return r.Scope() == p.Scope() })
	})
	if before > 0 && len(places) == 0 {
		return mail.Errorf(mail.CodeInvalid, "A webhook that listens to some pods or inboxes keeps at least one of them.").
			WithFix("Add another one in the same request, or delete the webhook.")
	}
	w.Places = places
	return checkPlaces(places)
}

// forgetPlace takes a pod or an inbox that is deleted from the webhooks that name it. One that names nothing else has
// nothing left to tell, and goes too.
func forgetPlace(sys storage.SystemTx, place mail.Scope, now time.Time) error {
	hooks, err := sys.For(place).ListNarrowed()
	if err != nil {
		return err
	}
	for _, w := range hooks {
		left := slices.DeleteFunc(slices.Clone(w.Places), func(p mail.WebhookPlace) bool { return p.Scope() == place })
		at := sys.For(w.Scope)
		switch len(left) {
		case len(w.Places):
			continue
		case 0:
			err = at.HideWebhook(w.ID)
		default:
			w.Places, w.UpdatedAt = left, now
			err = at.UpdateWebhook(w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
