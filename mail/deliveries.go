package mail

import "time"

// Delivery is one recipient's way out of a sent message: a row of the queue, kept afterwards as its outcome.
type Delivery struct {
	ID            int64
	Pod, Inbox    int64
	Message       int64
	MessageID     string // public
	Sender        string // envelope reverse-path
	Recipient     string // envelope recipient
	Courier       Courier
	State         DeliveryState
	Attempts      int
	NextAttemptAt time.Time
	LastError     string
	CreatedAt     time.Time
	UpdatedAt     time.Time
	TraceID       string
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

// The states of a delivery. Queued ones have a NextAttemptAt; the others are final.
const (
	DeliveryQueued    DeliveryState = "queued"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryBounced   DeliveryState = "bounced"
)
