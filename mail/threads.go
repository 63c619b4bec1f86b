package mail

import "time"

// Thread is a conversation in one inbox. All but its identity is derived from its messages.
type Thread struct {
	ID                int64
	Pod, Inbox        int64
	InboxID           string
	ThreadID          string
	Labels            []string // union of its messages'
	Timestamp         time.Time
	ReceivedTimestamp time.Time // zero: none received
	SentTimestamp     time.Time // zero: none sent
	Senders           []string
	Recipients        []string
	Subject           string
	Preview           string
	Attachments       []Attachment
	LastMessageID     string
	MessageCount      int64
	Size              int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Scope is the scope of the thread's inbox.
func (t *Thread) Scope() Scope { return Scope{Pod: t.Pod, Inbox: t.Inbox} }
