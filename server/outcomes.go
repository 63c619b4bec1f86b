package server

import (
	"errors"
	"slices"
	"time"

	"podmail/mail"
	"podmail/mail/dsn"
	"podmail/storage"
)

// errSettled tells that somebody else has settled the delivery already.
var errSettled = errors.New("the delivery is settled already")

// outcome is what became of a delivery in the end.
type outcome struct {
	state  mail.DeliveryState
	reply  string // of the host, verbatim; or why we gave up
	status string // RFC 3463; of bounces

	impersonal bool // a host refused, and not the recipient: who we are, the sender, or the message
}

// settle notes a delivery's outcome: its row, the label of the sent message, the event. tx is the sender's, and d what was
// read of it before.
func (s *Server) settle(tx storage.Tx, d mail.Delivery, o outcome, now time.Time) (err error) {
	d.Message, err = tx.SettleDelivery(d.ID, o.state, o.reply, now)
	if errors.Is(err, storage.ErrNotFound) {
		return errSettled
	} else if err != nil {
		return err
	}
	d.State, d.Attempts, d.LastReply, d.UpdatedAt, d.NextAttemptAt = o.state, d.Attempts+1, o.reply, now, time.Time{}
	switch {
	case d.Purpose.HandsOn():
		return s.settleForward(tx, &d, o, now)
	case d.Purpose != mail.PurposeSent: // it is no message of the inbox
		return tx.DeleteDelivery(d.ID)
	}
	label, event := o.event(&d, now)
	if err := tx.InsertEvent(event); err != nil {
		return err
	}
	if d.Message == 0 { // deleted meanwhile: there is nothing to label
		return tx.DropCarried(d.ID)
	}
	m, err := tx.FindToEdit(d.Message)
	if err != nil {
		return err
	}
	remove, err := notDelayedAnyMore(tx, &m)
	if err != nil {
		return err
	}
	if err := s.relabelFound(tx, &m, []string{label}, remove, now); err != nil || o.state != mail.DeliveryBounced {
		return err
	}
	return s.suppressBounced(tx, &d, o, now)
}

// event is what the API calls the outcome: a label of the message, and an event (contract: semantics.md, Outcomes).
func (o outcome) event(d *mail.Delivery, now time.Time) (label string, e mail.Event) {
	e = mail.Event{Message: d.Message, MessageID: d.MessageID, CreatedAt: now}
	switch o.state {
	case mail.DeliveryDelivered:
		e.Type, e.Details = mail.EventDelivered, map[string]any{"recipients": []string{d.Recipient}, "reply": o.reply}
		return mail.LabelDelivered, e
	case mail.DeliveryRejected:
		e.Type, e.Details = mail.EventRejected, map[string]any{"reason": o.reply, "recipients": []string{d.Recipient}}
		return mail.LabelRejected, e
	default:
		b := o.bounce()
		e.Type, e.Details = mail.EventBounced, map[string]any{"type": b.Type, "sub_type": b.SubType, "reply": o.reply,
			"recipients": []map[string]string{{"address": d.Recipient, "status": o.status}}}
		return mail.LabelBounced, e
	}
}

// bounce is the contract's word for a failure. Hosts that refuse us, or the message, use the words for mailboxes that do
// not exist too.
func (o outcome) bounce() dsn.Bounce {
	b := dsn.Classify(o.status, o.reply)
	if o.impersonal && b.Hard() {
		b.SubType = dsn.General
	}
	return b
}

// notDelayedAnyMore is the label delayed, if a message has it and none of its deliveries waits any more.
func notDelayedAnyMore(tx storage.Tx, m *mail.Message) (labels []string, err error) {
	if !slices.Contains(m.Labels, mail.LabelDelayed) {
		return nil, nil
	}
	delayed, err := tx.IsDelayed(m.ID)
	if delayed || err != nil {
		return nil, err
	}
	return []string{mail.LabelDelayed}, nil
}

// postponed notes that a delivery failed for now, and when it is tried again.
func (s *Server) postponed(tx storage.Tx, delivery int64, v verdict, now time.Time) error {
	d, err := tx.FindDelivery(delivery)
	if errors.Is(err, storage.ErrNotFound) || (err == nil && !d.State.Waits()) {
		return errSettled
	} else if err != nil {
		return err
	}
	d.Attempts++
	d.LastReply, d.NextAttemptAt, d.UpdatedAt, d.Notified = v.reply, v.next, now, d.Notified || v.late
	if err := tx.UpdateDelivery(d); err != nil || d.Message == 0 || d.Purpose != mail.PurposeSent {
		return err
	}
	return s.relabelSent(tx, d.Message, []string{mail.LabelDelayed}, nil, now)
}

func (s *Server) relabelSent(tx storage.Tx, message int64, add, remove []string, now time.Time) error {
	m, err := tx.FindToEdit(message)
	if err != nil {
		return err
	}
	return s.relabelFound(tx, &m, add, remove, now)
}

func (s *Server) relabelFound(tx storage.Tx, m *mail.Message, add, remove []string, now time.Time) error {
	e := s.newEdit(tx, now)
	if err := e.relabel(m, add, remove); err != nil {
		return err
	}
	return e.flush()
}
