package tracker_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"podmail/imap/tracker"
	"podmail/mail"
)

// mailbox is the model of a mailbox with its expunge log.
type mailbox struct {
	modSeq   int64
	next     uint32
	messages map[uint32]mail.MessageState
	expunged map[uint32]int64 // uid to modseq
	born     map[uint32]int64
}

func (m *mailbox) add() {
	m.modSeq++
	m.messages[m.next] = mail.MessageState{UID: m.next, ModSeq: m.modSeq, Labels: []string{"new"}}
	m.born[m.next] = m.modSeq
	m.next++
}

func (m *mailbox) flag(uid uint32, label string) mail.MessageState {
	m.modSeq++
	s := mail.MessageState{UID: uid, ModSeq: m.modSeq, Labels: []string{label}}
	m.messages[uid] = s
	return s
}

func (m *mailbox) expunge(uid uint32) {
	m.modSeq++
	delete(m.messages, uid)
	m.expunged[uid] = m.modSeq
}

func (m *mailbox) uids() []uint32 { return slices.Sorted(maps.Keys(m.messages)) }

// changes is what server.MailboxChanges promises.
func (m *mailbox) changes(since int64) mail.MailboxChanges {
	c := mail.MailboxChanges{ModSeq: m.modSeq, UIDNext: m.next}
	for _, uid := range m.uids() {
		if s := m.messages[uid]; s.ModSeq > since {
			c.Changed = append(c.Changed, s)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(m.expunged)) {
		if m.expunged[uid] > since && m.born[uid] <= since {
			c.Expunged = append(c.Expunged, uid)
		}
	}
	return c
}

// client is an IMAP client that believes every response.
type client struct {
	uids   []uint32          // by sequence number - 1; 0 if not asked for yet
	labels map[uint32]string // as told, or as set by itself
}

func (c *client) hear(t *rapid.T, u tracker.Updates, view *tracker.Mailbox, expunges bool) {
	if len(u.Expunged) > 0 && !expunges {
		t.Fatalf("told %d expunges during a FETCH", len(u.Expunged))
	}
	for _, seq := range u.Expunged {
		if seq == 0 || int(seq) > len(c.uids) {
			t.Fatalf("EXPUNGE %d of %d", seq, len(c.uids))
		}
		c.uids = slices.Delete(c.uids, int(seq)-1, int(seq))
	}
	if u.Exists {
		if int(view.Len()) <= len(c.uids) {
			t.Fatalf("EXISTS %d after %d", view.Len(), len(c.uids))
		}
		for len(c.uids) < int(view.Len()) {
			c.uids = append(c.uids, view.UIDs()[len(c.uids)]) // FETCH n (UID)
		}
	}
	for _, f := range u.Flags {
		if f.Seq == 0 || c.uids[f.Seq-1] != f.UID {
			t.Fatalf("FETCH %d tells of UID %d, but that is %v", f.Seq, f.UID, c.uids)
		}
		c.labels[f.UID] = f.Labels[0]
	}
}

// TestAgainstModel: whatever happens in whatever order, the client's numbers stay right, and once it has been told
// all, it knows all.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &mailbox{next: 1, messages: map[uint32]mail.MessageState{}, expunged: map[uint32]int64{}, born: map[uint32]int64{}}
		for range rapid.IntRange(0, 5).Draw(t, "messages before") {
			m.add()
		}
		view := tracker.New(m.uids(), m.next, m.modSeq)
		c := &client{uids: slices.Clone(m.uids()), labels: map[uint32]string{}}
		for _, uid := range c.uids {
			c.labels[uid] = "new"
		}
		pick := func() uint32 {
			if len(m.messages) == 0 {
				t.Skip("empty")
			}
			return rapid.SampledFrom(m.uids()).Draw(t, "uid")
		}
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"add":     func(*rapid.T) { m.add() },
			"flag":    func(*rapid.T) { n++; m.flag(pick(), fmt.Sprint(n)) },
			"expunge": func(*rapid.T) { m.expunge(pick()) },
			"look":    func(*rapid.T) { view.Apply(m.changes(view.ModSeq())) },
			"store": func(*rapid.T) { // by this client, on a message that it knows
				uid := pick()
				if view.Seq(uid) == 0 {
					return
				}
				n++
				states := []mail.MessageState{m.flag(uid, fmt.Sprint(n))}
				told := rapid.Bool().Draw(t, "told")
				if !view.Follow(states) && told {
					view.Own(states)
				}
				c.labels[uid] = fmt.Sprint(n)
			},
			"fetch": func(t *rapid.T) { c.hear(t, view.Take(false), view, false) },
			"noop": func(t *rapid.T) {
				view.Apply(m.changes(view.ModSeq()))
				c.hear(t, view.Take(true), view, true)
				if diff := cmp.Diff(m.uids(), append([]uint32(nil), c.uids...)); diff != "" && len(m.messages)+len(c.uids) > 0 {
					t.Fatalf("after NOOP the client's mailbox differs:\n%s", diff)
				}
				for uid, s := range m.messages {
					if told, ok := c.labels[uid]; ok && told != s.Labels[0] {
						t.Fatalf("the client thinks %d is %s, it is %s", uid, told, s.Labels[0])
					}
					c.labels[uid] = s.Labels[0] // what it fetches of new ones
				}
			},
			"": func(t *rapid.T) {
				if diff := cmp.Diff(c.uids, append([]uint32(nil), view.UIDs()...)); diff != "" && len(c.uids) > 0 {
					t.Fatalf("client and server count differently:\n%s", diff)
				}
			},
		})
	})
}

