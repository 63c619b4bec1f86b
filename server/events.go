package server

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"podmail/mail"
	"podmail/storage"
)

// eventBatch is how many rows are read for a consumer at a time.
const eventBatch = 100

// ListEvents lists, in order, what a subscription wants of what happened after a sequence number. last is where to read
// on from, and more tells that it is worth doing so at once. What an event tells of is found by Tell.
func (s *Server) ListEvents(ctx context.Context, sub mail.Subscription, after int64) (events []mail.Event, last int64, more bool, err error) {
	until := int64(math.MaxInt64) // of places with more events than one batch, only so far are all read
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		for _, place := range sub.Scopes {
			rows, err := sys.For(place).ListEvents(after, eventBatch)
			if err != nil {
				return err
			}
			if len(rows) == eventBatch {
				until, more = min(until, rows[len(rows)-1].Seq), true
			}
			events = append(events, rows...)
		}
		if !more { // all is read: changes of labels, which nobody is told, are not looked at again
			last, _, err = sys.FindLastEvent()
		}
		return err
	})
	last = max(last, after)
	for i := range events {
		if seq := events[i].Seq; seq <= until {
			last = max(last, seq)
		}
	}
	events = slices.DeleteFunc(events, func(e mail.Event) bool { return e.Seq > last || !sub.Wants(&e) })
	slices.SortFunc(events, func(a, b mail.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events, last, more, coded(err, "Events")
}

// Event is an event with what it tells of, as that is now.
type Event struct {
	mail.Event
	Message mail.Message // but of domain.verified
	Content mail.Content // of the received family
	Thread  mail.Thread  // of the received family
	Domain  mail.Domain  // of domain.verified
}

// Tell finds what an event tells of. ok is false if it cannot be told, or not to this grant: its message, inbox or
// domain is gone meanwhile, or has a label that the grant may not read.
func (s *Server) Tell(ctx context.Context, g mail.Grant, e mail.Event) (told Event, ok bool, err error) {
	if !g.Scope.Covers(e.Scope()) || mayBeTold(g, e.Type) != nil {
		return told, false, nil
	}
	told.Event = e
	told.EventID = s.EventID(e.Seq)
	var src source
	err = s.store.For(e.Scope()).Read(ctx, func(tx storage.Tx) (err error) {
		if e.Type == mail.EventDomainVerified {
			name, _ := e.Details["domain_id"].(string)
			told.Domain, err = tx.FindDomain(name)
			return err
		}
		if err := tx.CheckOwnInbox(); err != nil {
			return err
		}
		if told.Message, err = tx.FindMessageByID(e.Message); err != nil {
			return err
		}
		if mail.HiddenOf(told.Message.Labels)&^readable(g) != 0 {
			return storage.ErrNotFound
		}
		if !e.Type.Received() {
			return nil
		}
		if told.Thread, err = tx.FindThreadByID(told.Message.Thread); err != nil {
			return err
		}
		if err := asSeen(tx, g, &told.Thread); err != nil {
			return err
		}
		src, err = findSource(tx, e.Message)
		return err
	})
	if err == nil && e.Type.Received() {
		told.Content, err = s.readContent(ctx, e.Scope(), src.small())
	}
	if errors.Is(err, storage.ErrNotFound) {
		return told, false, nil
	}
	return told, err == nil, coded(err, "Event")
}

// maxTold is the size, as they are encoded, of bodies that are read to be told. Larger ones are left out of an event
// in any case (contract: semantics.md, Events).
const maxTold = 3_000_000

// small is the source without bodies that are too large to be told.
func (src source) small() source {
	if src.size() > maxTold {
		src.text, src.html = nil, nil
	}
	return src
}

// EventID is the public id of an event by its sequence number.
func (s *Server) EventID(seq int64) string { return s.eventIDs.of(seq) }

// LastEvent is the sequence number of the latest event: where a consumer starts that has seen nothing.
func (s *Server) LastEvent(ctx context.Context) (seq int64, err error) {
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		seq, _, err = tx.FindLastEvent()
		return err
	})
	return seq, coded(err, "Events")
}

// AfterEvent is the sequence number from which a consumer reads on that has seen the event of this id. CodeInvalid if
// it is no event's, or so old that later ones are removed.
func (s *Server) AfterEvent(ctx context.Context, eventID string) (seq int64, err error) {
	seq, ok := s.eventIDs.parse(eventID)
	if !ok {
		return 0, mail.Invalid("last_event_id", "is no event's id").WithFix("Pass the event_id of the last event that you were told, unchanged.")
	}
	var pruned int64
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		_, pruned, err = tx.FindLastEvent()
		return err
	})
	if err == nil && seq < pruned {
		return 0, mail.Invalid("last_event_id", "is so old that events after it are removed").
			WithFix("Subscribe without it, and list the messages that came since.")
	}
	return seq, coded(err, "Events")
}

// ListInboxEvents lists the changes of labels in the grant's inbox, newest first. Those of messages that the key may not
// read are left out.
func (s *Server) ListInboxEvents(ctx context.Context, g mail.Grant, p mail.Page) (events []mail.Event, next string, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, "", err
	}
	after, err := s.eventPage(p)
	if err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		events, err = tx.ListLabelEvents(after, p.Ascending, ^readable(g)&^mail.HiddenDraft, p.Limit+1)
		return err
	})
	if len(events) > p.Limit {
		events = events[:p.Limit]
		next = s.EventID(events[p.Limit-1].Seq)
	}
	for i := range events {
		events[i].EventID = s.EventID(events[i].Seq)
	}
	return events, next, coded(err, "Events")
}

// eventPage is where a page begins. Its token is the id of the last event of the page before: a sequence number would
// tell how much happens elsewhere.
func (s *Server) eventPage(p mail.Page) (after int64, err error) {
	if p.Token == "" && p.Ascending {
		return 0, nil
	}
	if p.Token == "" {
		return math.MaxInt64, nil
	}
	after, ok := s.eventIDs.parse(p.Token)
	if !ok {
		return 0, mail.Invalid("page_token", "is not a token of this list").WithFix("Pass next_page_token of the page before, unchanged.")
	}
	return after, nil
}
