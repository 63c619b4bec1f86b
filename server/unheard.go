package server

import (
	"sync"
	"time"
)

// unheard are the trace ids of messages whose senders may not know that they were taken: the connection broke before
// their next command came, or it has not come yet. Such a sender brings the same bytes again (RFC 1047), and they are
// filed once. Who has heard us and sends the same again means it. What a restart forgets may be there twice.
type unheard struct {
	mu    sync.Mutex
	since map[string]time.Time
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
		for id, since := range u.since {
			if now.Sub(since) > unheardTime {
				delete(u.since, id)
			}
		}
		if len(u.since) >= maxUnheard {
			clear(u.since)
		}
	}
	if u.since == nil {
		u.since = map[string]time.Time{}
	}
	u.since[id] = now
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
	delete(u.since, id)
}

// Heard notes that a sender knows what became of a message.
func (s *Server) Heard(traceID string) { s.unheard.remove(traceID) }
