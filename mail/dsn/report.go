package dsn

import (
	"strings"
	"time"
)

// Action is what became of a message to a recipient (RFC 3464 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"
	Expanded  Action = "expanded"
)

// Report is what a notification says, of one message and some of its recipients.
type Report struct {
	EnvelopeID   string // ENVID of MAIL, without its xtext (RFC 3461 4.4)
	ReportingMTA string // host name
	ArrivalDate  time.Time
	Recipients   []Recipient
	MessageID    string // of the message that came back, with angle brackets; empty if it has none
	Header       []byte // of the message that came back, as it came; bounded
}

// Recipient is what became of one recipient. Addresses are bare.
type Recipient struct {
	Final       string // where it was delivered or not
	Original    string // whom the sender named (ORCPT); empty if not told
	Action      Action
	Status      string // RFC 3463, such as 5.1.1
	Diagnostic  string // what the other side said, verbatim
	RemoteMTA   string // host name; its address may stand behind it
	LastAttempt time.Time
	RetryUntil  time.Time

	// Of a recipient that is written only:
	OriginalType string // of Original's address, if it is none of mail: x400, …
	Own          bool   // Diagnostic is the reporting host's own finding, which nobody replied
}

// Names tells whether the recipient is this address, as the sender wrote it or as it became. Case is let pass.
func (r *Recipient) Names(address string) bool {
	return r.Original != "" && strings.EqualFold(r.Original, address) || strings.EqualFold(r.Final, address)
}
