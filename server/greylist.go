package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// Greylisting asks strangers to come again (RFC 6647): a mail server does, most senders of spam do not.
const (
	greyWait   = 5 * time.Minute     // before which a stranger may not come again
	greyRetry  = 24 * time.Hour      // after which he is a stranger again if he did not
	greyKnown  = 36 * 24 * time.Hour // for which he is known if he did
	greyRenew  = 24 * time.Hour      // how often that is written down anew
	greyForget = 20                  // that are forgotten with each that is noted
	greyMost   = 500_000             // callers that are remembered, of all inboxes: some 100 MB; see IntakeRules
	greySweep  = 10_000              // after so many new ones it is looked whether they are more
	greyBatch  = 2000                // that are forgotten in one transaction then
)

// greylist refuses for now what comes from a stranger to one of the inboxes. It lets through who proves what domain he
// sends for, and what the inbox's lists decide.
func (s *Server) greylist(ctx context.Context, inboxes []mail.Inbox, p *mail.Parsed, r received) error {
	a := r.authentication
	if !s.rules.Greylist || a == nil || r.toRoles || a.SPF.Result == mail.AuthPass || a.DMARC.Result == mail.AuthPass {
		return nil
	}
	caller := callerOf(a)
	var wait bool
	for i := range inboxes {
		v, err := s.judgeSender(ctx, inboxes[i].Scope(), &p.Envelope, r.reversePath)
		if err != nil {
			return coded(err, "Mailbox")
		}
		if v.Blocked || v.Entry != nil {
			continue
		}
		known, err := s.meet(ctx, inboxes[i].Scope(), caller, r.at)
		if err != nil {
			return coded(err, "Mailbox")
		}
		wait = wait || !known
	}
	if wait {
		return s.counters.turnedAway(mail.ByGreylist, mail.Errorf(mail.CodeRateLimited, "Greylisted: we do not know you yet, try again in %d minutes.", int(greyWait.Minutes())))
	}
	return nil
}

// forgetCallers forgets some of the callers that are too many, and tells whether there are more: whoever sends under ever
// new names from ever new networks fills no disk. Strangers go first, the longest waiting before the others; whoever has
// come again is remembered for longer than any of them.
func (s *Server) forgetCallers(ctx context.Context) (more bool, err error) {
	var n int
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		n, err = sys.CountCallers()
		return err
	})
	beyond := n - cmp.Or(s.rules.GreylistSize, greyMost)
	if err != nil || beyond <= 0 {
		return false, err
	}
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error { return sys.ForgetSoonest(min(beyond, greyBatch)) })
	return beyond > greyBatch, err
}

// callerOf names a network and a sender. A large sender tries again from another of its addresses.
func callerOf(a *mail.Authentication) []byte {
	bits := 24
	if a.Remote.Is6() {
		bits = 64
	}
	network, err := a.Remote.Prefix(bits)
	if err != nil {
		network = netip.Prefix{}
	}
	sum := sha256.Sum256([]byte(network.String() + " " + strings.ToLower(a.ReversePath)))
	return sum[:16]
}

// meet tells whether an inbox knows a caller, and remembers him.
func (s *Server) meet(ctx context.Context, inbox mail.Scope, caller []byte, now time.Time) (known bool, err error) {
	var seen, expires time.Time
	err = s.store.For(inbox).Read(ctx, func(tx storage.Tx) (err error) {
		seen, expires, err = tx.FindCaller(caller, now)
		return err
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		seen, expires = now, now.Add(greyRetry)
	case err != nil:
		return false, err
	case now.Before(seen.Add(greyWait)):
		return false, nil
	case expires.After(now.Add(greyKnown - greyRenew)):
		return true, nil
	default:
		known, expires = true, now.Add(greyKnown)
	}
	if !known && s.strangers.Add(1)%greySweep == 0 {
		poke(s.sweep)
	}
	return known, s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		if err := sys.ForgetCallers(now, greyForget); err != nil {
			return err
		}
		return sys.For(inbox).KeepCaller(caller, seen, expires)
	})
}
