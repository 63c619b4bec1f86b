package session

import (
	"slices"
	"strings"

	"podmail/imap/fetch"
	"podmail/imap/tracker"
	"podmail/mail"
)

// StoreOp says what STORE does with its flags.
type StoreOp uint8

// The operations of STORE (RFC 9051 6.4.6).
const (
	StoreReplace StoreOp = iota
	StoreAdd
	StoreRemove
)

// Store changes flags and, unless silent, tells the new ones.
func (s *Session) Store(set tracker.Set, byUID bool, op StoreOp, flags []string, silent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel, err := s.writable()
	if err != nil {
		return err
	}
	ranges, err := sel.ranges(set, byUID)
	if err != nil || len(ranges) == 0 {
		return err
	}
	sel.lazy = true
	states, err := s.Server.StoreLabels(s.ctx, s.grant, sel.mailbox.ID, ranges, labelChange(op, flags))
	if err != nil {
		return err
	}
	// If others have changed something meanwhile, a silent STORE does not know what of it: it is told then after all.
	if sel.settled = sel.view.Follow(states); !sel.settled && !silent {
		sel.view.Own(states)
	}
	var b []byte
	for _, st := range states {
		seq := sel.view.Seq(st.UID)
		if seq == 0 {
			continue
		}
		current := mail.Flags(st.Labels, sel.mailbox.Label)
		b = sel.announce(b, current)
		if !silent {
			b = appendFlagged(b, seq, st.UID, current)
		}
		if len(b) > fetch.BufferSize { // of a large mailbox
			if err := s.Out.Gather(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return s.Out.Gather(b)
}

// labelChange is what STORE means for labels.
func labelChange(op StoreOp, flags []string) mail.LabelChange {
	if op == StoreRemove {
		add, remove := mail.FlagChange(nil, flags)
		return mail.LabelChange{Add: add, Remove: remove}
	}
	add, remove := mail.FlagChange(flags, nil)
	if op == StoreAdd {
		return mail.LabelChange{Add: add, Remove: remove}
	}
	// Replaced flags without \Seen leave the message unread.
	if !slices.ContainsFunc(flags, func(f string) bool { return strings.EqualFold(f, mail.FlagSeen) }) {
		add = append(add, mail.LabelUnread)
	}
	return mail.LabelChange{Replace: true, Add: add}
}
