package server

import (
	"bytes"
	"context"
	"errors"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// Once makes a request to send idempotent (contract: semantics.md, Idempotency of sends). The zero Once does not.
type Once struct {
	Key     string // that the caller chose; unique among the requests of API keys of the same scope
	Request []byte // SHA-256 of all that was asked for
}

// onceLife is how long what was sent under a key is remembered.
const onceLife = 24 * time.Hour

// running is a request under way.
type running struct {
	scope mail.Scope
	key   string
}

// once calls send, unless the request was carried out before: then it returns what was answered. conflict if the key was
// used for another request, or while the first one is still running. send notes the key in its transaction, so that
// nothing that happens between the two can send twice.
func (s *Server) once(ctx context.Context, g mail.Grant, o Once, send func() (mail.Message, error)) (mail.Message, error) {
	if o.Key == "" {
		return send()
	}
	this := running{g.KeyScope, o.Key}
	if _, busy := s.running.LoadOrStore(this, true); busy {
		return mail.Message{}, mail.Errorf(mail.CodeConflict, "A request with this Idempotency-Key is still running.").WithFix("Wait for its answer, or ask again a little later.")
	}
	defer s.running.Delete(this)
	var have storage.Answered
	err := s.store.For(g.KeyScope).Read(ctx, func(tx storage.Tx) (err error) {
		have, err = tx.FindIdempotencyKey(o.Key, s.clock.Now().Add(-onceLife))
		return err
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return send()
	case err != nil:
		return mail.Message{}, coded(err, "Idempotency-Key")
	case !bytes.Equal(have.Request, o.Request):
		return mail.Message{}, mail.Errorf(mail.CodeConflict, "The Idempotency-Key was used for another request.").WithFix("Use a new key for each message.")
	}
	return mail.Message{MessageID: have.MessageID, ThreadID: have.ThreadID}, nil
}

// note remembers the request with what is answered to it, and forgets some of what is too old.
func (o Once) note(sys storage.SystemTx, scope mail.Scope, m *mail.Message, now time.Time) error {
	if o.Key == "" {
		return nil
	}
	if err := sys.ForgetIdempotencyKeys(now.Add(-onceLife), 10); err != nil {
		return err
	}
	return sys.For(scope).InsertIdempotencyKey(o.Key, storage.Answered{Request: o.Request, MessageID: m.MessageID, ThreadID: m.ThreadID}, now)
}
