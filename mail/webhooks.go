package mail

import (
	"slices"
	"time"
)

// Webhook is an endpoint that is told what happens at its scope, or in some places of it.
type Webhook struct {
	ID           int64
	Scope        Scope
	PodID        string // of Scope; empty: the organization's
	InboxID      string // of Scope
	WebhookID    string
	ClientID     string
	URL          string
	EventTypes   []EventType
	Places       []WebhookPlace // empty: all of Scope
	Secret       string         // whsec_ and base64
	Headers      map[string]string
	Permissions  Permissions // what it may be told of is what these let a key read
	Enabled      bool
	FailingSince time.Time // zero: the last post was taken
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// WebhookPlace is a pod, or an inbox, that a webhook listens to.
type WebhookPlace struct {
	Pod     int64  `json:"pod"`
	Inbox   int64  `json:"inbox,omitempty"`
	PodID   string `json:"pod_id,omitempty"`   // of a pod
	InboxID string `json:"inbox_id,omitempty"` // of an inbox: its address
}

// Scope is where the place lies.
func (p WebhookPlace) Scope() Scope { return Scope{Pod: p.Pod, Inbox: p.Inbox} }

// Grant is what the webhook may be told.
func (w *Webhook) Grant() Grant {
	return Grant{Scope: w.Scope, KeyScope: w.Scope, PodID: w.PodID, InboxID: w.InboxID, Permissions: w.Permissions}
}

// Wants tells whether the webhook is to be told of an event.
func (w *Webhook) Wants(e *Event) bool {
	if !slices.Contains(w.EventTypes, e.Type) || !w.Scope.Covers(e.Scope()) || e.CreatedAt.Before(w.CreatedAt) {
		return false
	}
	return len(w.Places) == 0 || slices.ContainsFunc(w.Places, func(p WebhookPlace) bool { return p.Scope().Covers(e.Scope()) })
}

// WebhookDelivery is an event on its way to an endpoint.
type WebhookDelivery struct {
	ID            int64
	DeliveryID    string // public
	Scope         Scope  // of the webhook
	Webhook       int64
	Event         int64 // sequence number
	EventID       string
	EventType     EventType
	EventScope    Scope
	State         WebhookState
	Attempts      int
	NextAttemptAt time.Time // zero: it waits behind another of its inbox, or is settled
	Status        int       // HTTP, of the last answer; 0: none
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// WebhookState is where a webhook's delivery stands.
type WebhookState string

// The states. All but queued are final, until somebody has it sent again.
const (
	WebhookQueued    WebhookState = "queued"
	WebhookDelivered WebhookState = "delivered"
	WebhookFailed    WebhookState = "failed"
	WebhookGone      WebhookState = "gone" // what it told of was deleted, or may not be told any more
)

// WebhookAnswer is how an attempt to tell an endpoint went.
type WebhookAnswer struct {
	Status int           // HTTP; 0: there was no answer
	Error  string        // why there was none
	Answer string        // how the body begins
	Took   time.Duration // until then
	At     time.Time
}

// OK tells whether the endpoint has taken the event.
func (a WebhookAnswer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// webhookRetries is how long to wait after the first failure, the second, … (contract: semantics.md, Events).
var webhookRetries = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour}

// WebhookPatience is for how long all posts to an endpoint may fail before it is disabled.
const WebhookPatience = 5 * 24 * time.Hour

// WebhookRetryAfter is how long to wait after so many attempts; false: there is no further one. jitter, from 0 to 1, is
// spread over a tenth of it.
func WebhookRetryAfter(attempts int, jitter float64) (time.Duration, bool) {
	if attempts > len(webhookRetries) {
		return 0, false
	}
	step := webhookRetries[max(attempts, 1)-1]
	return step + time.Duration(float64(step)*0.1*jitter), true
}
