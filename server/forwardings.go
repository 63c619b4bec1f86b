package server

import (
	"context"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/storage"
)

// NewForwarding is to whom an inbox is to hand on what arrives in it.
type NewForwarding struct {
	Addresses []string // as callers write them: `a@b` or `Name <a@b>`
	KeepCopy  bool
}

// GetForwarding finds an inbox that hands its mail on, and to whom. CodeNotFound if it does not.
func (s *Server) GetForwarding(ctx context.Context, g mail.Grant, inboxID string) (mail.Inbox, error) {
	inbox, err := s.GetInbox(ctx, g, inboxID)
	if err == nil && inbox.Forwarding == nil {
		err = noForwarding(&inbox)
	}
	return inbox, err
}

func noForwarding(inbox *mail.Inbox) error {
	return mail.NotFound("Forwarding").WithFix("%s hands nothing on; PUT says to whom it shall.", inbox.Address)
}

// SetForwarding has an inbox hand on what arrives in it from now on.
func (s *Server) SetForwarding(ctx context.Context, g mail.Grant, inboxID string, n NewForwarding) (mail.Inbox, error) {
	if err := g.Require(mail.InboxUpdate); err != nil {
		return mail.Inbox{}, err
	}
	inbox, err := s.findInbox(ctx, g, inboxID)
	if err != nil {
		return inbox, err
	}
	inbox.Forwarding = &mail.Forwarding{KeepCopy: n.KeepCopy, UpdatedAt: s.clock.Now()}
	if inbox.Forwarding.Addresses, err = s.forwardAddresses(ctx, &inbox, n.Addresses); err != nil {
		return inbox, err
	}
	err = s.store.For(inbox.Scope()).Write(ctx, func(tx storage.Tx) error { return tx.UpdateForwarding(inbox.Forwarding) })
	return inbox, coded(err, "Inbox")
}

// RemoveForwarding has an inbox keep what arrives in it.
func (s *Server) RemoveForwarding(ctx context.Context, g mail.Grant, inboxID string) error {
	if err := g.Require(mail.InboxUpdate); err != nil {
		return err
	}
	inbox, err := s.findInbox(ctx, g, inboxID)
	if err != nil {
		return err
	}
	if inbox.Forwarding == nil {
		return noForwarding(&inbox)
	}
	return coded(s.store.For(inbox.Scope()).Write(ctx, func(tx storage.Tx) error { return tx.UpdateForwarding(nil) }), "Inbox")
}

// ListForwardings lists for the operator the inboxes that hand their mail on.
func (s *Server) ListForwardings(ctx context.Context, g mail.Grant, p mail.Page) (inboxes []mail.Inbox, next string, err error) {
	if g.KeyScope.Type() != mail.ScopeOrganization {
		return nil, "", mail.Errorf(mail.CodeForbidden, "Forbidden")
	}
	err = s.store.System().Read(ctx, func(sys storage.SystemTx) (err error) {
		inboxes, next, err = sys.ListForwarding(p)
		return err
	})
	return inboxes, next, coded(err, "Inboxes")
}

// forwardAddresses checks to whom an inbox is to hand its mail on.
func (s *Server) forwardAddresses(ctx context.Context, inbox *mail.Inbox, texts []string) (addresses []string, err error) {
	if len(texts) == 0 {
		return nil, mail.Invalid("addresses", "must name at least one address").WithFix("DELETE ends the forwarding.")
	}
	if len(texts) > mail.MaxForwards {
		return nil, mail.Invalid("addresses", "has at most %d addresses", mail.MaxForwards)
	}
	seen := map[string]bool{}
	for _, text := range texts {
		a, err := parse.Address(text)
		if err != nil {
			return nil, mail.Invalid("addresses", "%v", err)
		}
		address := a.Addr()
		if seen[mail.CanonicalAddress(address)] {
			return nil, mail.Invalid("addresses", "has %s twice", address)
		}
		seen[mail.CanonicalAddress(address)] = true
		if err := s.checkForward(ctx, inbox, address); err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, s.mayReach(ctx, &outgoing{inbox: *inbox, recipients: addresses})
}

// checkForward refuses an address of ours that is the inbox itself, or nobody's.
func (s *Server) checkForward(ctx context.Context, inbox *mail.Inbox, address string) error {
	to, err := s.Recipient(ctx, "", address)
	switch code := mail.CodeOf(err); {
	case err == nil && to.Address == inbox.Address && to.ReturnsTo == "":
		return mail.Invalid("addresses", "%s is the inbox itself", address).WithFix("Leave it out; keep_copy keeps what arrives.")
	case err == nil && (to.ID == 0 || to.ReturnsTo != ""):
		return mail.Invalid("addresses", "%s takes no mail of this kind", address)
	case code == mail.CodeNotFound:
		return mail.Invalid("addresses", "there is no mailbox %s here", address).WithFix("Create that inbox first.")
	case code == mail.CodeForbidden: // another host's
		return nil
	}
	return err
}
