package mail

import "time"

// Inbox is an address that receives and sends. Its public id is the address itself, in lower case.
type Inbox struct {
	ID          int64 // surrogate key
	Pod         int64 // the pod's surrogate key
	PodID       string
	Address     string
	DisplayName string
	ClientID    string
	Metadata    map[string]any // values are string, float64 or bool
	Domain      int64          // surrogate key of the domain that it dies with; 0: the installation's own. Set when it is made
	UIDValidity uint32         // of all its mailboxes; new when the address is made again
	Forwarding  *Forwarding    // nil: it hands nothing on
	ReturnsTo   string         // of an address that takes bounces of what the inbox handed on: to whom they go; empty: it is the inbox's own
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Scope is the inbox's own scope.
func (i Inbox) Scope() Scope { return Scope{Pod: i.Pod, Inbox: i.ID} }
