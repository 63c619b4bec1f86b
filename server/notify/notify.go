// Package notify wakes those who wait for a scope's rows to change: IDLE sessions, WebSockets, background workers.
// A wake-up carries no payload: whoever is woken reads the rows through its own scope, so a lost or doubled one does
// no harm. What happened is not kept here; that is what event rows and modseqs are for.
package notify

import (
	"sync"

	"podmail/mail"
)

// Hub fans wake-ups out to watchers. It is safe for concurrent use.
type Hub struct {
	mu       sync.Mutex
	watchers map[mail.Scope]map[chan struct{}]struct{}
}

// NewHub returns a Hub without watchers.
func NewHub() *Hub {
	return &Hub{watchers: map[mail.Scope]map[chan struct{}]struct{}{}}
}

// Watch returns a channel that receives after something within one of the scopes was committed, and a function that
// ends the watch. Wake-ups that come faster than they are read melt into one.
func (h *Hub) Watch(scopes ...mail.Scope) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, scope := range scopes {
		if h.watchers[scope] == nil {
			h.watchers[scope] = map[chan struct{}]struct{}{}
		}
		h.watchers[scope][ch] = struct{}{}
	}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, scope := range scopes {
			delete(h.watchers[scope], ch)
			if len(h.watchers[scope]) == 0 {
				delete(h.watchers, scope)
			}
		}
	}
}

// Wake wakes the watchers of the inbox, of its pod and of the organization.
func (h *Hub) Wake(inbox mail.Scope) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake(mail.Scope{})
	if inbox.Pod != 0 {
		h.wake(mail.Scope{Pod: inbox.Pod})
	}
	if inbox.Inbox != 0 {
		h.wake(inbox)
	}
}

func (h *Hub) wake(scope mail.Scope) {
	for ch := range h.watchers[scope] {
		select {
		case ch <- struct{}{}:
		default: // already woken and not yet read
		}
	}
}
