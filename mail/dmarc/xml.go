package dmarc

import (
	"encoding/xml"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// What stands in a report (RFC 7489 appendix C). Numbers are texts here: some write them with spaces, or leave them out.
type (
	xmlFeedback struct {
		XMLName  xml.Name    `xml:"feedback"`
		Version  string      `xml:"version"`
		Metadata xmlMetadata `xml:"report_metadata"`
		Policy   xmlPolicy   `xml:"policy_published"`
		Records  []xmlRecord `xml:"record"`
	}
	xmlMetadata struct {
		Organization string   `xml:"org_name"`
		Email        string   `xml:"email"`
		Contact      string   `xml:"extra_contact_info,omitempty"`
		ID           string   `xml:"report_id"`
		Begin        string   `xml:"date_range>begin"`
		End          string   `xml:"date_range>end"`
		Errors       []string `xml:"error,omitempty"`
	}
	xmlPolicy struct {
		Domain         string `xml:"domain"`
		ADKIM          string `xml:"adkim,omitempty"`
		ASPF           string `xml:"aspf,omitempty"`
		Policy         string `xml:"p"`
		Subdomain      string `xml:"sp,omitempty"`
		Percent        string `xml:"pct"`
		FailureOptions string `xml:"fo,omitempty"`
	}
	xmlReason struct {
		Type    string `xml:"type"`
		Comment string `xml:"comment,omitempty"`
	}
	xmlRecord struct {
		Source       string      `xml:"row>source_ip"`
		Count        string      `xml:"row>count"`
		Disposition  string      `xml:"row>policy_evaluated>disposition"`
		DKIM         string      `xml:"row>policy_evaluated>dkim"`
		SPF          string      `xml:"row>policy_evaluated>spf"`
		Reasons      []xmlReason `xml:"row>policy_evaluated>reason"`
		EnvelopeTo   string      `xml:"identifiers>envelope_to,omitempty"`
		EnvelopeFrom string      `xml:"identifiers>envelope_from,omitempty"`
		HeaderFrom   string      `xml:"identifiers>header_from"`
		DKIMResults  []xmlDKIM   `xml:"auth_results>dkim"`
		SPFResults   []xmlSPF    `xml:"auth_results>spf"`
	}
	xmlDKIM struct {
		Domain   string `xml:"domain"`
		Selector string `xml:"selector,omitempty"`
		Result   string `xml:"result"`
	}
	xmlSPF struct {
		Domain string `xml:"domain"`
		Scope  string `xml:"scope,omitempty"`
		Result string `xml:"result"`
	}
)

func (r *Report) metadata(m *xmlMetadata) {
	r.Organization, r.Email, r.Contact, r.ID = clean(m.Organization), clean(m.Email), clean(m.Contact), clean(m.ID)
	r.Begin, r.End = seconds(m.Begin), seconds(m.End)
	for _, e := range m.Errors[:min(len(m.Errors), maxResults)] {
		r.Errors = append(r.Errors, clean(e))
	}
}

// seconds is a moment in seconds since 1970; the zero time if there is none.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n <= 0 || n > 1<<36 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func (p *xmlPolicy) policy() Policy {
	out := Policy{Domain: strings.ToLower(strings.TrimSuffix(clean(p.Domain), ".")), ADKIM: word(p.ADKIM), ASPF: word(p.ASPF), Policy: word(p.Policy), Subdomain: word(p.Subdomain),
		Percent: 100, FailureOptions: word(p.FailureOptions)}
	if n, err := strconv.Atoi(strings.TrimSpace(p.Percent)); err == nil && n >= 0 && n <= 100 {
		out.Percent = n
	}
	return out
}

func word(s string) string { return strings.ToLower(clean(s)) }

// record is not ok without a source and a count.
func (x *xmlRecord) record() (r Record, ok bool) {
	source, err := netip.ParseAddr(strings.TrimSpace(x.Source))
	if err != nil {
		return r, false
	}
	count, err := strconv.ParseInt(strings.TrimSpace(x.Count), 10, 64)
	if err != nil || count < 1 || count > maxCount {
		return r, false
	}
	r = Record{Source: source.Unmap().WithZone(""), Count: count, Disposition: word(x.Disposition), DKIM: word(x.DKIM), SPF: word(x.SPF),
		EnvelopeTo: word(x.EnvelopeTo), EnvelopeFrom: word(x.EnvelopeFrom), HeaderFrom: word(x.HeaderFrom)}
	for _, reason := range x.Reasons[:min(len(x.Reasons), maxResults)] {
		r.Reasons = append(r.Reasons, Reason{word(reason.Type), clean(reason.Comment)})
	}
	for _, d := range x.DKIMResults[:min(len(x.DKIMResults), maxResults)] {
		r.DKIMResults = append(r.DKIMResults, DKIMResult{word(d.Domain), clean(d.Selector), word(d.Result)})
	}
	for _, s := range x.SPFResults[:min(len(x.SPFResults), maxResults)] {
		r.SPFResults = append(r.SPFResults, SPFResult{word(s.Domain), word(s.Scope), word(s.Result)})
	}
	return r, true
}

func (r *Report) xml() *xmlFeedback {
	unix := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	p := r.Policy
	out := &xmlFeedback{Version: "1.0",
		Metadata: xmlMetadata{r.Organization, r.Email, r.Contact, r.ID, unix(r.Begin), unix(r.End), r.Errors},
		Policy:   xmlPolicy{p.Domain, p.ADKIM, p.ASPF, p.Policy, p.Subdomain, strconv.Itoa(p.Percent), p.FailureOptions}}
	for _, rec := range r.Records {
		x := xmlRecord{Source: rec.Source.String(), Count: strconv.FormatInt(rec.Count, 10), Disposition: rec.Disposition, DKIM: rec.DKIM, SPF: rec.SPF,
			EnvelopeTo: rec.EnvelopeTo, EnvelopeFrom: rec.EnvelopeFrom, HeaderFrom: rec.HeaderFrom}
		for _, reason := range rec.Reasons {
			x.Reasons = append(x.Reasons, xmlReason(reason))
		}
		for _, d := range rec.DKIMResults {
			x.DKIMResults = append(x.DKIMResults, xmlDKIM(d))
		}
		for _, s := range rec.SPFResults {
			x.SPFResults = append(x.SPFResults, xmlSPF(s))
		}
		out.Records = append(out.Records, x)
	}
	return out
}
