package storage

import (
	"fmt"

	"podmail/mail"
)

var findIntake = tables.Compile(`SELECT m.intake FROM messages m WHERE m.id = ? AND {scope m}`)

// FindIntake finds what was found out about a message when it came in; nil if nothing was kept.
func (tx Tx) FindIntake(message int64) (*mail.Intake, error) {
	var text string
	if err := tx.one(findIntake, []any{message}, &text); err != nil || text == "" {
		return nil, err
	}
	in := &mail.Intake{}
	if err := decode(text, in); err != nil {
		return nil, fmt.Errorf("intake of message %d: %w", message, err)
	}
	return in, nil
}
