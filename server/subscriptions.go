package server

import (
	"context"
	"slices"

	"podmail/mail"
)

// Wanted is what a consumer asks to be told of. What is empty does not narrow it.
type Wanted struct{ EventTypes, PodIDs, InboxIDs []string }

// maxPlaces bounds the pods, and the inboxes, that a subscription names, since each is read by itself.
const maxPlaces = 100

// Subscribe settles what a consumer is told: events of the types it names, or of all but those that are told by name
// only; of the pods and the inboxes it names, or of all that the grant covers. A name that is not the grant's to see is
// not_found like one that does not exist; a type by name takes the permission to read what it tells of.
func (s *Server) Subscribe(ctx context.Context, g mail.Grant, w Wanted) (sub mail.Subscription, err error) {
	if sub.Types, err = eventTypes(g, w.EventTypes); err != nil {
		return sub, err
	}
	if len(w.PodIDs) > maxPlaces || len(w.InboxIDs) > maxPlaces {
		return sub, mail.Errorf(mail.CodeInvalid, "pod_ids and inbox_ids have at most %d entries each.", maxPlaces).
			WithFix("Use a key of the pod, or name the pod, to be told of all its inboxes.")
	}
	for _, id := range w.PodIDs {
		in, err := s.InPod(ctx, g, id)
		if err != nil {
			return sub, err
		}
		sub.PodIDs, sub.Scopes = append(sub.PodIDs, in.PodID), append(sub.Scopes, in.Scope)
	}
	for _, id := range w.InboxIDs {
		in, err := s.InInbox(ctx, g, id)
		if err != nil {
			return sub, err
		}
		sub.InboxIDs, sub.Scopes = append(sub.InboxIDs, in.InboxID), append(sub.Scopes, in.Scope)
	}
	if len(sub.Scopes) == 0 {
		sub.Scopes = []mail.Scope{g.Scope}
	}
	sub.PodIDs, sub.InboxIDs, sub.Scopes = distinct(sub.PodIDs), distinct(sub.InboxIDs), outermost(sub.Scopes)
	return sub, nil
}

func eventTypes(g mail.Grant, names []string) (types []mail.EventType, err error) {
	for _, name := range names {
		t := mail.EventType(name)
		if !slices.Contains(mail.EventTypes(), t) {
			return nil, mail.Invalid("event_types", "%q is not a type of event", name)
		}
		if err := mayBeTold(g, t); err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	if len(types) > 0 {
		return distinct(types), nil
	}
	for _, t := range mail.EventTypes() {
		if !t.OnlyByName() && mayBeTold(g, t) == nil {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		return nil, g.Require(mail.MessageRead)
	}
	return types, nil
}

// mayBeTold returns nil if the grant has all that it takes to be told of events of this type.
func mayBeTold(g mail.Grant, t mail.EventType) error {
	for _, p := range t.Needs() {
		if err := g.Require(p); err != nil {
			return err
		}
	}
	return nil
}

func distinct[T comparable](list []T) (out []T) {
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// outermost leaves out the scopes that lie in another, so that nothing is told twice.
func outermost(scopes []mail.Scope) (out []mail.Scope) {
	scopes = distinct(scopes)
	for _, s := range scopes {
		if !slices.ContainsFunc(scopes, func(o mail.Scope) bool { return o != s && o.Covers(s) }) {
			out = append(out, s)
		}
	}
	return out
}
