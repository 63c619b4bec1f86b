package mail

import "time"

// DMARCCount is how many messages came in on a day that claim to be of a domain and are alike in all that its reports tell.
type DMARCCount struct {
	Day       time.Time // when it began, UTC
	Domain    string    // of the policy
	Published string    // the policy's record
	Alike     string    // JSON of what a report tells of them
	Messages  int64
}
