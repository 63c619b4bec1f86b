package server

import (
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// errSettled tells that another look at the queue has carried the delivery already.
var errSettled = errors.New("the delivery is settled already")

// settle notes a delivery's outcome: its row, the label of the sent message, the event. tx is the sender's.
func (s *Server) settle(tx storage.Tx, d mail.Delivery, state mail.DeliveryState, reply string, now time.Time) error {
	have, err := tx.FindDelivery(d.ID)
	if errors.Is(err, storage.ErrNotFound) || (err == nil && have.State != mail.DeliveryQueued) {
		return errSettled
	} else if err != nil {
		return err
	}
	have.State, have.Attempts, have.LastError, have.UpdatedAt, have.NextAttemptAt = state, have.Attempts+1, reply, now, time.Time{}
	if err := tx.UpdateDelivery(have); err != nil {
		return err
	}
	m, err := tx.FindMessageByID(d.Message)
	if err != nil {
		return err
	}
	e := s.newEdit(tx, now)
	label, event := mail.LabelDelivered, mail.EventDelivered
	details := map[string]any{"recipients": []string{d.Recipient}}
	if state == mail.DeliveryBounced {
		label, event = mail.LabelBounced, mail.EventBounced
		details = map[string]any{"type": "Permanent", "sub_type": "NoEmail", "reply": reply,
			"recipients": []map[string]string{{"address": d.Recipient, "status": "bounced"}}}
	}
	if err := e.relabel(&m, []string{label}, nil); err != nil {
		return err
	}
	if err := e.flush(); err != nil {
		return err
	}
	return tx.InsertEvent(mail.Event{Type: event, Message: m.ID, MessageID: m.MessageID, Details: details, CreatedAt: now})
}
