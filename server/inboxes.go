package server

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"podmail/mail"
	"podmail/storage"
)

// NewInbox asks for an inbox. All fields may be empty.
type NewInbox struct {
	Username, Domain, DisplayName, ClientID string
	Metadata                                map[string]any
}

// InboxUpdate changes an inbox. What is nil stays as it is.
type InboxUpdate struct {
	DisplayName   *string        // "" clears it
	Metadata      map[string]any // merged; a nil value removes its key
	ClearMetadata bool
}

// CreateInbox makes an inbox in the grant's pod, or in the default pod, or returns the one that has the client id
// already.
func (s *Server) CreateInbox(ctx context.Context, g mail.Grant, n NewInbox) (inbox mail.Inbox, err error) {
	if err := g.Require(mail.InboxCreate); err != nil {
		return inbox, err
	}
	if err := s.checkNewInbox(&n); err != nil {
		return inbox, err
	}
	generated := n.Username == ""
	now := s.clock.Now()
	for try := 0; ; try++ {
		if generated {
			if n.Username, err = s.generateUsername(try); err != nil {
				return inbox, err
			}
		}
		made := mail.Inbox{Address: n.Username + "@" + n.Domain, DisplayName: n.DisplayName, ClientID: n.ClientID, Metadata: n.Metadata, CreatedAt: now}
		err = s.store.System().Write(ctx, func(sys storage.SystemTx) (err error) {
			inbox, err = insertInbox(sys, g, made, n.Domain)
			return err
		})
		if !errors.Is(err, storage.ErrTaken) {
			break
		}
		if !generated || try == 20 {
			return inbox, mail.Errorf(mail.CodeForbidden, "The address %s is in use.", made.Address).
				WithReason(mail.ReasonResourceTaken).WithFix("Choose another username.")
		}
	}
	return inbox, coded(err, "Inbox")
}

// insertInbox stores an inbox with its mailboxes, in the grant's pod or else the default one.
func insertInbox(sys storage.SystemTx, g mail.Grant, i mail.Inbox, domain string) (mail.Inbox, error) {
	pod, err := podFor(sys, g)
	if err != nil {
		return i, err
	}
	tx := sys.For(pod.Scope())
	if i.ClientID != "" {
		if have, err := tx.FindInboxByClientID(i.ClientID); !errors.Is(err, storage.ErrNotFound) {
			return have, err
		}
	}
	if i.Domain, err = domainForInbox(tx, domain); err != nil {
		return i, err
	}
	if local, _, _ := mail.SplitAddress(i.Address); i.Domain == 0 && isRole(local) && g.KeyScope.Type() != mail.ScopeOrganization {
		return i, mail.Errorf(mail.CodeForbidden, "The address %s is the operator's.", i.Address).WithReason(mail.ReasonResourceTaken).
			WithFix("Choose another username, or use a domain of your own.")
	}
	if i.UIDValidity, err = sys.NextUIDValidity(i.CreatedAt); err != nil {
		return i, err
	}
	if i, err = tx.InsertInbox(i); err != nil {
		return i, err
	}
	i.PodID = pod.PodID
	tx = sys.For(i.Scope())
	if err := tx.InsertInboxWords(inboxWords(&i)); err != nil {
		return i, err
	}
	return i, tx.InsertStandardMailboxes(i.UIDValidity)
}

// domainForInbox finds the domain that an inbox at name will live and die with; 0: the installation's own.
func domainForInbox(tx storage.Tx, name string) (id int64, err error) {
	over, err := tx.ListDomainsOver(name)
	if err != nil {
		return 0, err
	}
	for _, d := range over {
		if d.Serves(name) {
			if d.Builtin {
				return 0, nil
			}
			return d.ID, nil
		}
	}
	if len(over) > 0 && over[0].Name != name && over[0].Verified && !over[0].SubdomainsEnabled {
		return 0, mail.Errorf(mail.CodeInvalid, "The domain %s has no subdomains.", over[0].Name).WithReason(mail.ReasonUnprocessable).
			WithFix("Set subdomains_enabled of %s and publish the record that it then asks for.", over[0].Name)
	}
	return 0, mail.Errorf(mail.CodeForbidden, "The domain %s is not verified for this pod.", name).WithReason(mail.ReasonDomainNotVerified).
		WithFix("Leave domain out to use the default one, or create and verify the domain first.")
}

// podFor is the pod where something lands that the grant creates.
func podFor(sys storage.SystemTx, g mail.Grant) (mail.Pod, error) {
	if g.Scope.Pod == 0 {
		return sys.FindDefaultPod()
	}
	return sys.For(mail.Scope{Pod: g.Scope.Pod}).FindPodByID(g.Scope.Pod)
}

func (s *Server) checkNewInbox(n *NewInbox) error {
	n.Username, n.Domain = strings.ToLower(n.Username), strings.ToLower(n.Domain)
	if n.Domain == "" {
		n.Domain = s.defaultDomain
	}
	if n.Username != "" && !validUsername(n.Username) {
		return mail.Invalid("username", "has 1 to 64 characters of a-z 0-9 . _ - and neither begins nor ends with a dot, nor has two in a row")
	}
	if !mail.ValidDomain(n.Domain) {
		return mail.Invalid("domain", "is no domain name")
	}
	if n.ClientID != "" && !validClientID(n.ClientID) {
		return invalidClientID()
	}
	if err := checkDisplayName(n.DisplayName); err != nil {
		return err
	}
	return checkMetadata(n.Metadata)
}

