package imap

import (
	goimap "github.com/emersion/go-imap/v2"

	"podmail/imap/tracker"
)

// set turns the library's set of messages into the tracker's.
func (a *adapter) set(s goimap.NumSet) (_ tracker.Set, byUID bool) {
	switch s := s.(type) {
	case goimap.SeqSet:
		set := make(tracker.Set, 0, len(s))
		for _, r := range s {
			set = append(set, tracker.Span{From: orStar(r.Start), To: orStar(r.Stop)})
		}
		return set, false
	case goimap.UIDSet:
		return *a.uidSet(&s), true // "$" comes as this, whatever the command counts in
	}
	return nil, true
}

func (a *adapter) uidSet(s *goimap.UIDSet) *tracker.Set {
	if s == nil {
		return nil
	}
	if goimap.IsSearchRes(*s) {
		saved := a.session.SavedSet()
		return &saved
	}
	set := make(tracker.Set, 0, len(*s))
	for _, r := range *s {
		set = append(set, tracker.Span{From: orStar(uint32(r.Start)), To: orStar(uint32(r.Stop))})
	}
	return &set
}

// orStar: the library writes "*" as 0.
func orStar(n uint32) uint32 {
	if n == 0 {
		return tracker.Star
	}
	return n
}

// uidSetOf turns UIDs into the library's set.
func uidSetOf(uids []uint32) goimap.UIDSet {
	var set goimap.UIDSet
	for _, span := range tracker.SetOf(uids) {
		set = append(set, goimap.UIDRange{Start: goimap.UID(span.From), Stop: goimap.UID(span.To)})
	}
	return set
}
