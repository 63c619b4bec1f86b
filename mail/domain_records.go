package mail

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// RecordType is a kind of DNS record that a domain publishes.
type RecordType string

// The kinds.
const (
	RecordMX    RecordType = "MX"
	RecordTXT   RecordType = "TXT"
	RecordCNAME RecordType = "CNAME"
)

// RecordStatus is what the last check found of a record (contract: types.md, RecordStatus).
type RecordStatus string

// The statuses.
const (
	RecordMissing RecordStatus = "MISSING"
	RecordInvalid RecordStatus = "INVALID"
	RecordValid   RecordStatus = "VALID"
)

// Why a record is INVALID.
const (
	ReasonDuplicateRecords = "duplicate_records" // ours is there, and others with it
	ReasonValueMismatch    = "value_mismatch"    // there is another one
)

// DomainRecord is a record to publish, and what the last check found.
type DomainRecord struct {
	Type     RecordType   `json:"type"`
	Name     string       `json:"name"` // without a final dot
	Value    string       `json:"value"`
	Priority int          `json:"priority,omitempty"` // of an MX
	Status   RecordStatus `json:"status"`
	Reason   string       `json:"reason,omitempty"`
	Use      RecordUse    `json:"use,omitempty"`
	Until    time.Time    `json:"until,omitzero"` // of a replaced key: how long it is to stay
}

// RecordUse says what a record is for that mail goes on without: one of keys that are changed.
type RecordUse string

// The uses.
const (
	RecordNext     RecordUse = "next_key"     // to be published, so that the key can take over
	RecordReplaced RecordUse = "replaced_key" // to be kept for a while
)

// Essential tells whether there is no mail to and from the domain itself without the record.
func (r DomainRecord) Essential() bool {
	return !strings.HasPrefix(r.Name, "*.") && r.Type != RecordCNAME && r.Use == ""
}

// Why says why a record has its status, or what it is for if it is not needed to verify the domain.
func (r DomainRecord) Why() string {
	if r.Reason == "" {
		return string(r.Use)
	}
	return r.Reason
}

const mxPriority = 10

// RecordsOf are the records that d publishes to be served by the host of that name, all of them MISSING.
func RecordsOf(d *Domain, keys []DKIMKey, hostname string) []DomainRecord {
	dmarc := "v=DMARC1; p=none"
	if !d.Builtin { // which takes no reports
		dmarc += "; rua=mailto:" + ReportDMARC.AddressFor(d.Name)
	}
	records := []DomainRecord{
		{Type: RecordMX, Name: d.Name, Value: hostname, Priority: mxPriority},
		{Type: RecordTXT, Name: d.Name, Value: "v=spf1 a:" + hostname + " ~all"},
	}
	for _, k := range keys {
		records = append(records, DomainRecord{Type: RecordTXT, Name: k.Selector + "._domainkey." + d.Name, Value: "v=DKIM1; k=" + k.Algorithm + "; p=" + k.Public,
			Use: k.use(), Until: k.Until})
	}
	records = append(records, DomainRecord{Type: RecordTXT, Name: "_dmarc." + d.Name, Value: dmarc})
	if d.SubdomainsEnabled {
		records = append(records, DomainRecord{Type: RecordMX, Name: "*." + d.Name, Value: hostname, Priority: mxPriority})
	}
	if d.TrackingEnabled {
		records = append(records, DomainRecord{Type: RecordCNAME, Name: "link." + d.Name, Value: hostname})
	}
	for i := range records {
		records[i].Status = RecordMissing
	}
	return records
}

// Judge compares a record with the values that DNS has at its name: hosts of MX and CNAME, joined strings of TXT.
// sharesMX lets other hosts stand beside ours in an MX.
func (r *DomainRecord) Judge(found []string, sharesMX bool) {
	var rivals []string // of the same kind as ours
	matches := 0
	for _, value := range found {
		rival, match := r.compare(value)
		if rival {
			rivals = append(rivals, value)
		}
		if match {
			matches++
		}
	}
	r.Status, r.Reason = RecordInvalid, ReasonValueMismatch
	switch {
	case len(rivals) == 0:
		r.Status, r.Reason = RecordMissing, ""
	case matches == len(rivals) && (matches == 1 || r.Type == RecordMX), matches > 0 && r.Type == RecordMX && sharesMX:
		r.Status, r.Reason = RecordValid, ""
	case matches > 0:
		r.Reason = ReasonDuplicateRecords
	}
}