func TestSets(t *testing.T) {
	view := tracker.New([]uint32{10, 20, 30, 40, 50}, 60, 1)
	empty := tracker.New(nil, 1, 1)
	for _, tt := range []struct {
		set        string
		seqs, uids []mail.UIDRange
		err        error
	}{
		{set: "1", seqs: []mail.UIDRange{{First: 10, Last: 10}}, uids: []mail.UIDRange{{First: 1, Last: 1}}},
		{set: "2:4", seqs: []mail.UIDRange{{First: 20, Last: 40}}, uids: []mail.UIDRange{{First: 2, Last: 4}}},
		{set: "4:2,1", seqs: []mail.UIDRange{{First: 10, Last: 10}, {First: 20, Last: 40}}, uids: []mail.UIDRange{{First: 1, Last: 4}}},
		{set: "*", seqs: []mail.UIDRange{{First: 50, Last: 50}}, uids: []mail.UIDRange{{First: 50, Last: 50}}},
		{set: "3:*", seqs: []mail.UIDRange{{First: 30, Last: 50}}, uids: []mail.UIDRange{{First: 3, Last: 50}}},
		{set: "99:*", seqs: []mail.UIDRange{{First: 50, Last: 50}}, uids: []mail.UIDRange{{First: 50, Last: 50}}},
		{set: "6", err: tracker.ErrNumber},
		{set: "1:6", err: tracker.ErrNumber, uids: []mail.UIDRange{{First: 1, Last: 6}}},
	} {
		set, err := tracker.ParseSet(tt.set)
		if err != nil {
			t.Fatal(err)
		}
		seqs, err := view.Seqs(set)
		if !errors.Is(err, tt.err) || !slices.Equal(seqs, tt.seqs) {
			t.Errorf("Seqs(%s) = %v, %v, want %v, %v", tt.set, seqs, err, tt.seqs, tt.err)
		}
		if uids := view.Ranges(set); tt.uids != nil && !slices.Equal(uids, tt.uids) {
			t.Errorf("Ranges(%s) = %v, want %v", tt.set, uids, tt.uids)
		}
		if r := empty.Ranges(set); len(r) != 0 {
			t.Errorf("Ranges(%s) of an empty mailbox = %v", tt.set, r)
		}
	}
	for _, bad := range []string{"", "0", "1,", "a", "1:", "01", "-1", "4294967296", "1:2:3"} {
		if set, err := tracker.ParseSet(bad); err == nil {
			t.Errorf("ParseSet(%q) = %v", bad, set)
		}
	}
	if got := string(tracker.SetOf([]uint32{1, 2, 3, 7, 9, 10}).Append(nil)); got != "1:3,7,9:10" {
		t.Errorf("SetOf = %s", got)
	}
}
