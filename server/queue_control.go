package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// DeliveryID is the public id of a delivery.
func (s *Server) DeliveryID(d *mail.Delivery) string { return s.queueIDs.of(d.ID) }

// ParseDeliveryID is the key of a delivery by its public id; 0, which is nobody's, for what is none.
func (s *Server) ParseDeliveryID(id string) int64 {
	key, ok := s.queueIDs.parse(id)
	if !ok {
		return 0
	}
	return key
}

// GetDelivery finds a delivery of the grant's scope by its key, with what came of its attempts.
func (s *Server) GetDelivery(ctx context.Context, g mail.Grant, id int64) (d mail.Delivery, attempts []mail.DeliveryAttempt, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return d, nil, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		if d, err = tx.FindDelivery(id); err != nil {
			return err
		}
		attempts, err = tx.ListDeliveryAttempts(id)
		return err
	})
	return d, attempts, coded(err, "Delivery")
}

// DeliveriesOf lists what became of a message of the grant's inbox, one delivery for each recipient.
func (s *Server) DeliveriesOf(ctx context.Context, g mail.Grant, messageID string) (ds []mail.Delivery, attempts map[int64][]mail.DeliveryAttempt, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, nil, err
	}
	attempts = map[int64][]mail.DeliveryAttempt{}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		m, err := findMessage(tx, g, messageID)
		if err != nil {
			return err
		}
		if ds, err = tx.ListDeliveries(m.ID); err != nil {
			return err
		}
		for _, d := range ds {
			if attempts[d.ID], err = tx.ListDeliveryAttempts(d.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return ds, attempts, coded(err, "Message")
}

// RetryDelivery has a delivery that waits tried at once. A held one is released. CodeConflict while the operator has it
// stopped, CodeForbidden if a wider key than the grant's holds it.
func (s *Server) RetryDelivery(ctx context.Context, g mail.Grant, id int64) error {
	now := s.clock.Now()
	return s.control(ctx, g, id, func(sys storage.SystemTx, d mail.Delivery) error {
		if err := mayRelease(g, &d); err != nil {
			return err
		}
		p, err := sys.FindPauseOf(d.ID)
		if err == nil {
			return errStopped(g, &p)
		} else if !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		return errors.Join(sys.For(d.Scope()).HurryDelivery(d.ID, now), sys.CountControl(mail.DeliveryIsRetried))
	})
}

// mayRelease refuses to let go on what a wider key than the grant's holds.
func mayRelease(g mail.Grant, d *mail.Delivery) error {
	if d.State != mail.DeliveryHeld || !d.HeldBy.Above(g.KeyScope.Type()) {
		return nil
	}
	return mail.Errorf(mail.CodeForbidden, "The delivery is held by a key of the %s.", d.HeldBy).WithFix("Only a key of the same kind, or the operator, lets it go on.")
}

// errStopped refuses to try what a pause holds back.
func errStopped(g mail.Grant, p *mail.Pause) error {
	err := mail.Errorf(mail.CodeConflict, "The %s %s is stopped: the delivery waits until it goes on.", p.Kind, p.Name)
	if g.KeyScope.Type() != mail.ScopeOrganization {
		return err.WithFix("Only the operator lets it go on.")
	}
	return err.WithFix("podmail queue resume --%s %s, or DELETE /v0/queue/pauses/%[1]s/%[2]s, lets it go on; then try again.", p.Kind, p.Name)
}

// HoldDelivery keeps a delivery in the queue until it is released, however long that is: by a key that is no narrower than
// the widest that held it.
func (s *Server) HoldDelivery(ctx context.Context, g mail.Grant, id int64) error {
	now := s.clock.Now()
	return s.control(ctx, g, id, func(sys storage.SystemTx, d mail.Delivery) error {
		by := g.KeyScope.Type()
		if d.State == mail.DeliveryHeld && !by.Above(d.HeldBy) {
			return nil
		}
		d.State, d.HeldBy, d.NextAttemptAt, d.UpdatedAt = mail.DeliveryHeld, by, time.Time{}, now
		return errors.Join(sys.For(d.Scope()).UpdateDelivery(d), sys.CountControl(mail.DeliveryIsHeld))
	})
}

// ReleaseDelivery lets a held delivery go on. One that is not held is left alone. CodeForbidden if a wider key than the
// grant's holds it.
func (s *Server) ReleaseDelivery(ctx context.Context, g mail.Grant, id int64) error {
	now := s.clock.Now()
	return s.control(ctx, g, id, func(sys storage.SystemTx, d mail.Delivery) error {
		if d.State != mail.DeliveryHeld {
			return nil
		}
		if err := mayRelease(g, &d); err != nil {
			return err
		}
		d.State, d.HeldBy, d.NextAttemptAt, d.UpdatedAt = mail.DeliveryQueued, "", now, now
		return errors.Join(sys.For(d.Scope()).UpdateDelivery(d), sys.CountControl(mail.DeliveryIsReleased))
	})
}

// DropDelivery gives a delivery up: its outcome is rejected, which says by whom, and its sender is told as of a failure.
func (s *Server) DropDelivery(ctx context.Context, g mail.Grant, id int64) error {
	var dropped mail.Delivery
	err := s.control(ctx, g, id, func(_ storage.SystemTx, d mail.Delivery) error { dropped = d; return nil })
	if err != nil {
		return err
	}
	by := "the operator"
	if kind := g.KeyScope.Type(); kind != mail.ScopeOrganization {
		by = "a key of the " + string(kind)
	}
	return coded(s.bounce(ctx, dropped, outcome{state: mail.DeliveryRejected, reply: "dropped from the queue by " + by, status: "5.7.1"}), "Delivery")
}

// control changes a delivery that waits. conflict if it is settled.
func (s *Server) control(ctx context.Context, g mail.Grant, id int64, change func(storage.SystemTx, mail.Delivery) error) error {
	if err := g.Require(mail.MessageSend); err != nil {
		return err
	}
	var d mail.Delivery
	err := s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if d, err = sys.For(g.Scope).FindDelivery(id); err != nil {
			return err
		}
		if !d.State.Waits() {
			return mail.Errorf(mail.CodeConflict, "The delivery does not wait any more: it is %s.", d.State)
		}
		return change(sys, d)
	})
	if err == nil {
		s.hub.Wake(d.Scope())
		poke(s.queue)
		poke(s.outbound)
	}
	return coded(err, "Delivery")
}

