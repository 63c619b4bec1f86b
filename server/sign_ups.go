package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/storage"
)

// The limits of codes (contract: semantics.md, Agent sign-up).
const (
	codeLife     = 24 * time.Hour
	wrongCodes   = 10
	codeLockTime = 24 * time.Hour
)

// NewSignUp asks for a pod with an inbox and a key, for an agent of a human.
type NewSignUp struct{ HumanEmail, Username, Source, Referrer string }

// SignUp makes a pod, an inbox and a key for an agent, and mails a code to its human; until the code is confirmed the
// inbox may write to that human only. Signing up again for the same human gives the same inbox, makes the key before
// void, and mails a new code if the last one is over.
func (s *Server) SignUp(ctx context.Context, n NewSignUp) (inbox mail.Inbox, secret string, err error) {
	if !s.agentSignUp {
		return inbox, "", mail.Errorf(mail.CodeForbidden, "Agents cannot sign themselves up here.").
			WithFix("Ask the operator of this installation for an API key, or to turn agent.sign_up on.")
	}
	wanted := NewInbox{Username: n.Username}
	if n, wanted, err = s.checkSignUp(n, wanted); err != nil {
		return inbox, "", err
	}
	s.lists.Store(true) // before the entry can be there
	podID, err := s.newID()
	if err != nil {
		return inbox, "", err
	}
	key, secret, err := s.newKey(mail.Grant{Scope: mail.Scope{Pod: -1}}, NewAPIKey{Name: "Agent", Permissions: unverifiedPermissions()}) // of the pod to be
	if err != nil {
		return inbox, "", err
	}
	kept, err := s.secretOf(secret)
	if err != nil {
		return inbox, "", err
	}
	now := s.clock.Now()
	made := mail.Inbox{Address: wanted.Username + "@" + wanted.Domain, CreatedAt: now}
	var up mail.SignUp
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if up, err = sys.FindSignUpOf(n.HumanEmail); errors.Is(err, storage.ErrNotFound) {
			up, err = startSignUp(sys, n, podID, key.APIKeyID, now)
		}
		if err != nil {
			return err
		}
		if err := maySignUpAgain(&up, now); err != nil {
			return err
		}
		tx := sys.For(mail.Scope{Pod: up.Pod})
		if inbox, err = tx.FindInbox(up.Inbox); errors.Is(err, storage.ErrNotFound) {
			inbox, err = insertInbox(sys, mail.Grant{Scope: tx.Scope()}, made, wanted.Domain)
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteAPIKeys(); err != nil {
			return err
		}
		up.Inbox, up.APIKeyID = inbox.Address, key.APIKeyID
		if err := tx.UpdateSignUp(up); err != nil {
			return err
		}
		return tx.InsertAPIKey(key, kept)
	})
	if errors.Is(err, storage.ErrTaken) {
		return inbox, "", mail.Errorf(mail.CodeForbidden, "The address %s is in use.", made.Address).WithReason(mail.ReasonResourceTaken).WithFix("Choose another username.")
	}
	if err == nil && !up.CodeExpiresAt.After(now) {
		err = s.mailCode(ctx, up)
	}
	return inbox, secret, coded(err, "Sign-up")
}

func (s *Server) checkSignUp(n NewSignUp, wanted NewInbox) (NewSignUp, NewInbox, error) {
	human, err := parse.Address(n.HumanEmail)
	if err != nil || human.Host == "" {
		return n, wanted, mail.Invalid("human_email", "is no address")
	}
	n.HumanEmail = asciiAddress(human.Addr())
	if strings.TrimSpace(n.Username) == "" {
		return n, wanted, mail.Invalid("username", "must not be empty")
	}
	for field, text := range map[string]string{"source": n.Source, "referrer": n.Referrer} {
		if utf8.RuneCountInString(text) > 2048 {
			return n, wanted, mail.Invalid(field, "has at most 2048 characters")
		}
	}
	return n, wanted, s.checkNewInbox(&wanted)
}

// startSignUp makes the pod, and lets it write to the human alone.
func startSignUp(sys storage.SystemTx, n NewSignUp, podID, keyID string, now time.Time) (mail.SignUp, error) {
	pod, err := sys.InsertPod(mail.Pod{PodID: podID, Name: "Agent of " + n.HumanEmail, CreatedAt: now})
	if err != nil {
		return mail.SignUp{}, err
	}
	tx := sys.For(pod.Scope())
	up := mail.SignUp{Pod: pod.ID, HumanEmail: n.HumanEmail, APIKeyID: keyID, Source: n.Source, Referrer: n.Referrer, CreatedAt: now}
	if err := tx.InsertSignUp(up); err != nil {
		return up, err
	}
	return up, tx.InsertListEntry(mail.ListEntry{Direction: mail.DirectionSend, Type: mail.ListAllow, Entry: n.HumanEmail, ReadOnly: true, CreatedAt: now})
}

// maySignUpAgain refuses what would take an agent over, or give more tries at its code.
func maySignUpAgain(up *mail.SignUp, now time.Time) error {
	if !up.VerifiedAt.IsZero() {
		return mail.Errorf(mail.CodeForbidden, "An agent of this human is signed up and verified.").WithReason(mail.ReasonAlreadyExists).
			WithFix("Use the API key that it has.")
	}
	return locked(up, now)
}

func locked(up *mail.SignUp, now time.Time) error {
	if !up.LockedUntil.After(now) {
		return nil
	}
	e := mail.Errorf(mail.CodeRateLimited, "Too many wrong codes.").WithFix("Sign up again when Retry-After is over, for a new code.")
	e.RetryAfter = up.LockedUntil.Sub(now)
	return e
}

