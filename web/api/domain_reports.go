package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/tlsrpt"
	"podmail/server"
)

// domainReport is what reports of either kind tell.
type domainReport struct {
	ReportID     string     `json:"report_id"`
	Organization string     `json:"organization"`
	Contact      string     `json:"contact,omitempty"`
	Begin        *timestamp `json:"begin,omitempty"`
	End          *timestamp `json:"end,omitempty"`
	Passed       int64      `json:"passed"`
	Failed       int64      `json:"failed"`
	CreatedAt    timestamp  `json:"created_at"`
}

type dmarcReport struct {
	domainReport
	Policy  dmarcPolicy   `json:"policy"`
	Sources []dmarcSource `json:"sources"`
}

type dmarcPolicy struct {
	Domain          string `json:"domain"`
	Policy          string `json:"policy"`
	SubdomainPolicy string `json:"subdomain_policy,omitempty"`
	DKIMAlignment   string `json:"dkim_alignment,omitempty"`
	SPFAlignment    string `json:"spf_alignment,omitempty"`
	Percent         int    `json:"percent"`
}

// dmarcSource is messages from one address that are alike.
type dmarcSource struct {
	SourceIP     string       `json:"source_ip"`
	Count        int64        `json:"count"`
	Disposition  string       `json:"disposition"`
	DKIM         string       `json:"dkim"`
	SPF          string       `json:"spf"`
	HeaderFrom   string       `json:"header_from"`
	EnvelopeFrom string       `json:"envelope_from,omitempty"`
	DKIMResults  []authResult `json:"dkim_results"`
	SPFResults   []authResult `json:"spf_results"`
	Reasons      []string     `json:"reasons"`
}

type authResult struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector,omitempty"`
	Result   string `json:"result"`
}

type tlsReport struct {
	domainReport
	Policies []tlsPolicy `json:"policies"`
}

type tlsPolicy struct {
	Type     string       `json:"type"`
	Domain   string       `json:"domain"`
	Passed   int64        `json:"passed"`
	Failed   int64        `json:"failed"`
	Failures []tlsFailure `json:"failures"`
}

type tlsFailure struct {
	Type        string `json:"type"`
	Count       int64  `json:"count"`
	SendingIP   string `json:"sending_ip,omitempty"`
	ReceivingMX string `json:"receiving_mx,omitempty"`
	ReceivingIP string `json:"receiving_ip,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

func domainReportOf(r *mail.DomainReport, contact string) domainReport {
	out := domainReport{ReportID: r.ReportID, Organization: r.Organization, Contact: contact, Passed: r.Passed, Failed: r.Failed, CreatedAt: timestamp(r.CreatedAt)}
	if !r.Begin.IsZero() && !r.End.IsZero() {
		begin, end := timestamp(r.Begin), timestamp(r.End)
		out.Begin, out.End = &begin, &end
	}
	return out
}

func dmarcReportOf(r *server.DMARCReport) dmarcReport {
	p := r.Report.Policy
	return dmarcReport{domainReportOf(&r.DomainReport, r.Report.Email), dmarcPolicy{p.Domain, p.Policy, p.Subdomain, p.ADKIM, p.ASPF, p.Percent}, each(r.Report.Records, dmarcSourceOf)}
}

func dmarcSourceOf(r *dmarc.Record) dmarcSource {
	return dmarcSource{r.Source.String(), r.Count, r.Disposition, r.DKIM, r.SPF, r.HeaderFrom, r.EnvelopeFrom,
		each(r.DKIMResults, func(d *dmarc.DKIMResult) authResult { return authResult{d.Domain, d.Selector, d.Result} }),
		each(r.SPFResults, func(s *dmarc.SPFResult) authResult { return authResult{Domain: s.Domain, Result: s.Result} }),
		each(r.Reasons, func(why *dmarc.Reason) string {
			if why.Comment == "" {
				return why.Type
			}
			return why.Type + ": " + why.Comment
		})}
}

func tlsReportOf(r *server.TLSReport) tlsReport {
	return tlsReport{domainReportOf(&r.DomainReport, r.Report.Contact), each(r.Report.Policies, func(p *tlsrpt.Result) tlsPolicy {
		return tlsPolicy{p.Policy.Type, p.Policy.Domain, p.Summary.Successful, p.Summary.Failed, each(p.Failures, func(f *tlsrpt.Failure) tlsFailure {
			return tlsFailure{f.Type, f.Sessions, f.SendingIP, f.ReceivingMX, f.ReceivingIP, f.Reason}
		})}
	})}
}

func (a *API) listDMARCReports(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	q := readQuery(c)
	p := q.page(maxSearchLimit)
	if err := q.err(); err != nil {
		return err
	}
	reports, next, err := a.server.ListDMARCReports(c.Request().Context(), g, id, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Reports []dmarcReport `json:"reports"`
	}{page{len(reports), p.Limit, next}, each(reports, dmarcReportOf)})
}

func (a *API) listTLSReports(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	q := readQuery(c)
	p := q.page(maxSearchLimit)
	if err := q.err(); err != nil {
		return err
	}
	reports, next, err := a.server.ListTLSReports(c.Request().Context(), g, id, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Reports []tlsReport `json:"reports"`
	}{page{len(reports), p.Limit, next}, each(reports, tlsReportOf)})
}
