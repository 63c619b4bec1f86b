// Package tracker keeps what one session knows of its selected mailbox: which UID each message sequence number stands
// for, and what the client has yet to be told.
//
// Sequence numbers change only when Take says so, since the client's and ours must agree at every moment (RFC 9051
// 2.3.1.2). What has happened comes in by Apply, from the rows of the mailbox since a modseq, so that nothing is lost
// between two looks. The package knows neither the protocol's syntax nor the database.
package tracker

import (
	"errors"
	"maps"
	"slices"

	"podmail/mail"
)

// Mailbox is a selected mailbox as its session sees it. It is not safe for concurrent use.
type Mailbox struct {
	uids   []uint32 // by sequence number - 1, as the client counts
	next   uint32   // UIDs from here on are new
	modSeq int64

	gone    []uint32            // in uids, but expunged; ascending
	arrived []uint32            // not in uids yet; ascending
	changed map[uint32][]string // labels that the client has not been told
	own     map[uint32]int64    // modseqs of changes that the client made, and so knows
}

// New starts from a snapshot: the mailbox's UIDs, ascending, its next UID and its highest modseq.
func New(uids []uint32, next uint32, modSeq int64) *Mailbox {
	if n := len(uids); n > 0 && next <= uids[n-1] {
		next = uids[n-1] + 1
	}
	return &Mailbox{uids: slices.Clone(uids), next: next, modSeq: modSeq}
}

// ModSeq is how far Apply has got.
func (m *Mailbox) ModSeq() int64 { return m.modSeq }

// Len is the number of messages that the client counts.
func (m *Mailbox) Len() uint32 { return uint32(len(m.uids)) }

// UIDs are the UIDs that the client counts, by sequence number. They must not be changed.
func (m *Mailbox) UIDs() []uint32 { return m.uids }

// Seq is the sequence number of uid, or 0 if the client does not know it.
func (m *Mailbox) Seq(uid uint32) uint32 {
	if i, ok := slices.BinarySearch(m.uids, uid); ok {
		return uint32(i) + 1
	}
	return 0
}

// Apply takes in what has happened since ModSeq.
func (m *Mailbox) Apply(c mail.MailboxChanges) {
	if c.ModSeq < m.modSeq {
		return // an older snapshot than the last: it holds nothing new
	}
	for _, uid := range c.Expunged {
		delete(m.changed, uid)
		if i, ok := slices.BinarySearch(m.arrived, uid); ok {
			m.arrived = slices.Delete(m.arrived, i, i+1) // came and went untold
		} else if m.Seq(uid) != 0 {
			if i, ok := slices.BinarySearch(m.gone, uid); !ok {
				m.gone = slices.Insert(m.gone, i, uid)
			}
		}
	}
	for _, s := range c.Changed {
		m.change(s)
	}
	m.next = max(m.next, c.UIDNext)
	m.modSeq = c.ModSeq
	m.own = nil // all of them are in this snapshot
}

func (m *Mailbox) change(s mail.MessageState) {
	if s.UID >= m.next {
		m.arrived = append(m.arrived, s.UID)
		m.next = s.UID + 1
		return
	}
	if m.own[s.UID] >= s.ModSeq || m.Seq(s.UID) == 0 {
		return
	}
	if _, gone := slices.BinarySearch(m.gone, s.UID); gone {
		return
	}
	if m.changed == nil {
		m.changed = map[uint32][]string{}
	}
	m.changed[s.UID] = s.Labels
}

// Own notes states that the client brought about and has been told, so that they are not told again.
func (m *Mailbox) Own(states []mail.MessageState) {
	for _, s := range states {
		delete(m.changed, s.UID)
		if s.ModSeq <= m.modSeq {
			continue
		}
		if m.own == nil {
			m.own = map[uint32]int64{}
		}
		m.own[s.UID] = s.ModSeq
	}
}

// Follow takes in the states that a change of the client's own has left, if it can be seen from their modseqs that
// nothing else has happened since ModSeq: a mailbox gives out one for each change. They count as told then.
func (m *Mailbox) Follow(states []mail.MessageState) bool {
	next := m.modSeq
	fresh := 0
	for _, s := range states {
		if s.ModSeq > m.modSeq {
			fresh++
			next = max(next, s.ModSeq)
		}
	}
	if next != m.modSeq+int64(fresh) {
		return false
	}
	for _, s := range states {
		delete(m.changed, s.UID)
	}
	m.modSeq = next
	return true
}

