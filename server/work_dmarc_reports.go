package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"podmail/mail"
	"podmail/mail/dmarc"
	"podmail/storage"
)

const (
	dmarcBatch     = 20                  // reports made in one step
	dmarcRetry     = time.Hour           // after which reports are tried again that could not be made
	dmarcPatience  = 3 * 24 * time.Hour  // after which that ends
	keptReports    = 30 * 24 * time.Hour // how long reports that were sent are kept
	sentForgotten  = 1000                // of them that are removed in an hour
	dmarcReporters = "dmarc-reports"     // the inbox that sends reports
)

// dmarcReporting is where the making of reports stands.
type dmarcReporting struct {
	mu     sync.Mutex
	after  mail.DMARCCount // the last one tried
	next   time.Time       // when to begin anew
	sender mail.Grant      // of the inbox that sends reports; the zero Grant: none was sent since the start
}

// ReportDMARC tells domains that ask for it, once a day is over, what came in of them that day (RFC 7489 7.2). It is a step
// of Run.
func (s *Server) ReportDMARC(ctx context.Context) (more bool, err error) {
	if !s.rules.DMARCReports {
		return false, nil
	}
	if err := s.keepDMARCCounts(ctx); err != nil {
		return false, fmt.Errorf("count for DMARC reports: %w", err)
	}
	at := &s.dmarcReporting
	at.mu.Lock()
	defer at.mu.Unlock()
	now := s.clock.Now().UTC()
	if now.Before(at.next) {
		return false, nil
	}
	var due []mail.DMARCCount
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		due, err = tx.ListDMARCDays(now.Truncate(24*time.Hour), at.after, dmarcBatch)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, d := range due {
		if ctx.Err() != nil {
			return false, nil
		}
		at.after = d
		if err := s.reportDMARC(ctx, d.Day, d.Domain, now); err != nil {
			s.log.Warn("a DMARC report could not be made; it is tried again", "domain", d.Domain, "day", d.Day.Format(time.DateOnly), "error", err)
		}
	}
	if len(due) == dmarcBatch {
		return true, nil
	}
	at.after, at.next = mail.DMARCCount{}, nextReports(now, dmarcRetry)
	return false, s.forgetSentReports(ctx, now)
}

// nextReports is when to look again: in a while, but not after the day is over.
func nextReports(now time.Time, retry time.Duration) time.Time {
	next := now.Add(retry)
	if midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour); midnight.Before(next) {
		return midnight
	}
	return next
}

// lastDMARCCounts writes down what was counted when the server stops.
func (s *Server) lastDMARCCounts(ctx context.Context) {
	if err := s.keepDMARCCounts(context.WithoutCancel(ctx)); err != nil {
		s.log.Error("what was counted for DMARC reports is lost", "error", err)
	}
}

// reportDMARC queues the report on a domain and a day, and forgets what it tells. If the process ends in between, the
// report is sent again under the same id.
func (s *Server) reportDMARC(ctx context.Context, day time.Time, domain string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	var counts []mail.DMARCCount
	err := s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		counts, err = tx.ListDMARCCounts(day, domain)
		return err
	})
	if err != nil || len(counts) == 0 {
		return err
	}
	policy, wanted := dmarc.ReadPolicy(domain, counts[0].Published)
	if now.Sub(day) > dmarcPatience {
		s.log.Warn("a DMARC report is given up", "domain", domain, "day", day.Format(time.DateOnly))
	} else if to, err := s.consenting(ctx, domain, wanted); err != nil {
		return err
	} else if len(to) > 0 {
		if err := s.sendDMARCReport(ctx, policy, to, counts); err != nil {
			return err
		}
	}
	return s.store.System().Unhurried().Write(ctx, func(tx storage.SystemTx) error { return tx.DeleteDMARCCounts(day, domain) })
}

