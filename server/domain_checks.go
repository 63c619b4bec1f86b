package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"podmail/mail"
	"podmail/server/dns"
	"podmail/storage"
)

const (
	checkTime     = 10 * time.Second   // for all look-ups of a domain
	providerTime  = 5 * time.Second    // for the look-up that its creation waits for
	recheckAfter  = time.Minute        // what is wanting, doubled each time …
	recheckAtMost = time.Hour          // … up to this
	recheckGood   = 6 * time.Hour      // verified domains
	recheckFailed = 24 * time.Hour     // domains that were given up
	recheckUnsure = 5 * time.Minute    // when DNS gave no answer
	graceTime     = 3 * 24 * time.Hour // for which a domain that was verified is served without its records
	giveUpTime    = 14 * 24 * time.Hour
)

// lookedUp is what DNS has at the names of a domain's records. A record that is not in it could not be looked up.
type lookedUp map[recordKey][]string

type recordKey struct {
	kind mail.RecordType
	name string
}

// VerifyDomain looks a domain's records up now.
func (s *Server) VerifyDomain(ctx context.Context, g mail.Grant, name string) error {
	if err := g.Require(mail.DomainUpdate); err != nil {
		return err
	}
	d, err := s.findDomain(ctx, g, name)
	if err != nil {
		return err
	}
	return s.checkDomain(ctx, storage.Job{Scope: d.Scope(), ID: d.ID})
}

// checkDomain looks a domain's records up and notes what it finds.
func (s *Server) checkDomain(ctx context.Context, job storage.Job) error {
	at := s.store.For(job.Scope)
	var d mail.Domain
	var keys []mail.DKIMKey
	find := func(tx storage.Tx) (err error) {
		if d, err = tx.FindDomainByID(job.ID); err != nil {
			return err
		}
		keys, err = tx.FindDomainKeys(job.ID)
		return err
	}
	err := at.Read(ctx, find)
	if errors.Is(err, storage.ErrNotFound) {
		return mail.NotFound("Domain") // deleted meanwhile
	} else if err != nil {
		return coded(err, "Domain")
	}
	found := s.lookUp(ctx, mail.RecordsOf(&d, keys, s.hostname))
	if ctx.Err() != nil {
		return coded(ctx.Err(), "Domain")
	}
	now := s.clock.Now()
	verified := false
	var keysTurn turn
	err = at.Write(ctx, func(tx storage.Tx) (err error) {
		if err := find(tx); err != nil { // its settings and keys may have changed meanwhile
			return err
		}
		if keysTurn, err = s.turnKeys(tx, &d, keys, found, now); err != nil {
			return err
		}
		if verified = judgeDomain(&d, found, now); verified {
			if err := tx.InsertDomainEvent(domainVerified(&d, now)); err != nil {
				return err
			}
		}
		return tx.UpdateDomain(d)
	})
	if err != nil {
		return coded(err, "Domain")
	}
	if verified {
		s.hub.Wake(job.Scope)
	}
	keysTurn.tell(s.log, d.Name, now)
	s.log.Info("domain checked", "domain", d.Name, "status", d.Status, "reason", d.Reason, "next", d.NextCheckAt)
	return nil
}

