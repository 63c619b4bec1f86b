package mail

// Intake is what was found out about a message that came in, and why it ended where it did.
type Intake struct {
	Placement      string          `json:"placement"` // the label that says where: received, blocked, unauthenticated or spam
	Reason         string          `json:"reason"`    // a sentence for people
	Authentication *Authentication `json:"authentication,omitempty"`
}

// EventOf is the event of a message that was placed under a label.
func EventOf(placement string) EventType {
	switch placement {
	case LabelBlocked:
		return EventReceivedBlocked
	case LabelUnauthenticated:
		return EventReceivedUnauthenticated
	case LabelSpam:
		return EventReceivedSpam
	}
	return EventReceived
}
