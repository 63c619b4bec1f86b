package storage

import (
	"fmt"
	"time"

	"podmail/mail/mtasts"
	"podmail/storage/sqlite"
)

var (
	listPolicies = tables.Compile(`SELECT p.domain, p.policy FROM sts_policies p WHERE p.expires_at > ?1 AND {organization} ORDER BY p.expires_at DESC LIMIT ?2`)
	upsertPolicy = tables.Compile(`INSERT INTO sts_policies (domain, policy, expires_at) SELECT ?1, ?2, ?3 WHERE {organization}
		ON CONFLICT (domain) DO UPDATE SET policy = excluded.policy, expires_at = excluded.expires_at`)
	forgetPolicies = tables.Compile(`DELETE FROM sts_policies WHERE domain IN (SELECT p.domain FROM sts_policies p WHERE p.expires_at <= ?1 AND {organization} LIMIT ?2)`)
)

// ListPolicies lists the MTA-STS policies that still hold, those that do for longest first.
func (tx SystemTx) ListPolicies(now time.Time, limit int) ([]mtasts.Fetched, error) {
	return all(tx.Tx, listPolicies, func(r *sqlite.Row) (p mtasts.Fetched, err error) {
		var domain, text string
		if err := r.Scan(&domain, &text); err != nil {
			return p, err
		}
		if err := decode(text, &p); err != nil {
			return p, fmt.Errorf("MTA-STS policy of %s: %w", domain, err)
		}
		return p, nil
	}, now, limit)
}

// PutPolicy stores a domain's MTA-STS policy in place of the one before.
func (tx SystemTx) PutPolicy(p mtasts.Fetched) error {
	_, err := tx.tx.Exec(upsertPolicy, p.Domain, encode(p), p.ExpiresAt())
	return err
}

// ForgetPolicies removes some of the policies that hold no more.
func (tx SystemTx) ForgetPolicies(now time.Time, limit int) error {
	_, err := tx.tx.Exec(forgetPolicies, now, limit)
	return err
}
