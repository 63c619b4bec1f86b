package server

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"podmail/mail"
	"podmail/storage"
)

// List names one list of the grant's scope.
type List struct {
	Direction mail.Direction
	Type      mail.ListType
}

// ListListEntries lists the entries of a list of the grant's very scope, by entry. p has no direction.
func (s *Server) ListListEntries(ctx context.Context, g mail.Grant, l List, p mail.Page) (entries []mail.ListEntry, next string, err error) {
	if err := g.Require(mail.ListEntryRead); err != nil {
		return nil, "", err
	}
	if p.Token != "" {
		if _, err := checkEntry(p.Token); err != nil {
			return nil, "", mail.Invalid("page_token", "is no page token of this list")
		}
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		entries, next, err = tx.ListListEntries(l.Direction, l.Type, p)
		return err
	})
	return entries, next, coded(err, "List")
}

// GetListEntry finds an entry.
func (s *Server) GetListEntry(ctx context.Context, g mail.Grant, l List, entry string) (e mail.ListEntry, err error) {
	if err := g.Require(mail.ListEntryRead); err != nil {
		return e, err
	}
	err = s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) (err error) {
		e, err = tx.FindListEntry(l.Direction, l.Type, asciiAddress(entry))
		return err
	})
	return e, coded(err, "List entry")
}

// NewListEntry asks for an address or a domain on a list.
type NewListEntry struct {
	Entry     string
	Reason    string    // of block lists
	ExpiresAt time.Time // zero: never
}

// CreateListEntry puts an address or a domain on a list of the grant's scope, or returns the entry that is there.
func (s *Server) CreateListEntry(ctx context.Context, g mail.Grant, l List, n NewListEntry) (e mail.ListEntry, err error) {
	if err := g.Require(mail.ListEntryCreate); err != nil {
		return e, err
	}
	now := s.clock.Now()
	entry, err := n.check(l, now)
	if err != nil {
		return e, err
	}
	s.lists.Store(true) // before the entry can be there
	err = s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		if g.Scope.Inbox != 0 {
			if err := tx.CheckOwnInbox(); err != nil {
				return err
			}
		}
		if err := tx.DeleteEndedEntry(l.Direction, l.Type, entry, now); err != nil {
			return err
		}
		made := mail.ListEntry{Direction: l.Direction, Type: l.Type, Entry: entry, Reason: n.Reason, CreatedAt: now, ExpiresAt: n.ExpiresAt}
		err := tx.InsertListEntry(made)
		if err != nil && !errors.Is(err, storage.ErrTaken) {
			return err
		}
		if e, err = tx.FindListEntry(l.Direction, l.Type, entry); err != nil || !e.ReadOnly || !made.Outlives(&e) {
			return err
		}
		e.ExpiresAt = made.ExpiresAt // the server blocks it for a while, and somebody wants it blocked for longer
		return tx.ExtendListEntry(e.ID, e.ExpiresAt)
	})
	return e, coded(err, "Inbox")
}

// check returns the entry as it is stored.
func (n NewListEntry) check(l List, now time.Time) (string, error) {
	entry, err := checkEntry(n.Entry)
	switch {
	case err != nil:
		return "", err
	case n.Reason != "" && l.Type != mail.ListBlock:
		return "", mail.Invalid("reason", "belongs to entries of block lists only")
	case utf8.RuneCountInString(n.Reason) > maxReason:
		return "", mail.Invalid("reason", "has at most %d characters", maxReason)
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(now):
		return "", mail.Invalid("expires_at", "is over already")
	}
	return entry, nil
}

// maxReason is how many characters the reason of an entry has at most.
const maxReason = 1000

// checkEntry is the stored form of what a caller wants on a list.
func checkEntry(entry string) (string, error) {
	entry = asciiAddress(entry)
	if strings.Contains(entry, "@") {
		_, host, ok := mail.SplitAddress(entry)
		if !ok || !mail.ValidDomain(host) || len(entry) > 320 || strings.ContainsAny(entry, " <>\t\r\n\x00") {
			return "", mail.Invalid("entry", "is no address")
		}
		return entry, nil
	}
	if !mail.ValidDomain(entry) {
		return "", mail.Invalid("entry", "is neither an address nor a domain")
	}
	return entry, nil
}

// DeleteListEntry takes an entry off a list. What the server put there itself keeps the installation's good name with other
// hosts, which is for its operator to risk: for the organization's keys, not for those of a pod or an inbox.
func (s *Server) DeleteListEntry(ctx context.Context, g mail.Grant, l List, entry string) error {
	if err := g.Require(mail.ListEntryDelete); err != nil {
		return err
	}
	err := s.store.For(g.Scope).Write(ctx, func(tx storage.Tx) error {
		e, err := tx.FindListEntry(l.Direction, l.Type, asciiAddress(entry))
		if err != nil {
			return err
		}
		if e.ReadOnly && g.KeyScope.Type() != mail.ScopeOrganization {
			return cannotDelete("The server made this entry itself; only a key of the organization may delete it.", "Write to another address of the recipient, or ask the operator.")
		}
		return tx.DeleteListEntry(e.ID)
	})
	return coded(err, "List entry")
}

