package storage

import (
	"podmail/mail"
	"podmail/storage/sqlite"
)

const signUpColumns = `a.pod_id, a.human_email, a.inbox, a.api_key_id, a.code_hash, a.code_expires_at, a.wrong, a.locked_until, a.verified_at, a.source, a.referrer, a.created_at`

var (
	findSignUp   = tables.Compile(`SELECT ` + signUpColumns + ` FROM agent_sign_ups a WHERE a.pod_id = {pod} AND {scope a}`)
	insertSignUp = tables.Compile(`INSERT INTO agent_sign_ups (pod_id, human_email, inbox, api_key_id, source, referrer, created_at) VALUES ({pod}, ?1, ?2, ?3, ?4, ?5, ?6)`)
	updateSignUp = tables.Compile(`UPDATE agent_sign_ups SET inbox = ?1, api_key_id = ?2, code_hash = ?3, code_expires_at = ?4, wrong = ?5, locked_until = ?6, verified_at = ?7 WHERE {scope agent_sign_ups}`)
	deleteSignUp = tables.Compile(`DELETE FROM agent_sign_ups WHERE {scope agent_sign_ups}`)
)

func scanSignUp(r *sqlite.Row) (u mail.SignUp, err error) {
	err = r.Scan(&u.Pod, &u.HumanEmail, &u.Inbox, &u.APIKeyID, &u.CodeHash, &u.CodeExpiresAt, &u.Wrong, &u.LockedUntil, &u.VerifiedAt, &u.Source, &u.Referrer, &u.CreatedAt)
	return u, err
}

// FindSignUp finds how the handle's pod came about, if an agent signed up for it.
func (tx Tx) FindSignUp() (mail.SignUp, error) { return get(tx, findSignUp, scanSignUp) }

// InsertSignUp notes that an agent signed up for the handle's pod. ErrTaken if its human has one already.
func (tx Tx) InsertSignUp(u mail.SignUp) error {
	_, err := tx.tx.Exec(insertSignUp, u.HumanEmail, u.Inbox, u.APIKeyID, sqlite.Null(u.Source), sqlite.Null(u.Referrer), u.CreatedAt)
	return translate(err)
}

// UpdateSignUp writes what changes of the sign-up of the handle's pod.
func (tx Tx) UpdateSignUp(u mail.SignUp) error {
	_, err := tx.tx.Exec(updateSignUp, u.Inbox, u.APIKeyID, u.CodeHash, u.CodeExpiresAt, u.Wrong, u.LockedUntil, u.VerifiedAt)
	return err
}

// DeleteSignUp forgets the sign-up of the handle's pod.
func (tx Tx) DeleteSignUp() error {
	_, err := tx.tx.Exec(deleteSignUp)
	return err
}
