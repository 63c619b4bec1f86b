package mail

import "time"

// Delivery is one recipient's way out of a message: a row of the queue, kept afterwards as its outcome.
type Delivery struct {
	ID            int64
	Pod, Inbox    int64
	Purpose       Purpose
	Message       int64  // surrogate key; 0: the message was deleted or never was in the inbox, and is carried all the same
	MessageID     string // public
	Origin        Origin // of what is handed on
	Sender        string // envelope reverse-path
	Recipient     string // envelope recipient
	Destination   string // the recipient's domain, in lower case
	Courier       Courier
	State         DeliveryState
	HeldBy        ScopeType // of the key that holds it; empty: it is not held
	Attempts      int
	NextAttemptAt time.Time
	LastReply     string // of the host that was asked last, or what went wrong
	Notified      bool   // the sender was told that it is late
	CreatedAt     time.Time
	UpdatedAt     time.Time
	TraceID       string
	Handling
	Reporting
}

// Purpose is why something is carried.
type Purpose string

// The purposes. Of what an inbox sent the outcomes are its labels and events; the others tell their own stories.
const (
	PurposeSent     Purpose = "sent"     // by the inbox
	PurposeForward  Purpose = "forward"  // handed on by the inbox, which keeps a copy
	PurposeRedirect Purpose = "redirect" // handed on by the inbox, which keeps it only until it is delivered
	PurposeNotice   Purpose = "notice"   // a notification to a sender elsewhere
	PurposeReturn   Purpose = "return"   // what came back of a forward, on its way to the sender
)

// HandsOn tells whether somebody else wrote what is carried.
func (p Purpose) HandsOn() bool { return p == PurposeForward || p == PurposeRedirect }

// Origin is where a message comes from that is handed on, or told of.
type Origin struct {
	ReversePath string  `json:"reverse_path,omitempty"` // under which it came; empty: nobody is to be told anything
	Vouched     Voucher `json:"vouched,omitempty"`
}

// Voucher is by what the reverse-path of a message is known to be its sender's. Notifications go to no other: they would
// hit whom somebody else names (backscatter).
type Voucher string

// The vouchers. The zero Voucher is none.
const (
	VouchedByChecks Voucher = "authenticated" // SPF, or a signature of its domain; or the peer is trusted
	VouchedByUs     Voucher = "written_here"  // one of our inboxes sent it
)

// Handling is what a sender asks for a message's way, whoever its recipients are.
type Handling struct {
	EnvelopeID string // ENVID (RFC 3461 4.4), decoded
	Return     string // RET (RFC 3461 4.3): FULL, HDRS, or empty
	RequireTLS bool   // to be handed on under TLS to hosts that do so too (RFC 8689), or bounced
}

// Reporting is what a sender asks to be told of one recipient.
type Reporting struct {
	Notify            string // NOTIFY (RFC 3461 4.1): NEVER, or of SUCCESS, FAILURE, DELAY, with commas; empty: the usual
	OriginalRecipient string // ORCPT (RFC 3461 4.2): type;address, decoded
}

// Courier says who carries a delivery.
type Courier string

// The couriers: an inbox of this installation, or another host.
const (
	CourierLocal Courier = "local"
	CourierSMTP  Courier = "smtp"
)

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery. Queued ones have a NextAttemptAt, held ones wait until they are released; the others are final.
const (
	DeliveryQueued    DeliveryState = "queued"
	DeliveryHeld      DeliveryState = "held"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryBounced   DeliveryState = "bounced"
	DeliveryRejected  DeliveryState = "rejected" // given up by us

	DeliveryComplained DeliveryState = "complained" // delivered, and called unwanted
)

// Waits tells whether what becomes of the delivery is still open.
func (s DeliveryState) Waits() bool { return s == DeliveryQueued || s == DeliveryHeld }

// Scope is the scope of the inbox that sends.
func (d *Delivery) Scope() Scope { return Scope{Pod: d.Pod, Inbox: d.Inbox} }
