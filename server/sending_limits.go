package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// SendingLimits is how many recipients may be written to, wherever they are. Zeros limit nothing.
type SendingLimits struct {
	Inbox, Pod, Organization mail.Rate // each of them; the operator may choose another for a pod
	NewPodPerDay             int64     // a pod on its first day, see mail.WarmUp
}

// sender is who may write to so many recipients.
type sender struct {
	what  string // for people
	scope mail.Scope
	rate  mail.Rate
	warms bool // the day's limit grows
}

// senders are those that a message of an inbox counts for, the narrowest first.
func (l SendingLimits) senders(inbox mail.Scope, pod mail.PodSending, now time.Time) []sender {
	of := sender{what: "pod", scope: mail.Scope{Pod: inbox.Pod}, rate: l.Pod}
	if pod.Rate != nil {
		of.rate = *pod.Rate
	} else if warm := mail.WarmUp(l.NewPodPerDay, now.Sub(pod.CreatedAt)); warm > 0 && (of.rate.PerDay == 0 || warm < of.rate.PerDay) {
		of.what, of.rate.PerDay, of.warms = "new pod", warm, true
	}
	return []sender{{what: "inbox", scope: inbox, rate: l.Inbox}, of, {what: "organization", rate: l.Organization}}
}

// countSent adds the recipients of a message, so many, to what its inbox, its pod and the organization have written to.
// CodeRateLimited if that is more than one of them may for now, CodeInvalid if one message never may have so many; then
// nothing is counted.
func (s *Server) countSent(sys storage.SystemTx, inbox *mail.Inbox, n int, now time.Time) error {
	pod, err := sys.For(mail.Scope{Pod: inbox.Pod}).FindPodSending()
	if err != nil {
		return err
	}
	limited := slices.DeleteFunc(s.sending.senders(inbox.Scope(), pod, now), func(of sender) bool { return of.rate.Least() == 0 })
	for _, of := range limited {
		if least := of.rate.Least(); int64(n) > least && !of.warms {
			return mail.Errorf(mail.CodeInvalid, "The message has %d recipients; the %s may write to %d at a time.", n, of.what, least).WithReason(mail.ReasonUnprocessable).
				WithFix("Send it in several messages.")
		}
	}
	var longest *mail.Error
	for _, of := range limited {
		sent, err := sys.For(of.scope).CountSent(n, now)
		if err != nil {
			return err
		}
		if until, limit, span, beyond := of.rate.Beyond(sent); beyond && (longest == nil || until.Sub(now) > longest.RetryAfter) {
			longest = mail.Errorf(mail.CodeRateLimited, "The %s may write to %s in one %s; try again in %s.", of.what, plural(limit, "recipient", "recipients"), span, about(until.Sub(now))).
				WithFix("Wait as long as Retry-After says, or ask the operator for a higher limit.")
			longest.RetryAfter = until.Sub(now)
		}
	}
	if longest == nil {
		return nil
	}
	for _, of := range limited {
		if _, err := sys.For(of.scope).CountSent(-n, now); err != nil {
			return err
		}
	}
	s.log.Info("a sending limit is reached", "inbox", inbox.Address, "recipients", n, "limit", longest.Message)
	return longest
}

// about is a time for people.
func about(d time.Duration) string {
	if d > time.Hour {
		return plural(int64((d+time.Hour-1)/time.Hour), "hour", "hours")
	}
	return plural(int64((d+time.Minute-1)/time.Minute), "minute", "minutes")
}

// PodLimit is how many recipients a pod may write to, and has.
type PodLimit struct {
	Rate   mail.Rate
	Chosen bool // by the operator, for this pod
	WarmUp bool // the day's limit is that of a new pod
	Sent   mail.Sent
}

// GetPodLimit tells how many recipients a pod may write to.
func (s *Server) GetPodLimit(ctx context.Context, g mail.Grant, podID string) (limit PodLimit, err error) {
	if err := g.Require(mail.PodRead); err != nil {
		return limit, err
	}
	in, err := s.InPod(ctx, g, podID)
	if err != nil {
		return limit, err
	}
	err = s.store.For(in.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		limit, err = s.podLimit(tx)
		return err
	})
	return limit, coded(err, "Pod")
}

// podLimit is what holds for the handle's pod.
func (s *Server) podLimit(tx storage.Tx) (limit PodLimit, err error) {
	now := s.clock.Now()
	pod, err := tx.FindPodSending()
	if err != nil {
		return limit, err
	}
	of := s.sending.senders(tx.Scope(), pod, now)[1]
	limit = PodLimit{Rate: of.rate, Chosen: pod.Rate != nil, WarmUp: of.warms}
	limit.Sent, err = tx.FindSent(now)
	return limit, err
}

// RateChange is what is to be changed of a pod's own limits; nil stays as it is, and is no limit if the pod had none of its own.
type RateChange struct{ PerHour, PerDay *int64 }

// LimitPod chooses how many recipients a pod may write to, whatever is set for all and however new it is.
func (s *Server) LimitPod(ctx context.Context, g mail.Grant, podID string, change RateChange) (PodLimit, error) {
	if change.PerHour == nil && change.PerDay == nil {
		return PodLimit{}, mail.Errorf(mail.CodeInvalid, "Nothing is to be changed.").WithFix("Give a number for an hour or for a day; 0 is as many as it likes.")
	}
	for field, n := range map[string]*int64{"per_hour": change.PerHour, "per_day": change.PerDay} {
		if n != nil && *n < 0 {
			return PodLimit{}, mail.Invalid(field, "must not be negative")
		}
	}
	return s.chooseRate(ctx, g, podID, func(own *mail.Rate) *mail.Rate {
		rate := mail.Rate{}
		if own != nil {
			rate = *own
		}
		if change.PerHour != nil {
			rate.PerHour = *change.PerHour
		}
		if change.PerDay != nil {
			rate.PerDay = *change.PerDay
		}
		return &rate
	})
}

// UnlimitPod has what is set for all hold for a pod again.
func (s *Server) UnlimitPod(ctx context.Context, g mail.Grant, podID string) error {
	_, err := s.chooseRate(ctx, g, podID, func(*mail.Rate) *mail.Rate { return nil })
	return err
}

// chooseRate changes a pod's own limits; nil: it has none. Who may make pods says how much they may send.
func (s *Server) chooseRate(ctx context.Context, g mail.Grant, podID string, change func(own *mail.Rate) *mail.Rate) (limit PodLimit, err error) {
	if err := operators(g, mail.PodCreate, "sets limits"); err != nil {
		return limit, err
	}
	in, err := s.InPod(ctx, g, podID)
	if err != nil {
		return limit, err
	}
	err = s.store.For(in.Scope).Write(ctx, func(tx storage.Tx) error {
		pod, err := tx.FindPodSending()
		if err != nil {
			return err
		}
		if err := tx.UpdatePodSending(change(pod.Rate)); err != nil {
			return err
		}
		limit, err = s.podLimit(tx)
		return err
	})
	return limit, coded(err, "Pod")
}

// forgetSent removes some counts that are over, and tells whether there may be more.
func (s *Server) forgetSent(ctx context.Context) (more bool, err error) {
	now := s.clock.Now()
	var removed int64
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) (err error) {
		removed, err = sys.ForgetSent(now, sweepBatch)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("forget sending counts: %w", err)
	}
	return removed == sweepBatch, nil
}
