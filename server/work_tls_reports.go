package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"podmail/mail"
	"podmail/mail/tlsrpt"
)

const reportTime = 2 * time.Minute // for sending one report

// tlsReporting is since when connections have been counted that no report tells of yet.
type tlsReporting struct {
	mu    sync.Mutex
	since time.Time
}

// ReportTLS tells domains that ask for it, once a day, how connections to their hosts fared (RFC 8460). What was counted
// since the last report is lost when the process ends, and so is a report that cannot be delivered: they are a courtesy.
// It is a step of Run.
func (s *Server) ReportTLS(ctx context.Context) (more bool, err error) {
	if s.tlsResults == nil || s.courier == nil {
		return false, nil
	}
	s.tlsReporting.mu.Lock()
	defer s.tlsReporting.mu.Unlock()
	now, since := s.clock.Now().UTC(), s.tlsReporting.since
	if since.IsZero() {
		s.tlsReporting.since = now
	}
	if since.IsZero() || now.Truncate(24*time.Hour).Equal(since.Truncate(24*time.Hour)) {
		return false, nil
	}
	s.tlsReporting.since = now
	byDomain := map[string][]tlsrpt.Result{}
	for _, r := range s.tlsResults() {
		byDomain[r.Policy.Domain] = append(byDomain[r.Policy.Domain], r)
	}
	var errs []error
	for domain, results := range byDomain {
		if ctx.Err() != nil {
			break
		}
		if err := s.reportTLS(ctx, domain, results, tlsrpt.DateRange{Start: since, End: now}); err != nil {
			errs = append(errs, fmt.Errorf("TLS report to %s: %w", domain, err))
		}
	}
	return false, errors.Join(errs...)
}

// reportTLS sends a domain's report to whom its record names.
func (s *Server) reportTLS(ctx context.Context, domain string, results []tlsrpt.Result, over tlsrpt.DateRange) error {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	texts, err := s.resolver.LookupTXT(ctx, "_smtp._tls."+domain)
	if err != nil {
		return err
	}
	recipients := tlsrpt.Recipients(texts)
	if len(recipients) == 0 {
		return nil
	}
	submitter, keys, err := s.reporter(ctx)
	if err != nil {
		return err
	}
	route, _, err := s.routeOf(ctx, mail.Scope{}, submitter)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s.%s@%s", over.End.Format("20060102T150405Z"), domain, s.hostname)
	message := tlsrpt.Message{Domain: domain, Submitter: submitter, From: "postmaster@" + submitter, MessageID: "<" + id + ">", Date: over.End,
		Report: &tlsrpt.Report{Organization: s.hostname, Range: over, Contact: "postmaster@" + submitter, ID: id, Policies: results}}
	var failures []error
	for _, to := range recipients {
		message.To = to
		var text bytes.Buffer
		if err := tlsrpt.Write(&text, &message); err != nil {
			return err
		}
		_, destination, _ := mail.SplitAddress(to)
		r := s.courier.Carry(ctx, mail.Transfer{TraceID: id, Destination: destination, Recipients: []mail.TransferRecipient{{Address: to}}, Message: bytes.NewReader(text.Bytes()),
			Size: int64(text.Len()), Keys: keys, HELO: route.HELO, Source: route.Source, Relay: route.Relay, AnyTLS: true})[0]
		if r.Failure != "" {
			failures = append(failures, fmt.Errorf("%s: %s: %s", to, r.Failure, r.Text))
		}
	}
	return errors.Join(failures...)
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
