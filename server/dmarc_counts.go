package server

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/storage"
)

// What comes in of domains that want DMARC reports is counted in memory, written down every minute, and told once the day
// is over (work_dmarc_reports.go). Nothing is noted of who got the mail.

const (
	maxTallied    = 10_000  // different messages between two writes
	maxOfDomain   = 2_000   // different messages of a domain in a day
	maxDMARCCount = 200_000 // rows of all domains
)

// dmarcTally is what was counted since it was last written down.
type dmarcTally struct {
	mu     sync.Mutex
	counts map[mail.DMARCCount]int64 // whose Messages are 0
}

// countDMARC counts a message that was taken, or refused for the sake of its domain's policy.
func (s *Server) countDMARC(r *received, to []mail.Inbox, failure error) {
	a := r.authentication
	if !s.rules.DMARCReports || a == nil || a.DMARC.Record == "" || a.DMARC.Result != mail.AuthPass && a.DMARC.Result != mail.AuthFail {
		return
	}
	if refused, ok := errors.AsType[*mail.Error](failure); failure != nil && !(ok && refused.Reason == mail.ReasonUnauthenticatedMessage) {
		return // it comes again, or had nothing to do with DMARC
	}
	reports := func(i mail.Inbox) bool { _, _, ok := mail.ReportAddress(i.Address); return ok }
	if !slices.ContainsFunc(to, func(i mail.Inbox) bool { return !reports(i) }) {
		return // reports on reports would never end
	}
	if _, wanted := dmarc.ReadPolicy(a.DMARC.Domain, a.DMARC.Record); len(wanted) == 0 {
		return
	}
	alike, err := json.Marshal(s.dmarcRecord(a))
	if err != nil {
		s.log.Error("a message cannot be counted for reports", "error", err)
		return
	}
	key := mail.DMARCCount{Day: r.at.UTC().Truncate(24 * time.Hour), Domain: a.DMARC.Domain, Published: a.DMARC.Record, Alike: string(alike)}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if s.tally.counts == nil {
		s.tally.counts = map[mail.DMARCCount]int64{}
	}
	if _, there := s.tally.counts[key]; there || len(s.tally.counts) < maxTallied {
		s.tally.counts[key]++
	}
}

// dmarcRecord is what a report tells of a message, and of all that are like it.
func (s *Server) dmarcRecord(a *mail.Authentication) *dmarc.Record {
	result := func(ok bool) string {
		if ok {
			return "pass"
		}
		return "fail"
	}
	r := &dmarc.Record{Source: a.Remote.Unmap(), DKIM: result(a.DMARC.DKIM), SPF: result(a.DMARC.SPF), HeaderFrom: a.DMARC.From}
	r.Disposition, r.Reasons = s.disposition(a)
	scope := "helo"
	if _, domain, ok := mail.SplitAddress(a.ReversePath); ok {
		r.EnvelopeFrom, scope = reportable(domain), "mfrom"
	}
	r.SPFResults = []dmarc.SPFResult{{Domain: reportable(a.SPF.Domain), Scope: scope, Result: string(a.SPF.Result)}}
	for _, d := range a.DKIM {
		if domain := reportable(d.Domain); domain != "" && len(d.Selector) < 64 {
			r.DKIMResults = append(r.DKIMResults, dmarc.DKIMResult{Domain: domain, Selector: d.Selector, Result: string(d.Result)})
		}
	}
	return r
}

// reportable is a domain that a report may name; empty for what is none.
func reportable(domain string) string {
	if domain = domainName(domain); mail.ValidDomain(domain) {
		return domain
	}
	return ""
}

// disposition is what became of a message for the sake of its domain's policy, and why that is not what it asks for (RFC
// 7489 appendix C).
func (s *Server) disposition(a *mail.Authentication) (done string, reasons []dmarc.Reason) {
	d := &a.DMARC
	if d.Result == mail.AuthFail && d.Sampled {
		reasons = append(reasons, dmarc.Reason{Type: "sampled_out"})
	}
	switch asks := d.Asks(); {
	case asks == mail.PolicyNone:
		return string(mail.PolicyNone), reasons
	case s.vouches(a) != "":
		return string(mail.PolicyNone), append(reasons, dmarc.Reason{Type: "trusted_forwarder", Comment: "arc=pass"})
	case asks == mail.PolicyReject && s.rules.RefuseUnauthenticated:
		return string(mail.PolicyReject), reasons
	case asks == mail.PolicyReject:
		reasons = append(reasons, dmarc.Reason{Type: "local_policy", Comment: "kept out of the inbox"})
	}
	return string(mail.PolicyQuarantine), reasons
}

// keepDMARCCounts writes down what was counted. What cannot be written is counted on.
func (s *Server) keepDMARCCounts(ctx context.Context) error {
	s.tally.mu.Lock()
	counts := s.tally.counts
	s.tally.counts = nil
	s.tally.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	full := false
	err := s.store.System().Unhurried().Write(ctx, func(tx storage.SystemTx) error {
		n, err := tx.CountDMARCCounts(maxDMARCCount)
		if full = n >= maxDMARCCount; err != nil || full {
			return err
		}
		for c, n := range counts {
			c.Messages = n
			if err := tx.AddDMARCCount(c, maxOfDomain); err != nil {
				return err
			}
		}
		return nil
	})
	if full {
		s.log.Warn("too much waits for DMARC reports; what came in the last minute is in none", "rows", maxDMARCCount)
	}
	if err != nil {
		s.tally.mu.Lock()
		defer s.tally.mu.Unlock()
		for c, n := range s.tally.counts {
			counts[c] += n
		}
		s.tally.counts = counts
	}
	return err
}
