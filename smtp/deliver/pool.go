package deliver

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// poolKey is what a connection must have been made for to be used again.
type poolKey struct {
	name, port, helo, security, user string
	source                           netip.Addr
}

// pool keeps connections that wait for another message, for a short while.
type pool struct {
	max   int
	times Times

	mu     sync.Mutex
	idle   map[poolKey][]*idle
	count  int
	closed bool
}

// idle is a connection that waits.
type idle struct {
	s     *session
	timer *time.Timer
}

func newPool(max int, times Times) *pool {
	return &pool{max: max, times: times, idle: map[poolKey][]*idle{}}
}

// take returns a connection for key, the last that was used; nil: there is none.
func (p *pool) take(key poolKey) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.idle[key]
	if len(waiting) == 0 {
		return nil
	}
	i := waiting[len(waiting)-1]
	p.drop(key, i)
	return i.s
}

// drop forgets a connection that is there; the lock is held.
func (p *pool) drop(key poolKey, gone *idle) bool {
	for n, i := range p.idle[key] {
		if i == gone {
			i.timer.Stop()
			p.idle[key] = append(p.idle[key][:n:n], p.idle[key][n+1:]...)
			if len(p.idle[key]) == 0 {
				delete(p.idle, key)
			}
			p.count--
			return true
		}
	}
	return false
}

// put lets a connection wait, or closes it if it is of no further use.
func (p *pool) put(key poolKey, s *session) {
	p.mu.Lock()
	if p.closed || s.broken || s.spent() || p.count >= p.max || time.Since(s.opened) > p.times.Age {
		p.mu.Unlock()
		s.quit()
		return
	}
	defer p.mu.Unlock()
	i := &idle{s: s}
	i.timer = time.AfterFunc(p.times.Idle, func() {
		p.mu.Lock()
		mine := p.drop(key, i)
		p.mu.Unlock()
		if mine {
			s.quit()
		}
	})
	p.idle[key] = append(p.idle[key], i)
	p.count++
}

// close ends all that wait.
func (p *pool) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	var all []*session
	for _, waiting := range p.idle {
		for _, i := range waiting {
			i.timer.Stop()
			all = append(all, i.s)
		}
	}
	p.idle, p.count = map[poolKey][]*idle{}, 0
	p.mu.Unlock()
	for _, s := range all {
		if ctx.Err() != nil {
			s.broken = true // no time for goodbyes
		}
		s.quit()
	}
	return ctx.Err()
}
