package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// Keys are changed without a gap: new ones are made under selectors of their own and shown as what to publish next; mail is
// signed with the old ones until the background check finds all records of the new; then the old ones' records are to stay
// for mail.KeyOverlap, and are listed until that is over.

// RotateKeys gives a domain new keys, which take over once their records are published. If that waits already, it goes on
// waiting, for the same keys.
func (s *Server) RotateKeys(ctx context.Context, g mail.Grant, name string) (d mail.Domain, err error) {
	if err := g.Require(mail.DomainUpdate); err != nil {
		return d, err
	}
	if d, err = s.findDomain(ctx, g, name); err != nil {
		return d, err
	}
	if awaitsKeys(&d) { // before it costs keys
		return d, nil
	}
	now := s.clock.Now()
	made, err := s.newDKIMKeys(firstSelector + "-" + now.UTC().Format("20060102"))
	if err != nil {
		return d, err
	}
	err = s.store.For(d.Scope()).Write(ctx, func(tx storage.Tx) (err error) {
		if d, err = tx.FindDomainByID(d.ID); err != nil {
			return err
		}
		keys, err := tx.FindDomainKeys(d.ID)
		if err != nil || mail.HasNextKeys(keys) {
			return err
		}
		keys = append(keys, renamed(made, keys)...)
		before := d.Records
		d.Records = mail.RecordsOf(&d, keys, s.hostname)
		carryOver(d.Records, before)
		d.Checks, d.NextCheckAt, d.UpdatedAt = 0, now.Add(firstCheck), now
		if err := tx.UpdateDomainKeys(d.ID, keys); err != nil {
			return err
		}
		return tx.UpdateDomain(d)
	})
	return d, coded(err, "Domain")
}

// renamed are new keys as those that take over, under selectors that none of the others has.
func renamed(made, others []mail.DKIMKey) (next []mail.DKIMKey) {
	for _, k := range made {
		selector := k.Selector
		for n := 2; slices.ContainsFunc(others, func(o mail.DKIMKey) bool { return o.Selector == k.Selector }); n++ {
			k.Selector = fmt.Sprintf("%s-%d", selector, n)
		}
		k.Next = true
		next = append(next, k)
	}
	return next
}

// awaitsKeys tells whether a domain's new keys wait for their records.
func awaitsKeys(d *mail.Domain) bool {
	return slices.ContainsFunc(d.Records, func(r mail.DomainRecord) bool { return r.Use == mail.RecordNext })
}

// turn is the selectors of keys that a rotation went on with.
type turn struct{ began, dropped []string }

// turnKeys judges a domain's records, and goes on with the rotation of its keys as far as they allow.
func (s *Server) turnKeys(tx storage.Tx, d *mail.Domain, keys []mail.DKIMKey, found lookedUp, now time.Time) (t turn, err error) {
	before := d.Records
	d.Records = mail.RecordsOf(d, keys, s.hostname)
	carryOver(d.Records, before)
	judgeRecords(d, found)
	var turned []mail.DKIMKey
	turned, t.began, t.dropped = mail.TurnKeys(keys, d.Records, now)
	if len(t.began)+len(t.dropped) == 0 {
		return t, nil
	}
	before = d.Records
	d.Records = mail.RecordsOf(d, turned, s.hostname)
	carryOver(d.Records, before)
	d.UpdatedAt = now
	return t, tx.UpdateDomainKeys(d.ID, turned)
}

// tell says what the operator is to do about the domain's records.
func (t *turn) tell(log *slog.Logger, domain string, now time.Time) {
	if len(t.began) > 0 {
		log.Info("new keys sign from now on; keep the records of the old ones", "domain", domain, "selectors", t.began, "until", now.Add(mail.KeyOverlap))
	}
	if len(t.dropped) > 0 {
		log.Info("the records of old keys can be removed", "domain", domain, "selectors", t.dropped)
	}
}