// exportBatch is how many entries an export reads at a time.
const exportBatch = 1000

// ExportList writes a list of the grant's very scope as CSV (RFC 4180), with a first line that names the columns. It writes
// nothing before it knows that it may.
func (s *Server) ExportList(ctx context.Context, g mail.Grant, l List, to io.Writer) error {
	rows := csv.NewWriter(to)
	rows.UseCRLF = true
	for p := (mail.Page{Limit: exportBatch}); ; {
		entries, next, err := s.ListListEntries(ctx, g, l, p)
		if err != nil {
			return err
		}
		if p.Token == "" {
			err = rows.Write([]string{"entry", "reason", "read_only", "created_at", "expires_at"})
		}
		for i := range entries {
			e := &entries[i]
			err = errors.Join(err, rows.Write([]string{e.Entry, e.Reason, strconv.FormatBool(e.ReadOnly), written(e.CreatedAt), written(e.ExpiresAt)}))
		}
		if p.Token = next; next == "" || err != nil {
			rows.Flush()
			return errors.Join(err, rows.Error())
		}
	}
}

// written is a moment for an export; nothing for none.
func written(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// NoticeLists finds out whether somebody began to keep a list beside this process, from the command line. It is a step of
// Run.
func (s *Server) NoticeLists(ctx context.Context) (more bool, err error) {
	if s.lists.Load() {
		return false, nil
	}
	return false, s.store.System().Read(ctx, func(sys storage.SystemTx) error {
		kept, err := sys.HasListEntries()
		if kept {
			s.lists.Store(true)
		}
		return err
	})
}

// judge asks the lists of an inbox, its pod and the organization about addresses, and returns the first that is
// blocked. It costs nothing while nobody keeps a list.
func (s *Server) judge(ctx context.Context, inbox mail.Scope, d mail.Direction, addresses []string) (blocked string, v mail.Verdict, err error) {
	if !s.lists.Load() {
		return "", v, nil
	}
	now := s.clock.Now()
	err = s.store.For(inbox).Read(ctx, func(tx storage.Tx) error {
		for _, address := range addresses {
			known := asciiAddress(address)
			entries, err := tx.ListApplying(d, mail.ListKeys(known), now)
			if err != nil {
				return err
			}
			if v = mail.Judge(known, entries); v.Blocked {
				blocked = address
				return nil
			}
		}
		return nil
	})
	return blocked, v, err
}

// mayReach refuses to send to a recipient whom a list blocks.
func (s *Server) mayReach(ctx context.Context, out *outgoing) error {
	address, v, err := s.judge(ctx, out.inbox.Scope(), mail.DirectionSend, out.recipients)
	if err != nil || !v.Blocked {
		return err
	}
	if v.Entry != nil && v.Entry.ReadOnly {
		s.counters.refuse(bySuppression)
	} else {
		s.counters.refuse(byList)
	}
	at := map[mail.ScopeType]string{mail.ScopeInbox: "/v0/inboxes/" + url.PathEscape(out.inbox.Address), mail.ScopePod: "/v0/pods/" + out.inbox.PodID,
		mail.ScopeOrganization: "/v0"}[v.Scope]
	refusal := mail.Errorf(mail.CodeForbidden, "%s is not on the list of those whom this %s may write to.", address, v.Scope).WithReason(mail.ReasonMessageRejected).
		WithFix("Add it with POST %s/lists/send/allow.", at)
	if v.Entry != nil {
		because := ""
		if v.Entry.Reason != "" {
			because = " (" + v.Entry.Reason + ")"
		}
		refusal = mail.Errorf(mail.CodeForbidden, "%s is blocked by the entry %s on the list of the %s%s.", address, v.Entry.Entry, v.Scope, because).WithReason(mail.ReasonMessageRejected).
			WithFix("Delete the entry with DELETE %s/lists/send/block/%s.", at, url.PathEscape(v.Entry.Entry))
	}
	return refusal
}

// judgeSender asks an inbox's lists about a message that comes in: the reply lists if it answers one that the
// inbox sent, else the receive lists.
func (s *Server) judgeSender(ctx context.Context, inbox mail.Scope, e *mail.Envelope, reversePath string) (mail.Verdict, error) {
	if !s.lists.Load() {
		return mail.Verdict{}, nil
	}
	direction := mail.DirectionReceive
	err := s.store.For(inbox).Read(ctx, func(tx storage.Tx) error {
		for _, id := range e.InReplyTo {
			original, err := tx.FindMessage(id)
			if err == nil && slices.Contains(original.Labels, mail.LabelSent) {
				direction = mail.DirectionReply
				return nil
			} else if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return mail.Verdict{}, fmt.Errorf("look for what a message answers: %w", err)
	}
	var senders []string
	for _, a := range e.From {
		senders = append(senders, a.Addr())
	}
	if len(senders) == 0 && reversePath != "" {
		senders = []string{reversePath}
	}
	_, v, err := s.judge(ctx, inbox, direction, senders)
	return v, err
}
