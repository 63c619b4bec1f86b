package mail

import (
	"slices"
	"time"
)

// EventType names what happened (contract: types.md, EventType and InboxEventType).
type EventType string

// The events.
const (
	EventReceived                EventType = "message.received"
	EventReceivedSpam            EventType = "message.received.spam"
	EventReceivedBlocked         EventType = "message.received.blocked"
	EventReceivedUnauthenticated EventType = "message.received.unauthenticated"
	EventSent                    EventType = "message.sent"
	EventDelivered               EventType = "message.delivered"
	EventBounced                 EventType = "message.bounced"
	EventComplained              EventType = "message.complained"
	EventRejected                EventType = "message.rejected"
	EventOpened                  EventType = "message.opened"
	EventDomainVerified          EventType = "domain.verified"
	EventLabelAdded              EventType = "label.added"
	EventLabelRemoved            EventType = "label.removed"
)

// EventTypes lists what webhooks and WebSockets tell, in the contract's order. Changes of labels are not among it.
func EventTypes() []EventType {
	return []EventType{EventReceived, EventReceivedSpam, EventReceivedBlocked, EventReceivedUnauthenticated, EventSent, EventDelivered,
		EventBounced, EventComplained, EventRejected, EventOpened, EventDomainVerified}
}

// Received tells whether events of this type say that a message came in.
func (t EventType) Received() bool { return t == EventReceived || t.OnlyByName() }

// OnlyByName tells whether events of this type go only to who asks for them by name.
func (t EventType) OnlyByName() bool {
	return t == EventReceivedSpam || t == EventReceivedBlocked || t == EventReceivedUnauthenticated
}

// Needs is what a key must have to be told of events of this type.
func (t EventType) Needs() []Permission {
	switch t {
	case EventDomainVerified:
		return []Permission{DomainRead}
	case EventReceivedSpam:
		return []Permission{MessageRead, LabelSpamRead}
	case EventReceivedBlocked:
		return []Permission{MessageRead, LabelBlockedRead}
	case EventReceivedUnauthenticated:
		return []Permission{MessageRead, LabelUnauthenticatedRead}
	}
	return []Permission{MessageRead}
}

// Event is one thing that happened, written in the transaction in which it happened.
type Event struct {
	Seq        int64 // rises with every commit; consumers read on from the last one they saw
	EventID    string
	Type       EventType
	Pod, Inbox int64
	Message    int64          // surrogate key; 0 if about none, or if it is gone
	MessageID  string         // public
	Label      string         // of label events
	Details    map[string]any // recipients, bounce types, …, by the contract's names
	CreatedAt  time.Time
}

// Scope is where the event happened.
func (e *Event) Scope() Scope { return Scope{Pod: e.Pod, Inbox: e.Inbox} }

// Subscription is what a consumer is told: events of these types that happen in one of these places.
type Subscription struct {
	Types    []EventType
	PodIDs   []string // as asked for; both empty: all that the key covers
	InboxIDs []string
	Scopes   []Scope // the places; none lies in another
}

// Wants tells whether the subscription covers an event.
func (s *Subscription) Wants(e *Event) bool {
	return slices.Contains(s.Types, e.Type) && slices.ContainsFunc(s.Scopes, func(place Scope) bool { return place.Covers(e.Scope()) })
}