// compare tells whether a value is of the record's kind, which at a domain's own name is not true of every TXT, and
// whether it does what the record asks for.
func (r *DomainRecord) compare(value string) (rival, match bool) {
	if r.Type != RecordTXT {
		return true, strings.EqualFold(strings.TrimSuffix(value, "."), r.Value)
	}
	switch {
	case strings.HasPrefix(r.Value, "v=spf1 "):
		return isSPF(value), isSPF(value) && permits(value, r)
	case strings.HasPrefix(r.Value, "v=DMARC1"):
		tags, ok := tagList(value)
		if !ok || tags["v"] != "DMARC1" {
			return false, false
		}
		return true, slices.Contains([]string{"none", "quarantine", "reject"}, strings.ToLower(tags["p"]))
	default: // DKIM: all that is at its name is meant to be a key (RFC 6376 3.6.2.2)
		ours, _ := tagList(r.Value)
		tags, ok := tagList(value)
		kind := tags["k"]
		if kind == "" {
			kind = "rsa" // RFC 6376 3.6.1
		}
		version := tags["v"]
		return true, ok && (version == "" || version == "DKIM1") && kind == ours["k"] && tags["p"] == ours["p"]
	}
}

// isSPF tells an SPF record from other TXT records (RFC 7208 4.5).
func isSPF(value string) bool {
	version, _, _ := strings.Cut(value, " ")
	return strings.EqualFold(version, "v=spf1")
}

// permits tells whether an SPF record lets our host send in one of the ways that can be seen in the record itself: the
// mechanism that we ask for, or mx, since the MX is our host. It must stand before "all", which ends an evaluation
// (RFC 7208 5.1).
func permits(spf string, r *DomainRecord) bool {
	ours := strings.Fields(r.Value)[1]
	for _, term := range strings.Fields(strings.ToLower(spf))[1:] {
		switch strings.TrimPrefix(term, "+") {
		case ours, "mx", "mx:" + r.Name:
			return true
		case "all", "-all", "~all", "?all":
			return false
		}
	}
	return false
}

// tagList reads tag=value; … (RFC 6376 3.2). White space inside values is dropped: keys are often broken into lines.
func tagList(text string) (tags map[string]string, ok bool) {
	tags = map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, found := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if _, twice := tags[name]; !found || name == "" || twice {
			return nil, false
		}
		tags[name] = strings.Join(strings.Fields(value), "")
	}
	return tags, true
}

// DomainVerdict sums a domain's records up.
func DomainVerdict(records []DomainRecord) (status VerificationStatus, reason string) {
	status = DomainVerified
	for _, r := range records {
		switch {
		case r.Use != "": // the domain does without
		case r.Status == RecordInvalid:
			return DomainInvalid, ReasonRecordsInvalid
		case r.Status == RecordMissing:
			status, reason = DomainPending, ReasonRecordsMissing
		}
	}
	return status, reason
}

// ZoneFile writes records in the master file format (RFC 1035 5).
func ZoneFile(records []DomainRecord) string {
	var b strings.Builder
	for _, r := range records {
		switch r.Use {
		case RecordNext:
			b.WriteString("; of a new key, which signs once this is published:\n")
		case RecordReplaced:
			fmt.Fprintf(&b, "; of a key that was replaced; keep it until %s, then remove it:\n", r.Until.UTC().Format(time.DateOnly))
		}
		fmt.Fprintf(&b, "%s. 3600 IN %s ", r.Name, r.Type)
		switch r.Type {
		case RecordMX:
			fmt.Fprintf(&b, "%d %s.\n", r.Priority, r.Value)
		case RecordCNAME:
			fmt.Fprintf(&b, "%s.\n", r.Value)
		default:
			b.WriteString(strings.Join(characterStrings(r.Value), " ") + "\n")
		}
	}
	return b.String()
}

// characterStrings cuts a text into quoted strings of at most 255 bytes (RFC 1035 3.3).
func characterStrings(text string) (quoted []string) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for part := range slices.Chunk([]byte(text), 255) {
		quoted = append(quoted, `"`+escape.Replace(string(part))+`"`)
	}
	return quoted
}
