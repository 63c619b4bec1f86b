package server

import (
	"context"
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// enqueue queues the message to each recipient. An inbox of ours that is named under several names gets it once.
func (s *Server) enqueue(sys storage.SystemTx, tx storage.Tx, out *outgoing, m *mail.Message, now time.Time) error {
	local := map[string]bool{}
	for _, r := range out.recipients {
		_, destination, _ := mail.SplitAddress(inboxAddress(r))
		courier, err := s.courierFor(sys, r, destination)
		if err != nil {
			return err
		}
		if courier == mail.CourierLocal {
			inbox, err := s.namedInbox(sys, r)
			if err != nil {
				return err
			}
			if local[inbox] {
				continue
			}
			local[inbox] = true
		}
		waiting := mail.Delivery{Purpose: mail.PurposeSent, Message: m.ID, Sender: out.reversePath, Recipient: r, Destination: destination, Courier: courier, State: mail.DeliveryQueued,
			NextAttemptAt: now, TraceID: m.TraceID, CreatedAt: now, Handling: out.handling, Reporting: out.reporting[r]}
		if err := tx.InsertDelivery(waiting); err != nil {
			return err
		}
	}
	return nil
}

// courierFor says who carries mail to a recipient: the local courier where the domain is ours, whichever pod's
// (isolation is of data, not of the network), else SMTP.
func (s *Server) courierFor(sys storage.SystemTx, recipient, destination string) (mail.Courier, error) {
	if s.isOperators(inboxAddress(recipient)) {
		return mail.CourierLocal, nil
	}
	d, ours, err := servingDomain(sys.Tx, destination)
	if err != nil {
		return "", err
	}
	if ours && d.Name != destination { // a subdomain may have an MX of its own elsewhere
		_, err := sys.FindInbox(inboxAddress(recipient))
		if ours = err == nil; err != nil && !errors.Is(err, storage.ErrNotFound) {
			return "", err
		}
	}
	if ours {
		return mail.CourierLocal, nil
	}
	return mail.CourierSMTP, nil
}

// ListDeliveries lists the deliveries in the grant's scope that wait in the queue.
func (s *Server) ListDeliveries(ctx context.Context, g mail.Grant, p mail.Page) (ds []mail.Delivery, next string, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		ds, next, err = tx.ListWaiting(p)
		return err
	})
	return ds, next, coded(err, "Deliveries")
}
