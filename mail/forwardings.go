package mail

import "time"

// MaxForwards is how many addresses an inbox hands its mail on to at most.
const MaxForwards = 10

// Forwarding is to whom an inbox hands on what arrives in it.
type Forwarding struct {
	Addresses []string  `json:"addresses"`
	KeepCopy  bool      `json:"keep_copy"` // else a message is in Trash while it is on its way, and gone once it is delivered
	UpdatedAt time.Time `json:"updated_at"`
}