// unverifiedPermissions are what the key of an agent has whose human has not confirmed it: nothing that leads around the
// list of whom it may write to.
func unverifiedPermissions() mail.Permissions {
	return mail.Permissions{mail.InboxRead: true, mail.InboxUpdate: true, mail.MessageRead: true, mail.MessageSend: true, mail.MessageUpdate: true, mail.MessageDelete: true,
		mail.LabelSpamRead: true, mail.LabelBlockedRead: true, mail.LabelUnauthenticatedRead: true, mail.LabelTrashRead: true,
		mail.DraftRead: true, mail.DraftCreate: true, mail.DraftUpdate: true, mail.DraftDelete: true, mail.DraftSend: true,
		mail.ListEntryRead: true, mail.MetricsRead: true, mail.PodRead: true}
}

// mailCode mails a new code, and notes it once the mail is queued: a code that was never mailed is mailed at the next try.
func (s *Server) mailCode(ctx context.Context, up mail.SignUp) error {
	n, err := rand.Int(s.random, big.NewInt(1_000_000))
	if err != nil {
		return fmt.Errorf("random code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	g, err := s.ownInbox(ctx, "agent-sign-up", "Agent sign-up")
	if err != nil {
		return err
	}
	text := fmt.Sprintf("An agent signed up for the inbox %s and says that you are the human behind it.\n\nIf you are, give it this code: %s\n\n"+
		"It is good for 24 hours. If you know nothing of it, do nothing: the agent can write to nobody but you.\n", up.Inbox, code)
	if _, err := s.Send(ctx, g, SendRequest{To: []string{up.HumanEmail}, Subject: "The code for your agent", Text: &text}); err != nil {
		return err
	}
	up.CodeHash, up.CodeExpiresAt, up.Wrong, up.LockedUntil = s.codeHash(up.Pod, code), s.clock.Now().Add(codeLife), 0, time.Time{}
	return s.store.For(mail.Scope{Pod: up.Pod}).Write(ctx, func(tx storage.Tx) error { return tx.UpdateSignUp(up) })
}

// ownInbox is an inbox of ours in the default pod, made when it is first needed. If the name is taken it has another.
func (s *Server) ownInbox(ctx context.Context, username, displayName string) (mail.Grant, error) {
	n := NewInbox{Username: username, ClientID: "podmail-" + username, DisplayName: displayName}
	inbox, err := s.CreateInbox(ctx, s.Operator(), n)
	if e, ok := errors.AsType[*mail.Error](err); ok && e.Reason == mail.ReasonResourceTaken {
		n.Username = ""
		inbox, err = s.CreateInbox(ctx, s.Operator(), n)
	}
	if err != nil {
		return mail.Grant{}, err
	}
	return narrowed(s.Operator(), inbox), nil
}

// codeHash is keyed, since there are few codes.
func (s *Server) codeHash(pod int64, code string) []byte {
	mac := hmac.New(sha256.New, s.organization.Secret)
	fmt.Fprintf(mac, "agent code %d %s", pod, code)
	return mac.Sum(nil)
}

// VerifySignUp confirms the code that was mailed to the human of the agent whose key asks: the key may do all in its pod
// then, and the pod write to everybody. Ten wrong codes lock it for a day.
func (s *Server) VerifySignUp(ctx context.Context, g mail.Grant, code string) error {
	if g.Scope.Pod == 0 {
		return mail.NotFound("Sign-up").WithFix("Use the API key that the sign-up answered with.")
	}
	now := s.clock.Now()
	var refused error // beside what is written all the same
	err := s.store.For(mail.Scope{Pod: g.Scope.Pod}).Write(ctx, func(tx storage.Tx) error {
		up, err := tx.FindSignUp()
		if err != nil || !up.VerifiedAt.IsZero() {
			return err
		}
		if err := locked(&up, now); err != nil {
			return err
		}
		if !up.CodeExpiresAt.After(now) {
			return mail.Invalid("otp_code", "is over").WithFix("Sign up again with the same human_email for a new code.")
		}
		if hmac.Equal(up.CodeHash, s.codeHash(up.Pod, strings.TrimSpace(code))) {
			return verified(tx, up, now)
		}
		refused = mail.Invalid("otp_code", "is not the code that was mailed").WithFix("Ask your human for the code; after ten wrong ones none is taken for a day.")
		if up.Wrong++; up.Wrong >= wrongCodes {
			up.CodeHash, up.CodeExpiresAt, up.Wrong, up.LockedUntil = nil, time.Time{}, 0, now.Add(codeLockTime)
		}
		return tx.UpdateSignUp(up)
	})
	if err == nil {
		err = refused
	}
	return coded(err, "Sign-up")
}

// verified lifts what held the agent back.
func verified(tx storage.Tx, up mail.SignUp, now time.Time) error {
	up.VerifiedAt, up.CodeHash, up.CodeExpiresAt = now, nil, time.Time{}
	if err := tx.UpdateSignUp(up); err != nil {
		return err
	}
	entry, err := tx.FindListEntry(mail.DirectionSend, mail.ListAllow, up.HumanEmail)
	if err == nil {
		err = tx.DeleteListEntry(entry.ID)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	key, err := tx.FindAPIKey(up.APIKeyID)
	if err != nil {
		return err
	}
	key.Permissions, key.UpdatedAt = nil, now
	return tx.UpdateAPIKey(key)
}
