package session

import (
	"slices"
	"strconv"

	"podmail/imap/search"
	"podmail/imap/tracker"
	"podmail/imap/wire"
	"podmail/mail"
	"podmail/server"
)

// Saved implements search.Resolver: the last saved result (RFC 5182).
func (sel *selected) Saved() []mail.UIDRange { return tracker.Ranges(sel.saved) }

// Seqs implements search.Resolver.
func (sel *selected) Seqs(set tracker.Set) ([]mail.UIDRange, error) { return sel.view.Seqs(set) }

// Ranges implements search.Resolver.
func (sel *selected) Ranges(set tracker.Set) []mail.UIDRange { return sel.view.Ranges(set) }

// Search answers SEARCH (RFC 9051 6.4.4): with extended, or if the command asks for it, by an ESEARCH response.
func (s *Session) Search(args []byte, tag string, byUID, extended bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sel := s.sel
	if sel == nil {
		return ErrNotSelected
	}
	sel.lazy = true
	q, err := search.Parse(wire.NewParser(args), sel)
	if err != nil {
		return err
	}
	found, err := s.search(q)
	if err != nil {
		if q.Return.Save {
			sel.saved = nil // RFC 5182 2.1: a failed search resets it
		}
		return err
	}
	if q.Return.Save {
		sel.saved = savedOf(q.Return, found)
	}
	nums := found
	if !byUID {
		nums = make([]uint32, len(found))
		for i, uid := range found {
			nums[i] = sel.view.Seq(uid)
		}
	}
	if !extended && !q.Return.Extended {
		b := []byte("* SEARCH")
		for _, n := range nums {
			b = strconv.AppendUint(append(b, ' '), uint64(n), 10)
		}
		return s.Out.Gather(append(b, "\r\n"...))
	}
	ret := q.Return
	if !ret.Extended {
		ret.All = true
	} else if !ret.All && !ret.Min && !ret.Max && !ret.Count {
		return nil // SAVE alone shows nothing: RFC 5182 2.1
	}
	return s.Out.Gather(appendESearch(nil, tag, byUID, ret, nums))
}

// savedOf is what SAVE keeps: with MIN or MAX alone, just those (RFC 5182 2.4).
func savedOf(ret search.Return, found []uint32) []uint32 {
	if ret.All || ret.Count || !ret.Min && !ret.Max || len(found) == 0 {
		return found
	}
	var out []uint32
	if ret.Min {
		out = append(out, found[0])
	}
	if ret.Max {
		out = append(out, found[len(found)-1])
	}
	return slices.Compact(out)
}

// appendESearch writes an ESEARCH response (RFC 4731 3.1).
func appendESearch(b []byte, tag string, byUID bool, ret search.Return, nums []uint32) []byte {
	b = append(b, `* ESEARCH (TAG "`...)
	b = append(append(b, tag...), `")`...)
	if byUID {
		b = append(b, " UID"...)
	}
	if len(nums) > 0 && ret.Min {
		b = strconv.AppendUint(append(b, " MIN "...), uint64(nums[0]), 10)
	}
	if len(nums) > 0 && ret.Max {
		b = strconv.AppendUint(append(b, " MAX "...), uint64(nums[len(nums)-1]), 10)
	}
	if len(nums) > 0 && ret.All {
		b = tracker.SetOf(nums).Append(append(b, " ALL "...))
	}
	if ret.Count {
		b = strconv.AppendInt(append(b, " COUNT "...), int64(len(nums)), 10)
	}
	return append(b, "\r\n"...)
}

// search returns the UIDs of the messages that match, ascending.
func (s *Session) search(q *search.Query) (found []uint32, err error) {
	sel := s.sel
	uids := sel.view.UIDs()
	if len(uids) == 0 {
		return nil, nil
	}
	ranges := []mail.UIDRange{{First: uids[0], Last: uids[len(uids)-1]}}
	if bounds, ok := q.Bounds(); ok {
		ranges = bounds
	}
	want := server.FetchWant{Envelope: q.NeedsEnvelope(), Structure: q.NeedsRaw(), Raw: q.NeedsRaw()}
	err = s.Server.FetchMessages(s.ctx, s.grant, sel.mailbox.ID, ranges, want, func(m *server.FetchedMessage) error {
		seq := sel.view.Seq(m.UID)
		if seq == 0 {
			return nil
		}
		ok, err := q.Match(&search.Message{
			Seq: seq, UID: m.UID, Labels: m.Labels, InternalDate: m.InternalDate, Size: m.Size,
			Envelope: m.Envelope, Structure: m.Structure, Raw: m.Raw,
		})
		if ok {
			found = append(found, m.UID)
		}
		return err
	})
	return found, err
}
