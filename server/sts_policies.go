package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"podmail/mail"
	"podmail/mail/mtasts"
	"podmail/storage"
)

const (
	policiesKnown  = 10_000           // that are remembered at the start
	policyKeepTime = 10 * time.Second // for writing one down
	policyForget   = 10               // that are forgotten with each that is kept
)

// PolicyBook remembers domains' MTA-STS policies over restarts: who fetched one holds a domain to it for as long as it was
// said to hold, even if somebody in between hides now that there is one (RFC 8461 10.2). It stands beside the Server, since
// the courier needs it before there is one.
type PolicyBook struct {
	store *storage.Store
	clock mail.Clock
	log   *slog.Logger
}

// NewPolicyBook returns a PolicyBook in an open store.
func NewPolicyBook(store *storage.Store, clock mail.Clock, log *slog.Logger) *PolicyBook {
	return &PolicyBook{store, clock, log}
}

// Known lists the policies that hold.
func (b *PolicyBook) Known(ctx context.Context) (policies []mtasts.Fetched, err error) {
	now := b.clock.Now()
	err = b.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		policies, err = sys.ListPolicies(now, policiesKnown)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("MTA-STS policies: %w", err)
	}
	return policies, nil
}

// Keep writes a policy down. If it cannot, the policy is fetched again after the next start.
func (b *PolicyBook) Keep(p mtasts.Fetched) {
	ctx, cancel := context.WithTimeout(context.Background(), policyKeepTime)
	defer cancel()
	now := b.clock.Now()
	err := b.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) error {
		if err := sys.ForgetPolicies(now, policyForget); err != nil {
			return err
		}
		return sys.PutPolicy(p)
	})
	if err != nil {
		b.log.Warn("an MTA-STS policy is not remembered", "domain", p.Domain, "error", err)
	}
}