// maxTraced is how many messages of one message id are traced, and maxTracedGone how many deliveries of deleted ones.
const (
	maxTraced     = 100
	maxTracedGone = 10_000
)

// Traced is a message with what became of it, for following it from inbox to inbox.
type Traced struct {
	Message    mail.Message // of a deleted one: its inbox, ids and when it was sent
	Deleted    bool         // since; it is remembered for a while what became of it
	Deliveries []mail.Delivery
	Attempts   map[int64][]mail.DeliveryAttempt // by delivery
}

// Trace finds the messages of all inboxes that have a message id: as it was sent, and as it was received. CodeNotFound if
// there is none.
func (s *Server) Trace(ctx context.Context, g mail.Grant, messageID string) (traced []Traced, err error) {
	if err := operators(g, mail.MessageRead, "follows mail from inbox to inbox"); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(messageID, "<") {
		messageID = "<" + messageID + ">"
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		jobs, err := sys.ListNamesakes(messageID, maxTraced)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			tx := sys.For(job.Scope)
			t := Traced{Attempts: map[int64][]mail.DeliveryAttempt{}}
			if t.Message, err = tx.FindMessageByID(job.ID); err != nil {
				return err
			}
			ds, err := tx.ListDeliveries(job.ID)
			if err != nil {
				return err
			}
			for _, d := range ds {
				if err := t.add(tx, d); err != nil {
					return err
				}
			}
			traced = append(traced, t)
		}
		gone, err := traceGone(sys, messageID)
		traced = append(traced, gone...)
		return err
	})
	if err == nil && len(traced) == 0 {
		err = mail.NotFound("Message").WithFix("No inbox has a message with this id, and none that sent one in the last %d days.", eventLife/(24*time.Hour))
	}
	return traced, coded(err, "Message")
}

// traceGone finds what became of messages that were deleted since.
func traceGone(sys storage.SystemTx, messageID string) (traced []Traced, err error) {
	jobs, err := sys.ListGoneOf(messageID, maxTracedGone)
	if err != nil {
		return nil, err
	}
	for i, job := range jobs {
		tx := sys.For(job.Scope)
		d, err := tx.FindDelivery(job.ID)
		if err != nil {
			return nil, err
		}
		if i == 0 || job.Scope != jobs[i-1].Scope {
			inbox, err := tx.FindOwnInbox()
			if err != nil && !errors.Is(err, storage.ErrNotFound) { // it was deleted too
				return nil, err
			}
			m := mail.Message{InboxID: inbox.Address, MessageID: d.MessageID, Timestamp: d.CreatedAt, TraceID: d.TraceID, Labels: []string{}}
			traced = append(traced, Traced{Message: m, Deleted: true, Attempts: map[int64][]mail.DeliveryAttempt{}})
		}
		if err := traced[len(traced)-1].add(tx, d); err != nil {
			return nil, err
		}
	}
	return traced, nil
}

// add adds a delivery with what came of its attempts.
func (t *Traced) add(tx storage.Tx, d mail.Delivery) (err error) {
	t.Deliveries = append(t.Deliveries, d)
	t.Attempts[d.ID], err = tx.ListDeliveryAttempts(d.ID)
	return err
}