// consenting are those of a domain's recipients who agree to get reports on it: its own organization does, others say so in
// DNS (RFC 7489 7.1).
func (s *Server) consenting(ctx context.Context, domain string, wanted []dmarc.Recipient) (to []dmarc.Recipient, err error) {
	for _, r := range wanted {
		_, host, _ := mail.SplitAddress(r.Address)
		host = strings.ToLower(host)
		if dmarc.OrganizationalDomain(host) == dmarc.OrganizationalDomain(domain) {
			to = append(to, r)
			continue
		}
		texts, err := s.resolver.LookupTXT(ctx, domain+"._report._dmarc."+host)
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			instead, ok := dmarc.ReadConsent(text)
			if !ok {
				continue
			}
			for _, other := range instead {
				if _, at, _ := mail.SplitAddress(other.Address); strings.EqualFold(at, host) {
					r = other
					break
				}
			}
			to = append(to, r)
			break
		}
	}
	return to, nil
}

// sendDMARCReport queues a report to all who take one of its size.
func (s *Server) sendDMARCReport(ctx context.Context, policy dmarc.Policy, to []dmarc.Recipient, counts []mail.DMARCCount) error {
	g, err := s.ownInbox(ctx, dmarcReporters, "DMARC reports")
	if err != nil {
		return err
	}
	s.dmarcReporting.sender = g
	begin := counts[0].Day
	_, submitter, _ := mail.SplitAddress(g.InboxID)
	id := fmt.Sprintf("%s.%s@%s", begin.Format("20060102"), policy.Domain, s.hostname)
	report := &dmarc.Report{Organization: submitter, Email: g.InboxID, ID: id, Begin: begin, End: begin.Add(24*time.Hour - time.Second), Policy: policy}
	for _, c := range counts {
		var r dmarc.Record
		if err := json.Unmarshal([]byte(c.Alike), &r); err != nil {
			return fmt.Errorf("what was counted of %s: %w", policy.Domain, err)
		}
		r.Count = c.Messages
		report.Records = append(report.Records, r)
	}
	if len(counts) == maxOfDomain {
		report.Errors = []string{"There was more than one report tells."}
	}
	m := &dmarc.Message{Report: report, Submitter: submitter, From: g.InboxID, To: addresses(to), MessageID: "<dmarc." + id + ">", Date: s.clock.Now()}
	var text bytes.Buffer
	if err := dmarc.Write(&text, m); err != nil {
		return err
	}
	size := int64(text.Len())
	to = slices.DeleteFunc(to, func(r dmarc.Recipient) bool { return r.MaxSize > 0 && size > r.MaxSize })
	if len(to) == 0 || size > s.maxMessageSize {
		s.log.Warn("a DMARC report is larger than its recipients take", "domain", policy.Domain, "size", size)
		return nil
	}
	in := Incoming{ReversePath: g.InboxID, Body: &text, Session: Session{Protocol: "local"}}
	for _, r := range to {
		in.Recipients = append(in.Recipients, r.Address)
		in.Reporting = append(in.Reporting, mail.Reporting{Notify: "NEVER"})
	}
	_, err = s.Submit(ctx, g, in)
	return err
}

// addresses are those of recipients, as a header field has them.
func addresses(to []dmarc.Recipient) string {
	var list []string
	for _, r := range to {
		list = append(list, r.Address)
	}
	return strings.Join(list, ",\r\n ")
}

// forgetSentReports removes some old mail of the inbox that sends reports.
func (s *Server) forgetSentReports(ctx context.Context, now time.Time) error {
	g := s.dmarcReporting.sender
	if g.Scope.Inbox == 0 {
		return nil
	}
	old, _, err := s.ListMessages(ctx, g, mail.MessageFilter{Before: now.Add(-keptReports), Include: ^mail.Hidden(0)}, mail.Page{Limit: sentForgotten, Ascending: true})
	if err != nil {
		return err
	}
	for _, m := range old {
		if err := s.DeleteMessage(ctx, g, m.MessageID); err != nil && mail.CodeOf(err) != mail.CodeNotFound {
			return fmt.Errorf("forget the report %s: %w", m.MessageID, err)
		}
	}
	return nil
}
