package mail

import (
	"maps"
	"slices"
	"time"
)

// Thread is a conversation in one inbox. All but its identity is derived from its messages, by Add, Relabel and
// Rebuild.
type Thread struct {
	ID                int64
	Pod, Inbox        int64
	InboxID           string
	ThreadID          string
	LabelCounts       map[string]int64 // label to the number of messages that carry it
	HiddenCounts      map[Hidden]int64 // hidden value to the number of messages that have it
	Timestamp         time.Time
	ReceivedTimestamp time.Time // zero: none received
	SentTimestamp     time.Time // zero: none sent
	Senders           []string  // distinct, in order of appearance
	Recipients        []string
	Subject           string // of the first message
	Preview           string // of the last message
	Attachments       []Attachment
	LastMessageID     string
	MessageCount      int64
	Size              int64
	CreatedAt         time.Time
	UpdatedAt         time.Time

	stored []string // the labels that its row has, sorted
	seen   bool     // whether its row has messages, drafts aside
}

// Scope is the scope of the thread's inbox.
func (t *Thread) Scope() Scope { return Scope{Pod: t.Pod, Inbox: t.Inbox} }

// Labels is the union of the messages' labels, sorted.
func (t *Thread) Labels() []string { return slices.Sorted(maps.Keys(t.LabelCounts)) }

// Stored notes that the thread's row has its labels as they are now.
func (t *Thread) Stored() { t.stored, t.seen = t.Labels(), t.visible() }

// visible tells whether it has messages, drafts aside.
func (t *Thread) visible() bool { return len(t.HiddenCounts) > 0 }

// Appeared is 1 if the thread got its first message since Stored, -1 if it lost its last, else 0.
func (t *Thread) Appeared() int64 {
	switch {
	case t.visible() == t.seen:
		return 0
	case t.seen:
		return -1
	}
	return 1
}

// LabelDiff tells which labels have come and gone since Stored.
func (t *Thread) LabelDiff() (added, removed []string) {
	for l := range t.LabelCounts {
		if _, have := slices.BinarySearch(t.stored, l); !have {
			added = append(added, l)
		}
	}
	for _, l := range t.stored {
		if _, still := t.LabelCounts[l]; !still {
			removed = append(removed, l)
		}
	}
	return added, removed
}

// Visibility is the set of hidden values that occur.
func (t *Thread) Visibility() (v Visibility) {
	for h := range t.HiddenCounts {
		v = v.With(h)
	}
	return v
}

// Holds tells whether some of its messages are hidden for one of these reasons.
func (t *Thread) Holds(reasons Hidden) bool {
	for h := range t.HiddenCounts {
		if h&reasons != 0 {
			return true
		}
	}
	return false
}

// Limits on what a thread gathers from its messages, so that a long one stays cheap to read and write.
const (
	maxThreadPeople      = 100
	maxThreadAttachments = 100
)

// Add takes a message into the thread. A draft belongs to it but is no part of it until it is sent: a thread of nothing
// but drafts has no messages, and nobody sees it.
func (t *Thread) Add(m *Message) {
	t.initCounts()
	if slices.Contains(m.Labels, LabelDraft) {
		if t.MessageCount == 0 {
			t.Timestamp = m.Timestamp
		}
		return
	}
	if t.MessageCount == 0 {
		t.Subject, t.Timestamp = m.Envelope.Subject, m.Timestamp
	}
	t.Senders = appear(t.Senders, m.Envelope.From)
	for _, list := range [][]Address{m.Envelope.To, m.Envelope.Cc, m.Envelope.Bcc} {
		t.Recipients = appear(t.Recipients, list)
	}
	t.MessageCount++
	t.Size += m.Size
	if !m.Timestamp.Before(t.Timestamp) {
		t.Timestamp, t.Preview, t.LastMessageID = m.Timestamp, m.Preview, m.MessageID
	}
	if slices.Contains(m.Labels, LabelReceived) && m.Timestamp.After(t.ReceivedTimestamp) {
		t.ReceivedTimestamp = m.Timestamp
	}
	if slices.Contains(m.Labels, LabelSent) && m.Timestamp.After(t.SentTimestamp) {
		t.SentTimestamp = m.Timestamp
	}
	room := max(0, maxThreadAttachments-len(t.Attachments))
	t.Attachments = append(t.Attachments, m.Attachments[:min(room, len(m.Attachments))]...)
	t.count(m.Labels, 1)
}

// Relabel takes into account that one message's labels went from before to after. One that became a draft, or is one no
// longer, takes Rebuild.
func (t *Thread) Relabel(before, after []string) {
	t.initCounts()
	t.count(before, -1)
	t.count(after, 1)
}

func (t *Thread) initCounts() {
	if t.LabelCounts == nil {
		t.LabelCounts, t.HiddenCounts = map[string]int64{}, map[Hidden]int64{}
	}
}

func (t *Thread) count(labels []string, by int64) {
	if slices.Contains(labels, LabelDraft) {
		return
	}
	for _, l := range labels {
		count(t.LabelCounts, l, by)
	}
	count(t.HiddenCounts, HiddenOf(labels), by)
}

// Rebuild derives the thread anew from all its messages, oldest first.
func (t *Thread) Rebuild(messages []Message) {
	*t = Thread{ID: t.ID, Pod: t.Pod, Inbox: t.Inbox, InboxID: t.InboxID, ThreadID: t.ThreadID, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, stored: t.stored, seen: t.seen}
	for i := range messages {
		t.Add(&messages[i])
	}
}

func count[K comparable](counts map[K]int64, k K, by int64) {
	if counts[k] += by; counts[k] <= 0 {
		delete(counts, k)
	}
}

func appear(seen []string, addrs []Address) []string {
	for _, a := range addrs {
		if s := a.String(); !a.IsGroup() && len(seen) < maxThreadPeople && !slices.Contains(seen, s) {
			seen = append(seen, s)
		}
	}
	return seen
}
