package mail

import "time"

// Message is one mail in one inbox. Its bytes are elsewhere (see storage's blobs); this is what lists need.
type Message struct {
	ID           int64  // surrogate key
	Pod, Inbox   int64  // surrogate keys
	InboxID      string // the inbox's address
	Thread       int64  // surrogate key
	ThreadID     string
	MessageID    string // RFC 5322 Message-ID with angle brackets, unique in the inbox (made up if absent or taken)
	Labels       []string
	Timestamp    time.Time // when it was received or sent; lists are ordered by it
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Envelope     Envelope
	Preview      string
	Attachments  []Attachment
	Size         int64
	Mailbox      int64 // surrogate key
	UID          uint32
	ModSeq       int64
	InternalDate time.Time
	TraceID      string
}

// Scope is the scope of the message's inbox.
func (m *Message) Scope() Scope { return Scope{Pod: m.Pod, Inbox: m.Inbox} }

// Attachment is a part of a message that is offered as a file.
type Attachment struct {
	AttachmentID string `json:"attachment_id"`
	Filename     string `json:"filename,omitempty"`
	Size         int64  `json:"size"` // decoded bytes
	ContentType  string `json:"content_type,omitempty"`
	Disposition  string `json:"content_disposition,omitempty"` // inline or attachment
	ContentID    string `json:"content_id,omitempty"`          // without angle brackets
	// Where its bytes are in the message, and how they are encoded.
	Body     int64  `json:"b"`
	End      int64  `json:"n"`
	Encoding string `json:"e,omitempty"`
}

// MessageFilter narrows a list of messages. Every given condition must hold.
type MessageFilter struct {
	Labels              []string  // all of them
	Before, After       time.Time // exclusive, on Timestamp; zero: no bound
	From, To, Subject   []string  // case-insensitive substrings; To covers to, cc and bcc
	Include             Hidden    // hidden kinds to show all the same
	Senders, Recipients []string  // of threads: the like of From and To
}

// Content is what messages.get adds to Message.
type Content struct {
	Text, HTML                   string
	HasText, HasHTML             bool
	ExtractedText, ExtractedHTML string
	Headers                      map[string]string
}
