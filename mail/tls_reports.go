package mail

import "time"

// TLSCount is how many connections of a day to hosts of a domain fared alike in all that its report tells.
type TLSCount struct {
	Day      time.Time // when it began, UTC
	Domain   string
	Alike    string // JSON of what a report tells of them
	Sessions int64
}

// TLSReport is a report on its way to one recipient.
type TLSReport struct {
	ID            int64
	Domain        string // that it tells of
	Recipient     string // an address, or a URL that it is posted to
	Report        string // JSON
	CreatedAt     time.Time
	Attempts      int
	NextAttemptAt time.Time
}
