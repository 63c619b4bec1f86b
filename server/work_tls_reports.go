package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"podmail/mail"
	"podmail/mail/tlsrpt"
	"podmail/storage"
)

const (
	reportTime  = 2 * time.Minute // for making one report, or sending it
	tlsBatch    = 20              // reports made in one step
	tlsAtATime  = 10              // that are sent
	tlsRetry    = time.Hour       // after which reports are made again that could not be
	tlsPatience = 24 * time.Hour  // after which one is given up that could not be made, or sent (RFC 8460 5.5)
	tlsSpread   = 4 * time.Hour   // over which reports leave, so that those of the world do not all come at midnight (RFC 8460 4.1)
)

// tlsReporting is where the making of reports stands.
type tlsReporting struct {
	mu        sync.Mutex
	unwritten []tlsrpt.Count
	after     mail.TLSCount // the last one made
	next      time.Time     // when to begin anew
}

// ReportTLS tells domains that ask for it, once a day is over, how connections to their hosts fared that day (RFC 8460). What
// is counted, and reports until they are taken, are rows. It is a step of Run.
func (s *Server) ReportTLS(ctx context.Context) (more bool, err error) {
	if s.tlsResults == nil || s.courier == nil {
		return false, nil
	}
	s.tlsReporting.mu.Lock()
	defer s.tlsReporting.mu.Unlock()
	if err := s.keepTLSCounts(ctx); err != nil {
		return false, fmt.Errorf("count for TLS reports: %w", err)
	}
	made, err := s.makeTLSReports(ctx)
	if err != nil {
		return false, err
	}
	sent, err := s.sendTLSReports(ctx)
	return made || sent, err
}

// makeTLSReports makes the reports on some of the domains and days that are over.
func (s *Server) makeTLSReports(ctx context.Context) (more bool, err error) {
	at := &s.tlsReporting
	now := s.clock.Now().UTC()
	if now.Before(at.next) {
		return false, nil
	}
	var due []mail.TLSCount
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		due, err = tx.ListTLSDays(now.Truncate(24*time.Hour), at.after, tlsBatch)
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
		if err := s.makeTLSReport(ctx, d.Day, d.Domain, now); err != nil {
			s.log.Warn("a TLS report could not be made; it is tried again", "domain", d.Domain, "day", d.Day.Format(time.DateOnly), "error", err)
		}
	}
	if len(due) == tlsBatch {
		return true, nil
	}
	at.after, at.next = mail.TLSCount{}, nextReports(now, tlsRetry)
	return false, nil
}

// makeTLSReport puts the report on a domain and a day on its way to whom the domain's record names, and forgets what it
// tells, in one transaction.
func (s *Server) makeTLSReport(ctx context.Context, day time.Time, domain string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	texts, err := s.resolver.LookupTXT(ctx, "_smtp._tls."+domain)
	if err != nil && now.Sub(day.Add(24*time.Hour)) < tlsPatience {
		return err
	} else if err != nil {
		s.log.Warn("a TLS report is given up", "domain", domain, "day", day.Format(time.DateOnly), "error", err)
	}
	to := tlsrpt.Recipients(texts)
	var report []byte
	if len(to) > 0 {
		if report, err = s.newTLSReport(ctx, day, domain); err != nil {
			return err
		}
	}
	return s.store.System().Unhurried().Write(ctx, func(tx storage.SystemTx) error {
		for _, recipient := range to {
			leaves := now.Add(time.Duration(s.jitter() * float64(tlsSpread)))
			if err := tx.InsertTLSReport(mail.TLSReport{Domain: domain, Recipient: recipient, Report: string(report), CreatedAt: now, NextAttemptAt: leaves}); err != nil {
				return err
			}
		}
		return tx.DeleteTLSCounts(day, domain)
	})
}

func (s *Server) newTLSReport(ctx context.Context, day time.Time, domain string) ([]byte, error) {
	results, err := s.tlsResultsOf(ctx, day, domain)
	if err != nil {
		return nil, err
	}
	submitter, _, err := s.reporter(ctx)
	if err != nil {
		return nil, err
	}
	return tlsrpt.Marshal(&tlsrpt.Report{Organization: s.hostname, Range: tlsrpt.DateRange{Start: day, End: day.Add(24*time.Hour - time.Second)},
		Contact: "postmaster@" + submitter, ID: fmt.Sprintf("%s.%s@%s", day.Format("20060102"), domain, s.hostname), Policies: results})
}

