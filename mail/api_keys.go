package mail

import "time"

// APIKeyType is a family of credentials (contract: types.md, ApiKeyType).
type APIKeyType string

// The families.
const (
	APIKeyBearer    APIKeyType = "bearer"
	APIKeyPublicKey APIKeyType = "public_key"
)

// APIKey is a credential of one scope: a bearer key, whose secret is shown once, at creation, and kept as a hash; or a
// public key, which has no secret and opens nothing here.
type APIKey struct {
	ID          int64
	APIKeyID    string
	Type        APIKeyType
	Scope       Scope
	PodID       string // empty: organization
	InboxID     string // the inbox's address; empty: organization or pod
	ClientID    string // of a public key; may be empty
	Name        string
	Prefix      string    // a bearer secret's first characters, to recognise it by
	PublicKey   PublicKey // zero: a bearer key
	Permissions Permissions
	CreatedBy   string    // id of the key that made this one, which may be gone; empty: the operator
	UsedAt      time.Time // zero: never
	ExpiresAt   time.Time // zero: never
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Provable    bool // a bearer key's secret can be proved without being said (SCRAM)
}
