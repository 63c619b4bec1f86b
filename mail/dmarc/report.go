// Package dmarc reads and writes aggregate reports (RFC 7489 7.2 and appendix C): what receivers saw of mail that claims
// to be of a domain, by source address, and what became of it.
package dmarc

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Report is an aggregate report.
type Report struct {
	Organization string // who reports
	Email        string
	Contact      string
	ID           string
	Begin, End   time.Time
	Errors       []string
	Policy       Policy
	Records      []Record // as they come; of a report that was read with more than a thousand, the largest of these
	// Messages that passed and that failed, in all records of a report that was read.
	Passed, Failed int64
}

// Policy is what the domain had published, as the receiver understood it.
type Policy struct {
	Domain            string
	ADKIM, ASPF       string // r, s
	Policy, Subdomain string // none, quarantine, reject
	Percent           int    // 100 if not told
	FailureOptions    string
}

// Record is what became of messages that are alike.
type Record struct {
	Source       netip.Addr
	Count        int64
	Disposition  string // none, quarantine, reject
	DKIM, SPF    string // whether an aligned identifier passed: pass, fail
	Reasons      []Reason
	EnvelopeTo   string
	EnvelopeFrom string
	HeaderFrom   string
	DKIMResults  []DKIMResult
	SPFResults   []SPFResult
}

// Reason says why a receiver did other than the policy asks for.
type Reason struct{ Type, Comment string }

// DKIMResult is what a signature came to.
type DKIMResult struct{ Domain, Selector, Result string }

// SPFResult is what the check of an envelope's domain came to.
type SPFResult struct{ Domain, Scope, Result string }

// Aligned tells whether the messages passed DMARC.
func (r *Record) Aligned() bool { return r.DKIM == "pass" || r.SPF == "pass" }

// Bounds on what is kept of a report.
const (
	maxRecords = 1000
	maxResults = 20 // of a record
	maxValue   = 255
	maxCount   = 1 << 40
)

// Unmarshal reads a report. One that is made to fill a memory is an error.
func Unmarshal(r io.Reader) (*Report, error) {
	in := newTokens(r)
	d := xml.NewTokenDecoder(in)
	d.Strict = false
	out := &Report{}
	seen := false
	for {
		t, err := d.Token()
		if err == io.EOF && seen {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read an aggregate report: %w", err)
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		if !seen {
			if start.Name.Local != "feedback" {
				return nil, fmt.Errorf("this is no aggregate report, it begins with <%s>", clean(start.Name.Local))
			}
			seen = true
			continue
		}
		in.part = 0
		if err := out.element(d, &start); err != nil {
			return nil, fmt.Errorf("read an aggregate report: %w", err)
		}
	}
	if out.Policy.Domain == "" || out.ID == "" {
		return nil, fmt.Errorf("the aggregate report names no domain or has no id")
	}
	out.Records = largest(out.Records)
	return out, nil
}

// element takes one of the report's parts. Records are read one by one, so that many take little memory.
func (r *Report) element(d *xml.Decoder, start *xml.StartElement) error {
	switch start.Name.Local {
	case "report_metadata":
		var m xmlMetadata
		if err := d.DecodeElement(&m, start); err != nil {
			return err
		}
		r.metadata(&m)
	case "policy_published":
		var p xmlPolicy
		if err := d.DecodeElement(&p, start); err != nil {
			return err
		}
		r.Policy = p.policy()
	case "record":
		var rec xmlRecord
		if err := d.DecodeElement(&rec, start); err != nil {
			return err
		}
		if record, ok := rec.record(); ok {
			r.take(record)
		}
	default:
		return d.Skip()
	}
	return nil
}

// take counts a record, and keeps it unless there are many larger ones.
func (r *Report) take(record Record) {
	if record.Aligned() {
		r.Passed += record.Count
	} else {
		r.Failed += record.Count
	}
	if r.Records = append(r.Records, record); len(r.Records) == 2*maxRecords {
		r.Records = largest(r.Records)
	}
}

// largest is as many records as are kept: all, in their order, or those of the most messages.
func largest(records []Record) []Record {
	if len(records) <= maxRecords {
		return records
	}
	slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(b.Count, a.Count) })
	clear(records[maxRecords:])
	return records[:maxRecords]
}

// Marshal writes a report.
func Marshal(r *Report) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(r.xml()); err != nil {
		return nil, fmt.Errorf("write an aggregate report: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// clean bounds a value, and makes one line of it.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "")
	}
	return s
}
