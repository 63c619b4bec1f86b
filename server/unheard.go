package server

import (
	"context"
	"sync"
	"time"

	"podmail/storage"
)

// unheard are the trace ids of messages whose senders may not know that they were taken: the connection broke before
// their next command came, or it has not come yet. Such a sender brings the same bytes again (RFC 1047), and they are
// filed once. Who has heard us and sends the same again means it.
//
// It is in memory, and written down now and then (work_unheard.go): nearly every sender has heard by then, so that a
// message costs no row. A start takes all messages behind the last note for unheard.
type unheard struct {
	mu      sync.Mutex
	since   map[string]time.Time
	noted   map[string]bool // that may have a row
	pending map[string]bool // whose row is to be written, or removed
	changed bool            // since the last note
}

// How long a sender tries (RFC 5321 4.5.4.1), and how many are kept in mind.
const (
	unheardTime = 5 * 24 * time.Hour
	maxUnheard  = 100_000
)

func (u *unheard) add(id string, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.since) >= maxUnheard {
		u.forgetUntil(now.Add(-unheardTime))
	}
	if len(u.since) >= maxUnheard {
		u.forgetUntil(now)
	}
	u.put(id, now)
	u.pending[id] = true
}

// put keeps one in mind.
func (u *unheard) put(id string, since time.Time) {
	if u.since == nil {
		u.since, u.noted, u.pending = map[string]time.Time{}, map[string]bool{}, map[string]bool{}
	}
	u.since[id], u.changed = since, true
}

func (u *unheard) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, there := u.since[id]
	return there
}

func (u *unheard) remove(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(id)
}

func (u *unheard) forget(id string) {
	if _, there := u.since[id]; !there {
		return
	}
	delete(u.since, id)
	delete(u.pending, id)
	if u.changed = true; u.noted[id] {
		u.pending[id] = true
	}
}

func (u *unheard) forgetUntil(moment time.Time) {
	for id, since := range u.since {
		if !since.After(moment) {
			u.forget(id)
		}
	}
}

// unheardNote is what is to be written down.
type unheardNote struct {
	added []storage.Unheard
	gone  []string
	whole bool // nothing is left to be written
}

// take takes what is to be written down, up to so much of it. What could not be written is handed back.
func (u *unheard) take(limit int, now time.Time) (n unheardNote) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forgetUntil(now.Add(-unheardTime))
	for id := range u.pending {
		if len(n.added)+len(n.gone) == limit {
			return n
		}
		if since, there := u.since[id]; there {
			n.added = append(n.added, storage.Unheard{TraceID: id, Since: since})
			u.noted[id] = true
		} else {
			n.gone = append(n.gone, id)
			delete(u.noted, id)
		}
		delete(u.pending, id)
	}
	u.changed, n.whole = false, true
	return n
}

func (u *unheard) giveBack(n unheardNote) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range n.added {
		n.gone = append(n.gone, a.TraceID)
	}
	for _, id := range n.gone {
		u.noted[id], u.pending[id] = true, true
	}
	u.changed = true
}

func (u *unheard) hasChanged() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.changed
}

// Heard notes that a sender knows what became of a message.
func (s *Server) Heard(traceID string) { s.unheard.remove(traceID) }

// recallUnheard brings back what was written down when the server ended, in whatever way.
func (s *Server) recallUnheard(ctx context.Context) error {
	return s.store.System().Read(ctx, func(tx storage.SystemTx) error {
		all, err := tx.ListUnheard()
		if err != nil {
			return err
		}
		s.unheard.mu.Lock()
		defer s.unheard.mu.Unlock()
		for _, m := range all {
			s.unheard.put(m.TraceID, m.Since)
			s.unheard.noted[m.TraceID], s.unheard.pending[m.TraceID] = true, true
		}
		return nil
	})
}