// lookUp asks DNS for records, all at once.
func (s *Server) lookUp(ctx context.Context, records []mail.DomainRecord) lookedUp {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found := lookedUp{}
	var mu sync.Mutex
	var asking errgroup.Group
	for _, r := range records {
		asking.Go(func() error {
			ask := s.resolver.LookupTXT
			switch r.Type {
			case mail.RecordMX:
				ask = s.lookUpHosts
			case mail.RecordCNAME:
				ask = s.resolver.LookupCNAME
			}
			values, err := ask(ctx, r.Name)
			if err != nil {
				s.log.Warn("a domain's record could not be looked up; it is tried again", "type", r.Type, "name", r.Name, "error", err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			found[recordKey{r.Type, r.Name}] = values
			return nil
		})
	}
	_ = asking.Wait() // no error is returned above
	return found
}

// lookUpHosts looks up who takes mail for a name.
func (s *Server) lookUpHosts(ctx context.Context, name string) ([]string, error) {
	records, err := s.resolver.LookupMX(ctx, name)
	return dns.Hosts(records), err
}

// judgeRecords compares records with what was found. What could not be looked up counts as it did before.
func judgeRecords(d *mail.Domain, found lookedUp) {
	for i := range d.Records {
		r := &d.Records[i]
		if values, sure := found[recordKey{r.Type, r.Name}]; sure {
			r.Judge(values, d.SharesMX)
		}
	}
}

// judgeDomain works out what follows from a check whose records are judged, and tells whether the domain is verified now and was not before.
func judgeDomain(d *mail.Domain, found lookedUp, now time.Time) (verified bool) {
	unsure, wanting := false, false
	for i := range d.Records {
		r := &d.Records[i]
		_, sure := found[recordKey{r.Type, r.Name}]
		unsure = unsure || !sure && r.Use == ""
		wanting = wanting || r.Essential() && r.Status != mail.RecordValid
		if r.Name == "*."+d.Name && r.Status == mail.RecordValid {
			d.SubdomainsVerified = true
		}
	}
	before := d.Status
	status, reason := mail.DomainVerdict(d.Records)
	if !unsure || before != mail.DomainNotStarted && before != mail.DomainFailed {
		d.Status, d.Reason = status, reason
	}
	if before == mail.DomainFailed && wanting {
		d.Status = before
	}
	if d.Status != before {
		d.UpdatedAt = now
	}
	if !d.Builtin { // which is served whatever its records are
		useOrGiveUp(d, wanting, unsure, now)
	}
	d.NextCheckAt = now.Add(nextCheck(d, unsure))
	return d.Status == mail.DomainVerified && before != mail.DomainVerified
}

// reconsider works out what follows from a change of what a domain has to publish, by what is known of its records.
// It tells whether the domain is verified now and was not before: a record that was wanting is not asked for any more.
func reconsider(d *mail.Domain, records []mail.DomainRecord, now time.Time) (verified bool) {
	carryOver(records, d.Records)
	d.Records = records
	d.SubdomainsVerified = d.SubdomainsVerified && d.SubdomainsEnabled
	before := d.Status
	status, reason := mail.DomainVerdict(records)
	switch {
	case before == mail.DomainNotStarted:
		return false
	case status == mail.DomainVerified:
		d.Verified, d.FailingSince = true, time.Time{}
	case before == mail.DomainFailed:
		return false
	default:
		d.Checks, d.NextCheckAt = 0, now.Add(firstCheck)
	}
	d.Status, d.Reason = status, reason
	return status == mail.DomainVerified && before != mail.DomainVerified
}

func domainVerified(d *mail.Domain, now time.Time) mail.Event {
	return mail.Event{Type: mail.EventDomainVerified, Details: map[string]any{"domain_id": d.Name}, CreatedAt: now}
}

// carryOver keeps what is known of records that stay as they were.
func carryOver(records, before []mail.DomainRecord) {
	for i := range records {
		for _, b := range before {
			if r := &records[i]; r.Type == b.Type && r.Name == b.Name && r.Value == b.Value {
				r.Status, r.Reason = b.Status, b.Reason
			}
		}
	}
}

// useOrGiveUp decides whether the domain is served. One that was verified is served on while its records are away for
// a while; one that lacks them for long is given up.
func useOrGiveUp(d *mail.Domain, wanting, unsure bool, now time.Time) {
	switch {
	case !wanting:
		d.FailingSince = time.Time{}
	case d.FailingSince.IsZero():
		d.FailingSince = now
	}
	if d.Status == mail.DomainVerified {
		d.Verified = true
	}
	patience := giveUpTime
	if d.Verified {
		patience = graceTime
	}
	if wanting && !unsure && now.Sub(d.FailingSince) > patience {
		d.Verified, d.SubdomainsVerified, d.Status = false, false, mail.DomainFailed
	}
}

// nextCheck is when to look again: soon while records are awaited, seldom when all is well or given up.
func nextCheck(d *mail.Domain, unsure bool) time.Duration {
	switch {
	case unsure:
		return recheckUnsure
	case d.Status == mail.DomainVerified && !awaitsKeys(d):
		d.Checks = 0
		return recheckGood
	case d.Status == mail.DomainFailed:
		return recheckFailed
	}
	wait := min(recheckAfter<<min(d.Checks, 6), recheckAtMost)
	d.Checks++
	return wait
}

// checkProvider refuses a domain whose mail goes elsewhere: its MX records would have to change, which the caller may
// not know. Where DNS gives no answer, the checks that follow will.
func (s *Server) checkProvider(ctx context.Context, n NewDomain) error {
	if n.AllowConflictingProvider {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, providerTime)
	defer cancel()
	hosts, err := s.lookUpHosts(ctx, n.Name)
	if err != nil {
		s.log.Warn("the MX of a new domain could not be looked up", "domain", n.Name, "error", err)
	}
	for _, host := range hosts {
		if host != s.hostname && host != "." { // a null MX: no mail at all (RFC 7505)
			return mail.Errorf(mail.CodeInvalid, "The mail of %s goes to another provider: its MX is %s.", n.Name, host).WithReason(mail.ReasonUnprocessable).
				WithFix("Register a subdomain instead, or set allow_conflicting_provider.")
		}
	}
	return nil
}
