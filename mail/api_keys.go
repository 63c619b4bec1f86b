package mail

import "time"

// APIKey is a bearer credential of one scope. The secret itself is shown once, at creation; only its hash is kept.
type APIKey struct {
	ID          int64
	APIKeyID    string
	Scope       Scope
	PodID       string // empty: organization
	InboxID     string // the inbox's address; empty: organization or pod
	Name        string
	Prefix      string // the secret's first characters, to recognise it by
	Permissions Permissions
	UsedAt      time.Time // zero: never
	ExpiresAt   time.Time // zero: never
	CreatedAt   time.Time
	UpdatedAt   time.Time
}
