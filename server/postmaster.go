package server

import (
	"context"
	"errors"
	"slices"

	"podmail/mail"
	"podmail/storage"
)

// Whoever has trouble with mail writes to postmaster@ or abuse@ (RFC 5321 4.5.1, RFC 2142 2 and 4), at whichever domain he
// met, and must reach the operator. A pod that has an inbox of such a name for a domain of its own gets that mail itself.

// isRole tells whether a local part is one that every domain has.
func isRole(local string) bool { return local == "postmaster" || local == "abuse" }

// toRoles tells whether a message is to roles alone. Such a one is refused for viruses only, whatever else is thought of
// its sender: whoever was listed or refused by mistake must have somebody to tell it to. Beside another recipient a role
// changes nothing, or it would open every inbox.
func toRoles(recipients []string) bool {
	return !slices.ContainsFunc(recipients, func(address string) bool {
		local, _, ok := mail.SplitAddress(inboxAddress(address))
		return ok && !isRole(local) || !ok && mail.CanonicalAddress(address) != "postmaster"
	})
}

// isOperators tells whether an address is the operator's whatever inboxes and domains there are: bare postmaster, and the
// roles at the host itself.
func (s *Server) isOperators(address string) bool {
	local, domain, ok := mail.SplitAddress(address)
	if !ok {
		return address == "postmaster"
	}
	return isRole(local) && domain == s.hostname
}

// namedInbox is the inbox that an address of ours means; bare postmaster stands for the operator's.
func (s *Server) namedInbox(sys storage.SystemTx, address string) (string, error) {
	inbox := inboxAddress(address)
	if local, _, _ := mail.SplitAddress(inbox); !isRole(local) {
		return inbox, nil
	}
	_, err := sys.FindInbox(inbox)
	if errors.Is(err, storage.ErrNotFound) {
		return "postmaster", nil
	}
	return inbox, err
}

// operatorsInbox finds the inbox of the operator: the one that is set, else postmaster@ of the default domain, which is
// made in the default pod when it is first needed.
func (s *Server) operatorsInbox(ctx context.Context) (inbox mail.Inbox, err error) {
	fallback := "postmaster@" + s.defaultDomain
	find := func() error {
		return s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
			if s.postmaster != "" {
				if inbox, err = tx.FindInbox(inboxAddress(s.postmaster)); !errors.Is(err, storage.ErrNotFound) {
					return err
				}
				s.log.Error("there is no inbox for the postmaster's mail; it goes to another", "postmaster", s.postmaster, "other", fallback)
			}
			inbox, err = tx.FindInbox(fallback)
			return err
		})
	}
	if err = find(); !errors.Is(err, storage.ErrNotFound) {
		return inbox, coded(err, "Mailbox")
	}
	_, err = s.CreateInbox(ctx, s.Operator(), NewInbox{Username: "postmaster", Domain: s.defaultDomain, DisplayName: "Postmaster"})
	if err != nil && mail.CodeOf(err) != mail.CodeForbidden { // made by another session at the same moment
		return inbox, &mail.Error{Code: mail.CodeUnavailable, Message: "no inbox for the postmaster", Err: err}
	}
	s.log.Info("made an inbox for mail to postmaster and abuse", "inbox", fallback)
	return inbox, coded(find(), "Mailbox")
}