// sendTLSReports tries some of the reports whose turn it is, side by side.
func (s *Server) sendTLSReports(ctx context.Context) (more bool, err error) {
	now := s.clock.Now()
	var due []mail.TLSReport
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		due, err = tx.ListDueTLSReports(now, tlsAtATime)
		return err
	})
	var all sync.WaitGroup
	errs := make([]error, len(due))
	for i, r := range due {
		all.Go(func() { errs[i] = s.tryTLSReport(ctx, r, now) })
	}
	all.Wait()
	return len(due) == tlsAtATime, errors.Join(append(errs, err)...)
}

// tryTLSReport tries to send a report, and notes what came of it. One that the end of the server cuts off was not tried.
func (s *Server) tryTLSReport(ctx context.Context, r mail.TLSReport, now time.Time) error {
	failure, text, permanent := s.sendTLSReport(ctx, r)
	if ctx.Err() != nil && failure != "" {
		return nil
	}
	again := now.Add(mail.RetryAfter(failure, r.Attempts+1, s.jitter()))
	r.Attempts++
	over := failure == "" || permanent || again.Sub(r.CreatedAt) > tlsPatience+tlsSpread
	switch r.NextAttemptAt = again; {
	case failure == "":
		s.log.Info("a TLS report was taken", "domain", r.Domain, "recipient", r.Recipient)
	case over:
		s.log.Warn("a TLS report is given up", "domain", r.Domain, "recipient", r.Recipient, "failure", failure, "reply", text)
	default:
		s.log.Info("a TLS report is tried again", "domain", r.Domain, "recipient", r.Recipient, "failure", failure, "reply", text, "at", again)
	}
	return s.store.System().Write(context.WithoutCancel(ctx), func(tx storage.SystemTx) error {
		if over {
			return tx.DeleteTLSReport(r.ID)
		}
		return tx.UpdateTLSReport(r)
	})
}

// sendTLSReport tries to send a report. What it returns is why it was not taken; no failure: it was.
func (s *Server) sendTLSReport(ctx context.Context, r mail.TLSReport) (failure mail.TransferFailure, text string, permanent bool) {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	submitter, keys, err := s.reporter(ctx)
	if err != nil {
		return mail.TransferContent, err.Error(), false
	}
	report, err := tlsrpt.Unmarshal(strings.NewReader(r.Report))
	if err != nil {
		return mail.TransferContent, err.Error(), true
	}
	m := &tlsrpt.Message{Report: report, Domain: r.Domain, Submitter: submitter, From: "postmaster@" + submitter, To: r.Recipient, MessageID: "<tls." + report.ID + ">", Date: s.clock.Now()}
	if tlsrpt.IsURL(r.Recipient) {
		packed, err := m.Packed()
		if err == nil {
			err = s.postTLSReport(ctx, r.Recipient, packed)
		}
		if err != nil {
			return mail.TransferConnection, err.Error(), false
		}
		return "", "", false
	}
	result, err := s.mailTLSReport(ctx, m, keys)
	if err != nil {
		return mail.TransferContent, err.Error(), false
	}
	return result.Failure, result.Text, result.Permanent
}

// mailTLSReport tries to send a report by mail: to an inbox of ours, or signed to another host, whatever the policies say that
// it may be about.
func (s *Server) mailTLSReport(ctx context.Context, m *tlsrpt.Message, keys []mail.SigningKey) (r mail.TransferResult, err error) {
	route, _, err := s.routeOf(ctx, mail.Scope{}, m.Submitter)
	if err != nil {
		return r, err
	}
	var text bytes.Buffer
	if err := tlsrpt.Write(&text, m); err != nil {
		return r, err
	}
	if _, err := s.Recipient(ctx, "", m.To); mail.CodeOf(err) != mail.CodeForbidden {
		if err == nil {
			err = s.Deliver(ctx, Incoming{Recipients: []string{m.To}, Body: &text, Session: Session{Protocol: "local"}})
		}
		return r, err
	}
	_, destination, _ := mail.SplitAddress(m.To)
	return s.courier.Carry(ctx, mail.Transfer{TraceID: m.Report.ID, Destination: destination, Recipients: []mail.TransferRecipient{{Address: m.To}}, Message: bytes.NewReader(text.Bytes()),
		Size: int64(text.Len()), Keys: keys, HELO: route.HELO, Source: route.Source, Relay: route.Relay, AnyTLS: true})[0], nil
}

// reporter is the domain in whose name we report to others, with its keys, for reports must be signed by who sends them
// (RFC 8460 3): the one over our host's name, or else the installation's own.
func (s *Server) reporter(ctx context.Context) (domain string, keys []mail.SigningKey, err error) {
	for _, name := range []string{s.hostname, s.defaultDomain} {
		if keys, err = s.SigningKeys(ctx, mail.Scope{}, name); err != nil || len(keys) > 0 {
			break
		}
	}
	if err != nil || len(keys) == 0 {
		return s.hostname, nil, err
	}
	return keys[0].Domain, keys, nil
}
