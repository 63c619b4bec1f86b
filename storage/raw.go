package storage

import (
	"podmail/mail"
)

var (
	findRaw    = tables.Compile(`SELECT b.id, m.trace, m.size, b.bytes FROM messages m JOIN blobs b ON b.id = m.blob_id AND {scope b} WHERE m.id = ? AND {scope m}`)
	findBodies = tables.Compile(`SELECT m.bodies, m.structure FROM messages m WHERE m.id = ? AND {scope m}`)
)

// FindRaw finds where a message's bytes are, and brings those that are not in chunks along.
func (tx Tx) FindRaw(message int64) (raw RawMessage, err error) {
	err = tx.one(findRaw, []any{message}, &raw.Blob, &raw.Trace, &raw.Size, &raw.First)
	return raw, err
}

// FindBodies finds the parts that a reader shows, either may be nil, and the whole structure.
func (tx Tx) FindBodies(message int64) (text, html, structure *mail.Part, err error) {
	var b, s string
	if err := tx.one(findBodies, []any{message}, &b, &s); err != nil {
		return nil, nil, nil, err
	}
	var parts bodies
	if err := decode(b, &parts); err != nil {
		return nil, nil, nil, err
	}
	structure = &mail.Part{}
	return parts.Text, parts.HTML, structure, decode(s, structure)
}
