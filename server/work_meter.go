package server

import (
	"context"

	"podmail/storage"
)

// Meter adds to the totals some of what happened. What a commit tells of waits in rows that it wrote itself, so a crash
// loses nothing. It is a step of Run.
func (s *Server) Meter(ctx context.Context) (more bool, err error) {
	system := s.store.System().Unhurried()
	waits := false
	err = system.Read(ctx, func(tx storage.SystemTx) (err error) {
		waits, err = tx.HasUnmetered()
		return err
	})
	if err != nil || !waits {
		return false, err
	}
	forget := s.clock.Now().Add(-metricsLife - clockTolerance)
	err = system.Write(ctx, func(tx storage.SystemTx) (err error) {
		more, err = tx.Meter(meterBatch, forget)
		return err
	})
	return more, err
}

// catchUp meters all that was committed by now, so that who asks is told exactly what happened.
func (s *Server) catchUp(ctx context.Context) error {
	for {
		if more, err := s.Meter(ctx); err != nil || !more {
			return err
		}
	}
}
