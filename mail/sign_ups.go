package mail

import "time"

// SignUp is an agent that signed itself up, with a pod of its own, for a human who is to verify it.
type SignUp struct {
	Pod           int64
	HumanEmail    string // in lower case
	Inbox         string // its address
	APIKeyID      string
	CodeHash      []byte // nil: none was mailed, or it is void
	CodeExpiresAt time.Time
	Wrong         int       // codes tried
	LockedUntil   time.Time // zero: not locked
	VerifiedAt    time.Time // zero: not verified
	Source        string
	Referrer      string
	CreatedAt     time.Time
}