// validUsername allows what is safe as a local part everywhere: a dot-atom of plain characters (RFC 5321 4.1.2). The
// plus sign is left out, since it begins a sub-address.
func validUsername(u string) bool {
	other := func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("._-", r))
	}
	return len(u) <= 64 && strings.IndexFunc(u, other) < 0 && u[0] != '.' && u[len(u)-1] != '.' && !strings.Contains(u, "..")
}

func checkDisplayName(name string) error {
	if utf8.RuneCountInString(name) > 256 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return mail.Invalid("display_name", "has at most 256 characters and no control characters")
	}
	return nil
}

// checkMetadata checks the contract's limits: 256 keys; keys and strings of 256 characters; string, number or bool.
func checkMetadata(md map[string]any) error {
	if len(md) > 256 {
		return mail.Invalid("metadata", "has at most 256 keys")
	}
	for k, v := range md {
		if n := utf8.RuneCountInString(k); n < 1 || n > 256 {
			return mail.Invalid("metadata", "keys have 1 to 256 characters")
		}
		switch v := v.(type) {
		case nil, bool, float64:
		case string:
			if utf8.RuneCountInString(v) > 256 {
				return mail.Invalid("metadata", "the value of %q has more than 256 characters", k)
			}
		default:
			return mail.Invalid("metadata", "the value of %q is neither string, number nor bool", k)
		}
	}
	return nil
}

// GetInbox finds an inbox by address or client_id.
func (s *Server) GetInbox(ctx context.Context, g mail.Grant, inboxID string) (mail.Inbox, error) {
	if err := g.Require(mail.InboxRead); err != nil {
		return mail.Inbox{}, err
	}
	return s.findInbox(ctx, g, inboxID)
}

// ListInboxes lists the inboxes in the grant's scope.
func (s *Server) ListInboxes(ctx context.Context, g mail.Grant, p mail.Page) (inboxes []mail.Inbox, next string, err error) {
	if err := g.Require(mail.InboxRead); err != nil {
		return nil, "", err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		inboxes, next, err = tx.ListInboxes(p)
		return err
	})
	return inboxes, next, coded(err, "Inboxes")
}

// UpdateInbox changes display name and metadata.
func (s *Server) UpdateInbox(ctx context.Context, g mail.Grant, inboxID string, u InboxUpdate) (inbox mail.Inbox, err error) {
	if err := g.Require(mail.InboxUpdate); err != nil {
		return inbox, err
	}
	if u.DisplayName != nil {
		if err := checkDisplayName(*u.DisplayName); err != nil {
			return inbox, err
		}
	}
	if err := checkMetadata(u.Metadata); err != nil {
		return inbox, err
	}
	found, err := s.findInbox(ctx, g, inboxID)
	if err != nil {
		return inbox, err
	}
	now := s.clock.Now()
	err = s.store.For(found.Scope()).Write(ctx, func(tx storage.Tx) error {
		if inbox, err = tx.FindOwnInbox(); err != nil {
			return err
		}
		if u.DisplayName != nil {
			inbox.DisplayName = *u.DisplayName
		}
		if inbox.Metadata = mergeMetadata(inbox.Metadata, u); len(inbox.Metadata) > 256 {
			return mail.Invalid("metadata", "has at most 256 keys")
		}
		inbox.UpdatedAt = now
		if u.DisplayName != nil {
			if err := tx.SetInboxWords(inboxWords(&inbox)); err != nil {
				return err
			}
		}
		return tx.UpdateInbox(inbox)
	})
	return inbox, coded(err, "Inbox")
}

func mergeMetadata(have map[string]any, u InboxUpdate) map[string]any {
	if u.ClearMetadata {
		return nil
	}
	merged := map[string]any{}
	maps.Copy(merged, have)
	for k, v := range u.Metadata {
		if v == nil {
			delete(merged, k)
		} else {
			merged[k] = v
		}
	}
	return merged
}

// DeleteInbox makes an inbox and all that is under it invisible at once and its address free; the rows are removed in
// the background.
func (s *Server) DeleteInbox(ctx context.Context, g mail.Grant, inboxID string) error {
	if err := g.Require(mail.InboxDelete); err != nil {
		return err
	}
	inbox, err := s.findInbox(ctx, g, inboxID)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	err = s.store.System().Write(ctx, func(sys storage.SystemTx) error {
		if err := sys.For(inbox.Scope()).CheckOwnInbox(); err != nil {
			return err
		}
		return hideInbox(sys, inbox.Scope(), now)
	})
	if err == nil {
		s.hub.Wake(inbox.Scope())
		poke(s.sweep)
	}
	return coded(err, "Inbox")
}

// hideInbox makes the inbox of a scope invisible, its keys void, and has no webhook name it any more.
func hideInbox(sys storage.SystemTx, inbox mail.Scope, now time.Time) error {
	tx := sys.For(inbox)
	if err := tx.DeleteAPIKeys(); err != nil {
		return err
	}
	if err := forgetPlace(sys, inbox, now); err != nil {
		return err
	}
	return tx.HideInbox(now)
}
