package storage

import (
	"encoding/json"
	"errors"

	"podmail/storage/sqlite"
)

var (
	findTokens  = tables.Compile(`SELECT t.token, t.spam, t.ham FROM spam_tokens t WHERE t.token IN (SELECT j.value FROM json_each(?) j) AND t.pod_id = {pod} AND {scope t}`)
	countTokens = tables.Compile(`INSERT INTO spam_tokens (pod_id, token, spam, ham) SELECT {pod}, j.value, max(?2, 0), max(?3, 0) FROM json_each(?1) j WHERE true
		ON CONFLICT (pod_id, token) DO UPDATE SET spam = max(spam + ?2, 0), ham = max(ham + ?3, 0)`)
	forgetTokens  = tables.Compile(`DELETE FROM spam_tokens WHERE pod_id = {pod} AND spam + ham <= 1 AND {scope spam_tokens}`)
	dropTokens    = tables.Compile(`DELETE FROM spam_tokens WHERE (pod_id, token) IN (SELECT t.pod_id, t.token FROM spam_tokens t WHERE t.pod_id = {pod} AND {scope t} LIMIT ?) AND {scope spam_tokens}`)
	insertLesson  = tables.Compile(`INSERT INTO spam_lessons (pod_id, inbox_id, message_id, spam) VALUES ({pod}, {inbox}, ?1, ?2) ON CONFLICT (pod_id, message_id) DO UPDATE SET spam = excluded.spam`)
	findLesson    = tables.Compile(`SELECT l.spam, ifnull(l.learned, -1) FROM spam_lessons l WHERE l.message_id = ? AND {scope l}`)
	lessonLearned = tables.Compile(`UPDATE spam_lessons SET learned = spam WHERE message_id = ? AND {scope spam_lessons}`)
	deleteLesson  = tables.Compile(`DELETE FROM spam_lessons WHERE message_id = ? AND {scope spam_lessons}`)
)

// TokenCount is in how many messages of each kind a token was.
type TokenCount struct{ Token, Spam, Ham int64 }

// FindTokens finds what the handle's pod has learned of tokens.
func (tx Tx) FindTokens(tokens []int64) ([]TokenCount, error) {
	b, err := json.Marshal(tokens)
	if err != nil {
		return nil, err
	}
	return all(tx, findTokens, func(r *sqlite.Row) (c TokenCount, err error) {
		err = r.Scan(&c.Token, &c.Spam, &c.Ham)
		return c, err
	}, string(b))
}

// CountTokens adds to the counts of tokens in the handle's pod.
func (tx Tx) CountTokens(tokens []int64, spam, ham int) error {
	b, err := json.Marshal(tokens)
	if err != nil {
		return err
	}
	_, err = tx.tx.Exec(countTokens, string(b), spam, ham)
	return translate(err)
}

// ForgetRareTokens removes what the handle's pod saw in a single message, so that what it has learned stays small.
func (tx Tx) ForgetRareTokens() error {
	_, err := tx.tx.Exec(forgetTokens)
	return err
}

// InsertLesson notes that a message was said to be spam, or not to be. It is learned later.
func (tx Tx) InsertLesson(message int64, spam bool) error {
	_, err := tx.tx.Exec(insertLesson, message, spam)
	return translate(err)
}

// Lesson is what a message was said to be, and as what it was learned.
type Lesson struct{ Spam, Learned, LearnedSpam bool }

// FindLesson finds a message's lesson. ErrNotFound if there is none.
func (tx Tx) FindLesson(message int64) (l Lesson, err error) {
	var learned int64
	err = tx.one(findLesson, []any{message}, &l.Spam, &learned)
	l.Learned, l.LearnedSpam = learned >= 0, learned == 1
	return l, err
}

// LessonLearned notes that a message was learned as what it was said to be.
func (tx Tx) LessonLearned(message int64) error {
	_, err := tx.tx.Exec(lessonLearned, message)
	return err
}

// WasTaught tells whether a message was ever said to be spam or not to be.
func (tx Tx) WasTaught(message int64) (bool, error) {
	_, err := tx.FindLesson(message)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
