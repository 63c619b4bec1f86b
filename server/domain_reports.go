package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/mail/tlsrpt"
	"podmail/storage"
)

// Every registered domain has two addresses without an inbox, dmarc-reports@ and tls-reports@, which its records name:
// what other hosts report there is read as it arrives, and kept with the domain. An inbox of such a name gets the mail
// itself.

const (
	maxReports   = 400                  // of a kind that are kept of a domain
	reportLife   = 400 * 24 * time.Hour // for which they are kept
	maxSources   = 200                  // rows that are kept of a report, those with the most messages
	maxTLSReport = 64 << 10             // bytes that are kept of a TLS report
	maxReading   = 2                    // that are read at a time
	readingTime  = 20 * time.Second     // for waiting until there is room, and reading one
)

// DMARCReport is an aggregate report on a domain. Of its records the largest are kept; Passed and Failed count the others too.
type DMARCReport struct {
	mail.DomainReport
	Report dmarc.Report
}

// TLSReport is a report of connections to a domain's hosts.
type TLSReport struct {
	mail.DomainReport
	Report tlsrpt.Report
}

// reportsAddress is what stands for an inbox where reports on a registered domain are sent: it has an address, and the pod
// in which their bytes are held while they are read, but no key.
func reportsAddress(tx storage.SystemTx, address string) (inbox mail.Inbox, ok bool, err error) {
	_, name, ok := mail.ReportAddress(address)
	if !ok {
		return inbox, false, nil
	}
	d, ok, err := servingDomain(tx.Tx, name)
	if err != nil || !ok || d.Builtin || d.Name != name {
		return inbox, false, err
	}
	if inbox = (mail.Inbox{Pod: d.Pod, Address: address}); d.Pod == 0 {
		pod, err := tx.FindDefaultPod()
		inbox.Pod = pod.ID
		return inbox, err == nil, err
	}
	return inbox, true, nil
}

// takeReports parts recipients that are inboxes from those that take reports, and reads the reports. A message that holds
// none is invalid: who sent it is told so, since nobody would read it.
func (s *Server) takeReports(ctx context.Context, to []addressee, p *mail.Parsed, c *content, r received) (inboxes []addressee, reports []domainReport, err error) {
	for _, inbox := range to {
		if inbox.ID != 0 {
			inboxes = append(inboxes, inbox)
			continue
		}
		report, err := s.readDomainReport(ctx, inbox.Address, p, c, r)
		if err != nil {
			return nil, nil, err
		}
		reports = append(reports, report)
	}
	return inboxes, reports, nil
}

// domainReport is a report and the scope of the domain that it is kept with.
type domainReport struct {
	mail.DomainReport
	scope mail.Scope
}

func (s *Server) readDomainReport(ctx context.Context, address string, p *mail.Parsed, c *content, r received) (out domainReport, err error) {
	kind, name, _ := mail.ReportAddress(address)
	var d mail.Domain
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		d, err = tx.FindDomain(name)
		return err
	})
	if err != nil {
		return out, coded(err, "Mailbox")
	}
	if err := s.mayReport(ctx, d.Scope(), p, r); err != nil {
		return out, err
	}
	ctx, done, err := s.turnToRead(ctx)
	if err != nil {
		return out, err
	}
	defer done()
	out = domainReport{mail.DomainReport{Domain: d.ID, Kind: kind, CreatedAt: r.at}, d.Scope()}
	var about string
	if kind == mail.ReportDMARC {
		about, err = out.readDMARC(p, s.whole(ctx, c, r.trace))
	} else {
		about, err = out.readTLS(p, s.whole(ctx, c, r.trace), name)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return out, mail.Errorf(mail.CodeUnavailable, "The report could not be read in time.")
	case errors.Is(err, errNoReport):
		return out, mail.Errorf(mail.CodeInvalid, "%s takes reports only, and the message holds none.", address)
	case err != nil:
		s.log.Warn("a report on a domain cannot be read", "domain", name, "kind", kind, "error", err)
		return out, mail.Errorf(mail.CodeInvalid, "The report cannot be read: %v.", err)
	case about != name && !strings.HasSuffix(about, "."+name):
		return out, mail.Errorf(mail.CodeInvalid, "The report is about %s, not about %s.", about, name)
	}
	return out, nil
}

// mayReport refuses a report whose sender would not get into an inbox, or is not known to be whom it names: who reports
// must pass (RFC 7489 7.2.1.1), and there is no folder in which what is doubtful could lie. Allow lists of the pod and the
// organization make up for it.
func (s *Server) mayReport(ctx context.Context, owner mail.Scope, p *mail.Parsed, r received) error {
	v, err := s.judgeSender(ctx, owner, &p.Envelope, r.reversePath)
	a := r.authentication
	switch {
	case err != nil:
		return coded(err, "Mailbox")
	case v.Blocked:
		return s.counters.turnedAway(mail.ByLists, mail.Errorf(mail.CodeForbidden, "The domain takes no reports from this sender."))
	case v.Entry != nil || a == nil:
		return nil
	}
	if err := listedAt(a); err != nil {
		return s.counters.turnedAway(mail.ByDNSLists, err)
	}
	why := s.disbelieved(a)
	switch {
	case why != "":
	case a.DMARC.Result == mail.AuthTempError:
		return s.counters.turnedAway(mail.ByDMARC, s.doubt(a).refusal)
	case a.DMARC.Result == mail.AuthPass || s.vouches(a) != "" || proven(a, a.DMARC.From):
		return nil
	case a.SPF.Result == mail.AuthTempError:
		return s.counters.turnedAway(mail.BySPF, mail.Errorf(mail.CodeUnavailable, "SPF of %s could not be looked up.", a.SPF.Domain).WithReason(mail.ReasonAuthenticationFailed))
	default:
		why = "neither SPF nor a signature passes for " + authorOf(a)
	}
	return s.counters.turnedAway(mail.ByDMARC, mail.Errorf(mail.CodeForbidden, "A report must come from whom it names (RFC 7489 7.2.1.1), but %s.", why).
		WithReason(mail.ReasonUnauthenticatedMessage))
}

