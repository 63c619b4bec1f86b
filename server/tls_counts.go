package server

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"podmail/mail"
	"podmail/mail/tlsrpt"
	"podmail/storage"
)

// How connections to other hosts fared is counted by the courier, written down every minute, and told once the day is over
// (work_tls_reports.go).

const (
	maxTLSOfDomain = 500     // different outcomes of a domain in a day
	maxTLSCount    = 200_000 // rows of all domains
)

// keepTLSCounts writes down what was counted. What cannot be written is written with what is counted next.
func (s *Server) keepTLSCounts(ctx context.Context) error {
	at := &s.tlsReporting
	at.unwritten = append(at.unwritten, tlsrpt.Counts(s.tlsResults())...)
	if len(at.unwritten) == 0 {
		return nil
	}
	day := s.clock.Now().UTC().Truncate(24 * time.Hour)
	rows := make([]mail.TLSCount, len(at.unwritten))
	for i, c := range at.unwritten {
		alike, err := json.Marshal(c)
		if err != nil {
			return err
		}
		rows[i] = mail.TLSCount{Day: day, Domain: c.Policy.Domain, Alike: string(alike), Sessions: c.Sessions}
	}
	full := false
	err := s.store.System().Unhurried().Write(ctx, func(tx storage.SystemTx) error {
		n, err := tx.CountTLSCounts(maxTLSCount)
		if full = n >= maxTLSCount; err != nil || full {
			return err
		}
		for _, c := range rows {
			if err := tx.AddTLSCount(c, maxTLSOfDomain); err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case full:
		s.log.Warn("too much waits for TLS reports; what happened in the last minute is in none", "rows", maxTLSCount)
	case err != nil && len(at.unwritten) < maxTallied:
		return err
	case err != nil:
		s.log.Error("what was counted for TLS reports is lost: it could not be written for too long", "error", err)
	}
	at.unwritten = nil
	return err
}

// lastTLSCounts writes down what was counted when the server stops.
func (s *Server) lastTLSCounts(ctx context.Context) {
	s.tlsReporting.mu.Lock()
	defer s.tlsReporting.mu.Unlock()
	if s.tlsResults == nil {
		return
	}
	if err := s.keepTLSCounts(context.WithoutCancel(ctx)); err != nil {
		s.log.Error("what was counted for TLS reports is lost", "error", err)
	}
}

// tlsResultsOf reads what was counted of a domain on a day.
func (s *Server) tlsResultsOf(ctx context.Context, day time.Time, domain string) ([]tlsrpt.Result, error) {
	var rows []mail.TLSCount
	err := s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		rows, err = tx.ListTLSCounts(day, domain)
		return err
	})
	if err != nil {
		return nil, err
	}
	counts := make([]tlsrpt.Count, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Alike), &counts[i]); err != nil {
			return nil, fmt.Errorf("what was counted of %s: %w", domain, err)
		}
		counts[i].Sessions = row.Sessions
	}
	return tlsrpt.Results(counts), nil
}
