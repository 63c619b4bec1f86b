package mail

import "time"

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
