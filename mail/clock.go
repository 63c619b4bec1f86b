package mail

import "time"

// Clock tells the time. It is handed in, so that tests can set and step it.
type Clock interface {
	Now() time.Time
}
