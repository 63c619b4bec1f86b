package mail

import "time"

// DraftKind is what a draft is to become. It is fixed at creation.
type DraftKind string

// The kinds.
const (
	DraftPlain    DraftKind = "plain"
	DraftReply    DraftKind = "reply"
	DraftReplyAll DraftKind = "reply_all"
	DraftForward  DraftKind = "forward"
)

// SendStatus is how far a scheduled draft has come (contract: types.md, DraftSendStatus).
type SendStatus string

// The statuses. A draft that nobody scheduled has none.
const (
	SendScheduled SendStatus = "scheduled"
	SendSending   SendStatus = "sending" // while it is under way; never stored
	SendFailed    SendStatus = "failed"
)

// Draft is a message that was not sent yet. Its fields are those of its message.
type Draft struct {
	ID         int64
	DraftID    string
	ClientID   string
	Kind       DraftKind
	Original   string // message id of what it answers or forwards
	SendAt     time.Time
	SendStatus SendStatus
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Message    Message
	Submitted  *Submitted // nil: an ordinary draft
}

// Submitted is the envelope of a message that a mail program handed in to be sent later (RFC 4865).
type Submitted struct {
	ReversePath string               `json:"reverse_path"`
	Recipients  []string             `json:"recipients"`
	Reporting   map[string]Reporting `json:"reporting,omitempty"` // by recipient
	Handling    Handling             `json:"handling"`
}
