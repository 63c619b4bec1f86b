package mail

import "time"

// Organization is the installation itself: there is exactly one.
type Organization struct {
	OrganizationID string
	InboxCount     int64
	DomainCount    int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Pod is an isolated workspace of inboxes and domains.
type Pod struct {
	ID        int64 // surrogate key
	PodID     string
	Name      string
	ClientID  string // the customer's own id; empty if none
	Default   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Scope is the pod's own scope.
func (p Pod) Scope() Scope { return Scope{Pod: p.ID} }
