package mail

import "time"

// Rate is how many recipients may be written to in an hour and in a day. Zero is as many as one likes.
type Rate struct{ PerHour, PerDay int64 }

// Least is the smaller of the two limits; 0 if there is none.
func (r Rate) Least() int64 {
	if r.PerHour == 0 || r.PerDay != 0 && r.PerDay < r.PerHour {
		return r.PerDay
	}
	return r.PerHour
}

// Sent counts the recipients written to in an hour and in a day. Each begins with the first of them.
type Sent struct {
	HourAt, DayAt time.Time
	InHour, InDay int64
}

// Beyond tells whether s is more than r allows, and then until when it is and which limit that is.
func (r Rate) Beyond(s Sent) (until time.Time, limit int64, span string, beyond bool) {
	switch {
	case r.PerDay > 0 && s.InDay > r.PerDay:
		return s.DayAt.Add(24 * time.Hour), r.PerDay, "day", true
	case r.PerHour > 0 && s.InHour > r.PerHour:
		return s.HourAt.Add(time.Hour), r.PerHour, "hour", true
	}
	return time.Time{}, 0, "", false
}

// warmUp is for how many days a pod is new.
const warmUp = 14

// WarmUp is how many recipients a pod may write to in a day at this age, where it is first on its first day: twice as many
// on each day as on the day before. 0 is as many as it likes, as after two weeks.
func WarmUp(first int64, age time.Duration) int64 {
	day := max(0, age/(24*time.Hour))
	if first == 0 || day >= warmUp {
		return 0
	}
	return first << day
}

// PodSending is what is known of a pod where its sending is limited.
type PodSending struct {
	CreatedAt time.Time
	Rate      *Rate // that the operator chose for it; nil: what is set for all
}
