package config

import "strconv"

// Sending is how many recipients may be written to.
type Sending struct {
	InboxPerHour        Allowance // sending.inbox_per_hour
	InboxPerDay         Allowance // sending.inbox_per_day
	PodPerHour          Allowance // sending.pod_per_hour
	PodPerDay           Allowance // sending.pod_per_day
	NewPodPerDay        Allowance // sending.new_pod_per_day
	OrganizationPerHour Allowance // sending.organization_per_hour
	OrganizationPerDay  Allowance // sending.organization_per_day
}

func (s *Sending) settings() []setting {
	return []setting{
		{"sending.inbox_per_hour", &s.InboxPerHour},
		{"sending.inbox_per_day", &s.InboxPerDay},
		{"sending.pod_per_hour", &s.PodPerHour},
		{"sending.pod_per_day", &s.PodPerDay},
		{"sending.new_pod_per_day", &s.NewPodPerDay},
		{"sending.organization_per_hour", &s.OrganizationPerHour},
		{"sending.organization_per_day", &s.OrganizationPerDay},
	}
}

// Allowance is how many of something there may be at most; 0: as many as one likes.
type Allowance int64

// UnmarshalText takes a whole number.
func (a *Allowance) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n > 1_000_000_000 {
		return errNotAllowed
	}
	*a = Allowance(n)
	return nil
}

func (a *Allowance) String() string { return strconv.FormatInt(int64(*a), 10) }
func (a *Allowance) allowed() string {
	return "a whole number up to 1000000000, or 0 for as many as one likes"
}
