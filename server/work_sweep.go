package server

import (
	"context"
	"errors"
	"math"
	"time"

	"podmail/storage"
)

const (
	sweepBatch = 200                 // rows removed in one transaction
	stagedLife = time.Hour           // after which a blob that was never linked is dead: no body takes that long
	eventBunch = 1000                // events removed in one transaction
	eventLife  = 30 * 24 * time.Hour // after which what happened is told to nobody any more
)

// Sweep removes a bounded number of rows that nobody can see any more: those under deleted inboxes, domains and pods,
// entries of lists that have ended, old reports and events, what became of deleted messages, what webhooks were told and
// what was sent long ago, strangers that greylisting remembers beyond measure, and bytes that were staged and never became
// a message. It is a step of Run.
func (s *Server) Sweep(ctx context.Context) (more bool, err error) {
	var inboxes, pods, staged, domains, entries, reports, gone []storage.Job
	now := s.clock.Now()
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		if inboxes, err = tx.ListHiddenInboxes(10); err != nil {
			return err
		}
		if pods, err = tx.ListHiddenPods(10); err != nil {
			return err
		}
		if domains, err = tx.ListDeletedDomains(10); err != nil {
			return err
		}
		if entries, err = tx.ListExpiredEntries(now, sweepBatch); err != nil {
			return err
		}
		if reports, err = tx.ListOldReports(now.Add(-reportLife), sweepBatch); err != nil {
			return err
		}
		if gone, err = tx.ListOldGone(now.Add(-eventLife), sweepBatch); err != nil {
			return err
		}
		staged, err = tx.ListStaged(now.Add(-stagedLife), 10)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, job := range staged {
		if err := s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) error { return tx.DeleteBlob(job.ID) }); err != nil {
			return false, err
		}
	}
	if err := errors.Join(s.forgetEntries(ctx, entries), s.forgetReports(ctx, reports), s.forgetDeliveries(ctx, gone)); err != nil {
		return false, err
	}
	told, err := s.sweepTold(ctx)
	if err != nil {
		return false, err
	}
	for _, job := range domains {
		if _, err := s.emptyDomain(ctx, job); err != nil {
			return false, err
		}
	}
	if len(inboxes)+len(pods) > 0 {
		if err := s.catchUp(ctx); err != nil { // what happened in them counts for what they were in
			return false, err
		}
	}
	for _, job := range inboxes {
		if err := s.store.For(job.Scope).Write(ctx, sweepInbox); err != nil {
			return false, err
		}
	}
	waits := false
	for _, job := range pods {
		err := s.store.For(job.Scope).Write(ctx, func(tx storage.Tx) (err error) {
			waits, err = sweepPod(tx)
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return told || len(gone) == sweepBatch || len(inboxes) > 0 || len(domains) > 0 || len(staged) > 0 || (len(pods) > 0 && !waits), nil
}

// forgetDeliveries removes what is remembered of deliveries.
func (s *Server) forgetDeliveries(ctx context.Context, gone []storage.Job) error {
	if len(gone) == 0 {
		return nil
	}
	return s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error {
		for _, job := range gone {
			if err := sys.For(job.Scope).DeleteDelivery(job.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func sweepInbox(tx storage.Tx) error {
	done, err := tx.CleanInbox(sweepBatch)
	if err != nil || !done {
		return err
	}
	if err := tx.DeleteInbox(); !errors.Is(err, storage.ErrGone) {
		return err
	}
	return nil // what happened last is not metered yet
}

// sweepPod tells whether the pod must wait for something else to be removed first.
func sweepPod(tx storage.Tx) (waits bool, err error) {
	done, err := tx.CleanPod(sweepBatch)
	if err != nil || !done {
		return true, err
	}
	if err := tx.DeletePod(); !errors.Is(err, storage.ErrGone) {
		return false, err
	}
	return true, nil // what happened last is not metered yet
}

// sweepTold removes some of what was told and counted long ago, and tells whether there may be more.
func (s *Server) sweepTold(ctx context.Context) (more bool, err error) {
	hooks, err := s.sweepWebhooks(ctx)
	if err != nil {
		return false, err
	}
	counts, err := s.forgetSent(ctx)
	if err != nil {
		return false, err
	}
	callers, err := s.forgetCallers(ctx)
	if err != nil {
		return false, err
	}
	events, err := s.pruneEvents(ctx)
	return hooks || counts || callers || events, err
}

// pruneEvents removes some old events, once webhooks have been handed them, and tells whether it found any.
func (s *Server) pruneEvents(ctx context.Context) (found bool, err error) {
	before, handed, old := s.clock.Now().Add(-eventLife), int64(math.MaxInt64), int64(0)
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		if s.hooks.Load() {
			if handed, err = tx.FindFanned(); err != nil {
				return err
			}
		}
		old, err = tx.FindOldEvent(before, handed, eventBunch)
		return err
	})
	if err != nil || old == 0 {
		return false, err
	}
	return true, s.store.System().Unhurried().Write(ctx, func(tx storage.SystemTx) error { return tx.PruneEvents(old) })
}