// proven tells whether SPF or a signature passes for a domain, or for one above or below it.
func proven(a *mail.Authentication, domain string) bool {
	return a.Signed(domain) || a.SPF.Result == mail.AuthPass && (mail.IsWithin(a.SPF.Domain, domain) || mail.IsWithin(domain, a.SPF.Domain))
}

// turnToRead waits until there is room for one more report: they unpack to much more than was sent. Whoever comes when
// too many wait, or whose report takes too long, is to come again. The turn ends with done.
func (s *Server) turnToRead(ctx context.Context) (_ context.Context, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, readingTime)
	select {
	case s.reading <- struct{}{}:
		return ctx, func() { <-s.reading; cancel() }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, mail.Errorf(mail.CodeRateLimited, "Too many reports are being read: try again later.")
	}
}

// errNoReport says that a message holds no report.
var errNoReport = errors.New("no report")

// readDMARC reads an aggregate report and returns the domain that it is about.
func (r *domainReport) readDMARC(p *mail.Parsed, bytes io.ReaderAt) (domain string, err error) {
	report, err := dmarc.Read(p, bytes)
	if err != nil {
		return "", err
	} else if report == nil {
		return "", errNoReport
	}
	r.Passed, r.Failed = report.Passed, report.Failed
	slices.SortStableFunc(report.Records, func(a, b dmarc.Record) int { return cmp.Compare(b.Count, a.Count) })
	report.Records = report.Records[:min(len(report.Records), maxSources)]
	r.ReportID, r.Organization, r.Begin, r.End = report.ID, report.Organization, report.Begin, report.End
	r.Details, err = json.Marshal(report)
	return report.Policy.Domain, err
}

// readTLS reads a TLS report and returns the domain that it is about.
func (r *domainReport) readTLS(p *mail.Parsed, bytes io.ReaderAt, wanted string) (domain string, err error) {
	report, err := tlsrpt.Read(p, bytes)
	if err != nil {
		return "", err
	} else if report == nil {
		return "", errNoReport
	}
	domain = wanted
	for i := range report.Policies {
		result := &report.Policies[i]
		if d := result.Policy.Domain; d != wanted && !strings.HasSuffix(d, "."+wanted) {
			domain = d
		}
		r.Passed += result.Summary.Successful
		r.Failed += result.Summary.Failed
		result.Failures = result.Failures[:min(len(result.Failures), maxSources)]
	}
	r.ReportID, r.Organization, r.Begin, r.End = report.ID, report.Organization, report.Range.Start, report.Range.End
	if r.Details, err = json.Marshal(report); err == nil && len(r.Details) > maxTLSReport {
		return "", fmt.Errorf("it is larger than %d bytes", maxTLSReport)
	}
	return domain, err
}

// keepReports stores reports, in the transaction of the message that they came in.
func keepReports(sys storage.SystemTx, reports []domainReport) error {
	for _, r := range reports {
		if err := sys.For(r.scope).InsertDomainReport(r.DomainReport, maxReports); err != nil {
			return err
		}
	}
	return nil
}

// ListDMARCReports lists the aggregate reports on a domain by arrival.
func (s *Server) ListDMARCReports(ctx context.Context, g mail.Grant, domain string, p mail.Page) ([]DMARCReport, string, error) {
	rows, next, err := s.listReports(ctx, g, domain, mail.ReportDMARC, p)
	out := make([]DMARCReport, len(rows))
	for i, r := range rows {
		out[i].DomainReport = r
		if err := json.Unmarshal(r.Details, &out[i].Report); err != nil {
			return nil, "", fmt.Errorf("report %d: %w", r.ID, err)
		}
	}
	return out, next, err
}

// ListTLSReports lists the TLS reports on a domain by arrival.
func (s *Server) ListTLSReports(ctx context.Context, g mail.Grant, domain string, p mail.Page) ([]TLSReport, string, error) {
	rows, next, err := s.listReports(ctx, g, domain, mail.ReportTLS, p)
	out := make([]TLSReport, len(rows))
	for i, r := range rows {
		out[i].DomainReport = r
		if err := json.Unmarshal(r.Details, &out[i].Report); err != nil {
			return nil, "", fmt.Errorf("report %d: %w", r.ID, err)
		}
	}
	return out, next, err
}

func (s *Server) listReports(ctx context.Context, g mail.Grant, domain string, kind mail.ReportKind, p mail.Page) (reports []mail.DomainReport, next string, err error) {
	d, err := s.GetDomain(ctx, g, domain)
	if err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		reports, next, err = tx.ListDomainReports(d.ID, kind, p)
		return err
	})
	return reports, next, coded(err, "Reports")
}

// forgetReports removes reports whose time is over.
func (s *Server) forgetReports(ctx context.Context, reports []storage.Job) error {
	for _, job := range reports {
		if err := s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) error { return tx.DeleteDomainReport(job.ID) }); err != nil {
			return err
		}
	}
	return nil
}
