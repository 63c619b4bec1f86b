package server

import (
	"context"
	"errors"

	"podmail/mail"
	"podmail/storage"
)

// GetMessages finds those of the grant's inbox's messages that there are, in the order of ids, without their bodies.
func (s *Server) GetMessages(ctx context.Context, g mail.Grant, ids []string) (messages []mail.Message, err error) {
	if err := g.Require(mail.MessageRead); err != nil {
		return nil, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		messages, err = findMessages(tx, g, ids)
		return err
	})
	return messages, coded(err, "Messages")
}

// UpdateMessages adds and removes labels of those messages that there are (remove wins), in one transaction, and returns
// them with their new labels, in the order of ids.
func (s *Server) UpdateMessages(ctx context.Context, g mail.Grant, ids, add, remove []string) (messages []mail.Message, err error) {
	if err := g.Require(mail.MessageUpdate); err != nil {
		return nil, err
	}
	if add, remove, err = checkLabels(add, remove); err != nil {
		return nil, err
	}
	err = s.edit(ctx, g, func(tx storage.Tx, e *edit) error {
		if messages, err = findMessages(tx, g, ids); err != nil {
			return err
		}
		for i := range messages {
			if err := e.relabel(&messages[i], add, remove); err != nil {
				return err
			}
		}
		return e.flush()
	})
	return messages, coded(err, "Messages")
}

func findMessages(tx storage.Tx, g mail.Grant, ids []string) (messages []mail.Message, err error) {
	for _, id := range ids {
		m, err := findMessage(tx, g, id)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}
