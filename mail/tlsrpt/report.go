// Package tlsrpt reads and writes reports of how connections to a domain's mail hosts fared under its TLS policies (RFC
// 8460).
package tlsrpt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is a report. Its JSON is RFC 8460's.
type Report struct {
	Organization string    `json:"organization-name"`
	Range        DateRange `json:"date-range"`
	Contact      string    `json:"contact-info"`
	ID           string    `json:"report-id"`
	Policies     []Result  `json:"policies"`
}

// DateRange is the time of a report.
type DateRange struct {
	Start time.Time `json:"start-datetime"`
	End   time.Time `json:"end-datetime"`
}

// Result is what came of one policy.
type Result struct {
	Policy   Policy    `json:"policy"`
	Summary  Summary   `json:"summary"`
	Failures []Failure `json:"failure-details,omitempty"`
}

// Policy is a policy as the sender found it.
type Policy struct {
	Type   string  `json:"policy-type"` // tlsa, sts, no-policy-found
	String Strings `json:"policy-string,omitempty"`
	Domain string  `json:"policy-domain"`
	MX     Strings `json:"mx-host,omitempty"`
}

// Summary counts sessions.
type Summary struct {
	Successful int64 `json:"total-successful-session-count"`
	Failed     int64 `json:"total-failure-session-count"`
}

// Failure is a kind of failure.
type Failure struct {
	Type        string `json:"result-type"` // starttls-not-supported, certificate-expired, …
	SendingIP   string `json:"sending-mta-ip,omitempty"`
	ReceivingMX string `json:"receiving-mx-hostname,omitempty"`
	HELO        string `json:"receiving-mx-helo,omitempty"`
	ReceivingIP string `json:"receiving-ip,omitempty"`
	Sessions    int64  `json:"failed-session-count"`
	Information string `json:"additional-information,omitempty"`
	Reason      string `json:"failure-reason-code,omitempty"`
}

// Strings is a list, which some write as a single string.
type Strings []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *Strings) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*s = Strings{one}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*s = list
	return nil
}

// Bounds on what is kept of a report.
const (
	maxJSON     = 4 << 20
	maxObjects  = 20_000 // of a few bytes each, which are much more in memory
	maxPolicies = 100
	maxFailures = 1000 // of a policy
	maxStrings  = 100
	maxValue    = 500
	maxCount    = 1 << 40
)

// Unmarshal reads a report.
func Unmarshal(r io.Reader) (*Report, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("read a TLS report: %w", err)
	}
	if len(b) > maxJSON {
		return nil, fmt.Errorf("the TLS report is larger than %d bytes", maxJSON)
	}
	if n := bytes.Count(b, []byte("{")); n > maxObjects {
		return nil, fmt.Errorf("the TLS report has more than %d policies and failures", maxObjects)
	}
	out := &Report{}
	if err := json.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("read a TLS report: %w", err)
	}
	out.bound()
	if out.ID == "" || len(out.Policies) == 0 {
		return nil, errors.New("the TLS report has no id or names no policy")
	}
	return out, nil
}

// bound cuts what is beyond the bounds.
func (r *Report) bound() {
	r.Policies = r.Policies[:min(len(r.Policies), maxPolicies)]
	values := []*string{&r.Organization, &r.Contact, &r.ID}
	for i := range r.Policies {
		p := &r.Policies[i]
		p.Failures = p.Failures[:min(len(p.Failures), maxFailures)]
		p.Policy.String = p.Policy.String[:min(len(p.Policy.String), maxStrings)]
		p.Policy.MX = p.Policy.MX[:min(len(p.Policy.MX), maxStrings)]
		p.Policy.Domain = strings.ToLower(strings.TrimSuffix(p.Policy.Domain, "."))
		values = append(values, &p.Policy.Type, &p.Policy.Domain)
		p.Summary.Successful, p.Summary.Failed = count(p.Summary.Successful), count(p.Summary.Failed)
		for j := range p.Policy.String {
			values = append(values, &p.Policy.String[j])
		}
		for j := range p.Policy.MX {
			values = append(values, &p.Policy.MX[j])
		}
		for j := range p.Failures {
			f := &p.Failures[j]
			f.Sessions = count(f.Sessions)
			values = append(values, &f.Type, &f.SendingIP, &f.ReceivingMX, &f.HELO, &f.ReceivingIP, &f.Information, &f.Reason)
		}
	}
	for _, v := range values {
		*v = clean(*v)
	}
}

func count(n int64) int64 { return max(0, min(n, maxCount)) }

// clean bounds a value, and makes one line of it.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "")
	}
	return s
}

// Marshal writes a report.
func Marshal(r *Report) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write a TLS report: %w", err)
	}
	return b, nil
}
