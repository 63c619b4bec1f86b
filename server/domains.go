package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// NewDomain asks for a domain. All fields but Name may be empty.
type NewDomain struct {
	Name, ClientID                                      string
	FeedbackEnabled, SubdomainsEnabled, TrackingEnabled bool
	AllowConflictingProvider                            bool
}

// DomainUpdate changes a domain. What is nil stays as it is.
type DomainUpdate struct {
	FeedbackEnabled, SubdomainsEnabled, TrackingEnabled *bool
}

// firstCheck is how long after its creation a domain is first checked in the background: nobody is faster.
const firstCheck = time.Minute

// CreateDomain registers a domain in the grant's pod, or under the organization for all pods, or returns the one that
// has the client id already.
func (s *Server) CreateDomain(ctx context.Context, g mail.Grant, n NewDomain) (d mail.Domain, err error) {
	if err := g.Require(mail.DomainCreate); err != nil {
		return d, err
	}
	n.Name = domainName(n.Name)
	if !mail.ValidDomain(n.Name) || !strings.Contains(n.Name, ".") {
		return d, mail.Invalid("domain", "is no domain name, such as example.com; names in other scripts are given in their ASCII form, xn--…")
	}
	if n.ClientID != "" && !validClientID(n.ClientID) {
		return d, invalidClientID()
	}
	if have, err := s.domainThere(ctx, g, n); err != nil || have.ID != 0 { // before it costs look-ups and keys
		return have, err
	}
	if err := s.checkProvider(ctx, n); err != nil {
		return d, err
	}
	keys, err := s.newDKIMKeys(firstSelector)
	if err != nil {
		return d, err
	}
	now := s.clock.Now()
	made := mail.Domain{Name: n.Name, ClientID: n.ClientID, Status: mail.DomainNotStarted, FeedbackEnabled: n.FeedbackEnabled, SubdomainsEnabled: n.SubdomainsEnabled,
		TrackingEnabled: n.TrackingEnabled, SharesMX: n.AllowConflictingProvider, FailingSince: now, NextCheckAt: now.Add(firstCheck), CreatedAt: now}
	made.Records = mail.RecordsOf(&made, keys, s.hostname)
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if d, err = domainOf(sys, g, n); err != nil || d.ID != 0 {
			return err
		}
		tx := sys.For(mail.Scope{Pod: g.Scope.Pod})
		if made.Pod = g.Scope.Pod; made.Pod != 0 {
			pod, err := tx.FindPodByID(made.Pod)
			if err != nil {
				return err
			}
			made.PodID = pod.PodID
		}
		d, err = tx.InsertDomain(made, keys)
		return err
	})
	if errors.Is(err, storage.ErrTaken) {
		return d, domainTaken(n.Name)
	}
	return d, coded(err, "Pod")
}

func domainTaken(name string) error {
	return mail.Errorf(mail.CodeForbidden, "The domain %s is registered already.", name).WithReason(mail.ReasonResourceTaken).
		WithFix("Use the domain that is there, or delete it first where it is registered.")
}

// domainName is the form under which domains are kept.
func domainName(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

func (s *Server) domainThere(ctx context.Context, g mail.Grant, n NewDomain) (d mail.Domain, err error) {
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		d, err = domainOf(sys, g, n)
		return err
	})
	return d, coded(err, "Domain")
}

// domainOf finds the domain that has the request's client id already, and else makes sure that the name is free. The
// zero Domain says that it is.
func domainOf(sys storage.SystemTx, g mail.Grant, n NewDomain) (mail.Domain, error) {
	if n.ClientID != "" {
		if have, err := sys.For(mail.Scope{Pod: g.Scope.Pod}).FindDomainByClientID(n.ClientID); !errors.Is(err, storage.ErrNotFound) {
			return have, err
		}
	}
	taken, err := sys.HasDomain(n.Name)
	if err == nil && taken {
		err = domainTaken(n.Name)
	}
	return mail.Domain{}, err
}

// GetDomain finds a domain by its name, under the organization the installation's own too.
func (s *Server) GetDomain(ctx context.Context, g mail.Grant, name string) (mail.Domain, error) {
	if err := g.Require(mail.DomainRead); err != nil {
		return mail.Domain{}, err
	}
	return s.findDomain(ctx, g, name)
}

