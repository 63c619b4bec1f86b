package session

import (
	"errors"
	"fmt"
	"slices"

	"podmail/imap/fetch"
	"podmail/imap/tracker"
	"podmail/mail"
	"podmail/server"
)

// ErrCut is an answer that cannot be finished: the connection must be closed.
var ErrCut = errors.New("a response was cut off")

// Fetch answers FETCH: one response per message of the set. utf8ok tells whether the client takes UTF-8 in strings.
func (s *Session) Fetch(set tracker.Set, byUID bool, items fetch.Items, utf8ok bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel := s.sel
	if sel == nil {
		return ErrNotSelected
	}
	sel.lazy = true
	ranges, err := sel.ranges(set, byUID)
	if err != nil || len(ranges) == 0 {
		return err
	}
	items.UID = items.UID || byUID // RFC 9051 6.4.9
	var seen []uint32
	if items.SetsSeen() && !sel.readOnly {
		if seen, err = s.setSeen(ranges); err != nil {
			return err
		}
	}
	r := s.Renderers.Get().(*fetch.Renderer)
	defer s.Renderers.Put(r)
	r.Reset(&items, utf8ok)
	return s.render(r, ranges, &items, seen)
}

// render fetches and sends. The server reads ahead and keeps no row open meanwhile, so that a client may take its time.
func (s *Session) render(r *fetch.Renderer, ranges []mail.UIDRange, items *fetch.Items, seen []uint32) error {
	want := server.FetchWant{Envelope: items.NeedsEnvelope(), Structure: items.NeedsStructure(), Raw: items.NeedsRaw()}
	err := s.Server.FetchMessages(s.ctx, s.grant, s.sel.mailbox.ID, ranges, want, func(m *server.FetchedMessage) error {
		seq := s.sel.view.Seq(m.UID)
		if seq == 0 {
			return nil // expunged and told, or not told yet to be there
		}
		_, fresh := slices.BinarySearch(seen, m.UID)
		msg := fetch.Message{
			Seq: seq, UID: m.UID, Seen: fresh, InternalDate: m.InternalDate, Size: m.Size,
			Envelope: m.Envelope, Structure: m.Structure, Raw: m.Raw,
		}
		if items.Flags || fresh {
			msg.Flags = mail.Flags(m.Labels, s.sel.mailbox.Label)
		}
		for {
			err := r.Add(&msg)
			if !errors.Is(err, fetch.ErrFull) {
				return err
			}
			if err := s.flush(r); err != nil {
				return err
			}
		}
	})
	if flushErr := s.flush(r); flushErr != nil {
		return flushErr
	}
	if r.Midway() != 0 { // unreadable, or gone since: the literal cannot be completed
		return fmt.Errorf("%w: uid %d: %w", ErrCut, r.Midway(), err)
	}
	return err
}

func (s *Session) flush(r *fetch.Renderer) error {
	err := s.Out.Gather(r.Out())
	r.Sent()
	return err
}

// setSeen marks the unread messages in ranges as read, and returns their UIDs (RFC 9051 6.4.5: BODY[] sets \Seen). A
// key that may only read leaves them unread.
func (s *Session) setSeen(ranges []mail.UIDRange) ([]uint32, error) {
	var unread []uint32
	err := s.Server.FetchMessages(s.ctx, s.grant, s.sel.mailbox.ID, ranges, server.FetchWant{}, func(m *server.FetchedMessage) error {
		if slices.Contains(m.Labels, mail.LabelUnread) && s.sel.view.Seq(m.UID) != 0 {
			unread = append(unread, m.UID)
		}
		return nil
	})
	if err != nil || len(unread) == 0 {
		return nil, err
	}
	states, err := s.Server.StoreLabels(s.ctx, s.grant, s.sel.mailbox.ID, tracker.Ranges(unread), mail.LabelChange{Remove: []string{mail.LabelUnread}})
	if mail.CodeOf(err) == mail.CodeForbidden {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	s.sel.view.Own(states)
	return unread, nil
}
