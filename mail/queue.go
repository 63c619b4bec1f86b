package mail

import "time"

// DeliveryAttempt is what came of one attempt to carry a delivery.
type DeliveryAttempt struct {
	Host    string          // its name and address; empty: none was reached
	TLS     string          // empty: plain text
	Failure TransferFailure // empty: the message was taken
	Reply   string          // verbatim, or what went wrong
	At      time.Time
}

// QueueControl is what is done to a delivery that waits, by hand.
type QueueControl string

// The controls.
const (
	DeliveryIsRetried  QueueControl = "retried"
	DeliveryIsHeld     QueueControl = "held"
	DeliveryIsReleased QueueControl = "released"
	DeliveryIsDropped  QueueControl = "dropped"
)

// QueueControls lists the controls.
func QueueControls() []QueueControl {
	return []QueueControl{DeliveryIsRetried, DeliveryIsHeld, DeliveryIsReleased, DeliveryIsDropped}
}

// Pause is something that the operator stopped.
type Pause struct {
	Kind      PauseKind
	Pod       int64  // of a pod
	Name      string // a domain, or a pod's id
	Reason    string
	CreatedAt time.Time
}

// PauseKind is what can be stopped.
type PauseKind string

// The kinds: all that a pod sends, all that is sent from a domain, all that goes to one.
const (
	PausePod         PauseKind = "pod"
	PauseDomain      PauseKind = "domain"
	PauseDestination PauseKind = "destination"
)

// Pauses is everything that is stopped.
type Pauses struct {
	Pods         map[int64]bool
	Destinations map[string]bool
	Domains      []string
}

// PausesOf sorts pauses by what they stop.
func PausesOf(list []Pause) Pauses {
	p := Pauses{Pods: map[int64]bool{}, Destinations: map[string]bool{}, Domains: []string{}}
	for _, pause := range list {
		switch pause.Kind {
		case PausePod:
			p.Pods[pause.Pod] = true
		case PauseDestination:
			p.Destinations[pause.Name] = true
		case PauseDomain:
			p.Domains = append(p.Domains, pause.Name)
		}
	}
	return p
}
