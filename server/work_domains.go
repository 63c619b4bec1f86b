package server

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"podmail/mail"
	"podmail/storage"
)

const (
	domainBatch       = 32 // domains looked at in one step
	domainConcurrency = 4  // of them at a time
)

// CheckDomains looks up the records of domains whose time has come. It is a step of Run.
func (s *Server) CheckDomains(ctx context.Context) (more bool, err error) {
	var due []storage.Job
	now := s.clock.Now()
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		due, err = tx.ListDueDomains(now, domainBatch)
		return err
	})
	if err != nil {
		return false, err
	}
	var g errgroup.Group
	g.SetLimit(domainConcurrency)
	for _, job := range due {
		g.Go(func() error {
			err := s.checkDomain(ctx, job)
			if err == nil || ctx.Err() != nil || mail.CodeOf(err) == mail.CodeNotFound {
				return nil
			}
			return errors.Join(fmt.Errorf("domain %d: %w", job.ID, err), s.putOff(ctx, job))
		})
	}
	return len(due) == domainBatch, g.Wait()
}

// putOff lets a domain whose check failed on our side wait, so that it cannot hold up others.
func (s *Server) putOff(ctx context.Context, job storage.Job) error {
	at := s.clock.Now().Add(recheckUnsure)
	return s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) error { return tx.ScheduleDomain(job.ID, at) })
}