// Updates are what the client is to be told, in this order.
type Updates struct {
	Expunged []uint32  // sequence numbers, each as it is when its turn comes
	Exists   bool      // there are more messages: Len
	Flags    []Flagged // by sequence number
}

// Flagged is a message whose labels have changed.
type Flagged struct {
	Seq, UID uint32
	Labels   []string
}

// Take returns what the client has not been told and counts it as told. Without expunges, which must not be told
// during FETCH, STORE and SEARCH (RFC 9051 7.5.1), expunged messages keep their numbers, and the rest is told all the
// same.
func (m *Mailbox) Take(expunges bool) (u Updates) {
	if expunges && len(m.gone) > 0 {
		u.Expunged = m.expunge()
	}
	if len(m.arrived) > 0 {
		m.uids = append(m.uids, m.arrived...)
		m.arrived = nil
		u.Exists = true
	}
	for _, uid := range slices.Sorted(maps.Keys(m.changed)) {
		u.Flags = append(u.Flags, Flagged{Seq: m.Seq(uid), UID: uid, Labels: m.changed[uid]})
	}
	m.changed = nil
	return u
}

// expunge forgets the messages that are gone and returns their numbers from the highest down, so that none of them
// shifts another.
func (m *Mailbox) expunge() []uint32 {
	seqs := make([]uint32, 0, len(m.gone))
	for _, uid := range slices.Backward(m.gone) {
		seqs = append(seqs, m.Seq(uid))
	}
	kept := m.uids[:0]
	gone := m.gone
	for _, uid := range m.uids {
		if len(gone) > 0 && gone[0] == uid {
			gone = gone[1:]
			continue
		}
		kept = append(kept, uid)
	}
	m.uids, m.gone = kept, nil
	return seqs
}

// ErrNumber is a sequence number beyond the last message (RFC 9051 9, seq-number).
var ErrNumber = errors.New("no such message")

// Seqs turns a set of sequence numbers into ranges of UIDs that hold exactly these messages. A span with "*" never
// fails: clients ask for "1:*" of an empty mailbox, and for "n:*" to see whether there is more.
func (m *Mailbox) Seqs(set Set) ([]mail.UIDRange, error) {
	n := m.Len()
	var out []mail.UIDRange
	for _, s := range set {
		from, to := order(s, n)
		if to > n && s.From != Star && s.To != Star {
			return nil, ErrNumber
		}
		if n > 0 {
			out = append(out, mail.UIDRange{First: m.uids[from-1], Last: m.uids[min(to, n)-1]})
		}
	}
	return merge(out), nil
}

// Ranges turns a set of UIDs into ranges that hold no message unknown to the client.
func (m *Mailbox) Ranges(set Set) []mail.UIDRange {
	if len(m.uids) == 0 {
		return nil
	}
	last := m.uids[len(m.uids)-1]
	var out []mail.UIDRange
	for _, s := range set {
		// "n:*" holds the last message even if n is beyond it (RFC 9051 9, seq-range).
		if from, to := order(s, last); from <= last {
			out = append(out, mail.UIDRange{First: from, Last: min(to, last)})
		}
	}
	return merge(out)
}

// order resolves "*" to last and puts the ends in order.
func order(s Span, last uint32) (from, to uint32) {
	from, to = s.From, s.To
	if from == Star {
		from = last
	}
	if to == Star {
		to = last
	}
	return min(from, to), max(from, to)
}

// merge sorts ranges and joins those that touch.
func merge(rs []mail.UIDRange) []mail.UIDRange {
	slices.SortFunc(rs, func(a, b mail.UIDRange) int {
		return int(min(max(int64(a.First)-int64(b.First), -1), 1))
	})
	out := rs[:0]
	for _, r := range rs {
		if k := len(out); k > 0 && int64(r.First) <= int64(out[k-1].Last)+1 {
			out[k-1].Last = max(out[k-1].Last, r.Last)
		} else {
			out = append(out, r)
		}
	}
	return out
}