// findDomain gives the installation's own domain its keys, if nobody has asked for it yet.
func (s *Server) findDomain(ctx context.Context, g mail.Grant, name string) (d mail.Domain, err error) {
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		d, err = tx.FindOwnDomain(domainName(name))
		return err
	})
	if err == nil && d.Builtin && len(d.Records) == 0 {
		return s.beginBuiltin(ctx, d.ID)
	}
	return d, coded(err, "Domain")
}

// ListDomains lists the domains of the grant's scope: a pod's own, or under the organization all.
func (s *Server) ListDomains(ctx context.Context, g mail.Grant, p mail.Page) (domains []mail.Domain, next string, err error) {
	if err := g.Require(mail.DomainRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		domains, next, err = tx.ListDomains(p)
		return err
	})
	return domains, next, coded(err, "Domains")
}

// UpdateDomain changes a domain's settings. What needs another record makes it PENDING until the record is there; mail
// to and from the domain itself goes on.
func (s *Server) UpdateDomain(ctx context.Context, g mail.Grant, name string, u DomainUpdate) (d mail.Domain, err error) {
	if err := g.Require(mail.DomainUpdate); err != nil {
		return d, err
	}
	now, verified := s.clock.Now(), false
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		if d, err = sys.For(g.Scope).FindDomain(domainName(name)); err != nil {
			return err
		}
		tx := sys.For(d.Scope()) // where what happens to it is told, whoever asks
		keys, err := tx.FindDomainKeys(d.ID)
		if err != nil {
			return err
		}
		u.apply(&d)
		d.UpdatedAt = now
		if verified = reconsider(&d, mail.RecordsOf(&d, keys, s.hostname), now); verified {
			if err := tx.InsertDomainEvent(domainVerified(&d, now)); err != nil {
				return err
			}
		}
		return tx.UpdateDomain(d)
	})
	if err == nil && verified {
		s.hub.Wake(d.Scope())
	}
	return d, coded(err, "Domain")
}

func (u DomainUpdate) apply(d *mail.Domain) {
	for _, f := range []struct{ into, from *bool }{
		{&d.FeedbackEnabled, u.FeedbackEnabled}, {&d.SubdomainsEnabled, u.SubdomainsEnabled}, {&d.TrackingEnabled, u.TrackingEnabled},
	} {
		if f.from != nil {
			*f.into = *f.from
		}
	}
}

// ZoneFile writes what the domain publishes in the form that name servers read.
func (s *Server) ZoneFile(ctx context.Context, g mail.Grant, name string) (string, error) {
	d, err := s.GetDomain(ctx, g, name)
	if err != nil {
		return "", err
	}
	return mail.ZoneFile(d.Records), nil
}

// deleteBatch is how many inboxes of a domain are hidden in one transaction.
const deleteBatch = 100

// DeleteDomain removes a domain with its inboxes and all that is under them. When it returns, nothing of it can be seen
// any more; the rows are removed in the background. Its inboxes are hidden in batches, which others' writes go between;
// if that is cut off, the sweeper goes on with it.
func (s *Server) DeleteDomain(ctx context.Context, g mail.Grant, name string) error {
	if err := g.Require(mail.DomainDelete); err != nil {
		return err
	}
	now := s.clock.Now()
	var d mail.Domain
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) (err error) {
		if d, err = tx.FindDomain(domainName(name)); err != nil {
			return err
		}
		return tx.HideDomain(d, now)
	})
	for more := true; more && err == nil; {
		more, err = s.emptyDomain(ctx, storage.Job{Scope: d.Scope(), ID: d.ID})
	}
	poke(s.sweep)
	return coded(err, "Domain")
}

// emptyDomain hides some inboxes of a deleted domain, and removes the domain once there are none.
func (s *Server) emptyDomain(ctx context.Context, job storage.Job) (more bool, err error) {
	now := s.clock.Now()
	var hidden []storage.Job
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
		tx := sys.For(job.Scope)
		if hidden, err = tx.ListDomainInboxes(job.ID, deleteBatch); err != nil {
			return err
		}
		for _, inbox := range hidden {
			if err := hideInbox(sys, inbox.Scope, now); err != nil {
				return err
			}
		}
		if more = len(hidden) == deleteBatch; more {
			return nil
		}
		return tx.DeleteDomain(job.ID)
	})
	for _, inbox := range hidden {
		s.hub.Wake(inbox.Scope)
	}
	return more, err
}
