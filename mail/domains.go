package mail

import "time"

// VerificationStatus is how far a domain has come (contract: types.md, VerificationStatus).
type VerificationStatus string

// The statuses that Podmail gives.
const (
	DomainNotStarted VerificationStatus = "NOT_STARTED" // never checked
	DomainPending    VerificationStatus = "PENDING"     // records are missing
	DomainInvalid    VerificationStatus = "INVALID"     // records say something else
	DomainFailed     VerificationStatus = "FAILED"      // for so long that the domain is not used
	DomainVerified   VerificationStatus = "VERIFIED"
)

// Why a domain is not VERIFIED.
const (
	ReasonRecordsMissing = "dns_records_missing"
	ReasonRecordsInvalid = "dns_records_invalid"
)

// Domain is a domain that inboxes live under. A domain without a pod belongs to all pods.
type Domain struct {
	ID      int64
	Pod     int64  // 0: all pods
	PodID   string // empty: all pods
	Name    string // lower case, ASCII
	Builtin bool   // the installation's own: neither listed nor counted, and served whatever its records are

	// Verified tells whether mail and new inboxes are taken for the domain. It outlasts Status for a while when records
	// go missing, so that an accident at the DNS provider stops no mail.
	Verified           bool
	SubdomainsVerified bool // the same for its subdomains
	Status             VerificationStatus
	Reason             string // empty when VERIFIED

	FeedbackEnabled, SubdomainsEnabled, TrackingEnabled bool
	SharesMX                                            bool // another provider's MX records may stand beside ours
	ClientID                                            string
	Records                                             []DomainRecord

	Checks       int       // in a row that did not find everything
	FailingSince time.Time // zero: everything is there without which there is no mail
	NextCheckAt  time.Time // zero: never
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Scope is where the domain's row lies: its pod, or the organization.
func (d Domain) Scope() Scope { return Scope{Pod: d.Pod} }

// Serves tells whether mail for name, which is d's or lies below it, is d's to take.
func (d Domain) Serves(name string) bool {
	return d.Verified && (name == d.Name || d.SubdomainsEnabled && d.SubdomainsVerified)
}

// LinkHost is the host that serves what mail of the domain links to; empty until its record was found.
func (d Domain) LinkHost() string {
	for _, r := range d.Records {
		if r.Type == RecordCNAME && r.Status == RecordValid && d.TrackingEnabled {
			return r.Name
		}
	}
	return ""
}

// ParentDomains are name and the domains above it, nearest first, without the top-level domain.
func ParentDomains(name string) []string {
	names := []string{name}
	for i := range name {
		if name[i] == '.' {
			names = append(names, name[i+1:])
		}
	}
	if len(names) > 1 {
		names = names[:len(names)-1]
	}
	return names
}
