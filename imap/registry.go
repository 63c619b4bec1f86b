package imap

import (
	"net"
	"net/netip"
	"sync"
)

// registry knows the open connections and listeners, and their limits.
type registry struct {
	max, maxPerIP int

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*connection]struct{}
	perIP     map[netip.Addr]int
	running   sync.WaitGroup
}

func newRegistry(maxConns, maxPerIP int) *registry {
	return &registry{
		max: maxConns, maxPerIP: maxPerIP,
		listeners: map[net.Listener]struct{}{}, conns: map[*connection]struct{}{}, perIP: map[netip.Addr]int{},
	}
}

func (r *registry) addListener(ln net.Listener) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.listeners[ln] = struct{}{}
	return true
}

func (r *registry) removeListener(ln net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.listeners, ln)
}

func (r *registry) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// add counts a connection in, or says why not.
func (r *registry) add(c *connection) (full string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return "Server is shutting down"
	case len(r.conns) >= r.max:
		return "Too many connections"
	case r.perIP[network(c.peer)] >= r.maxPerIP:
		return "Too many connections from your address"
	}
	r.conns[c] = struct{}{}
	if !c.peer.IsLoopback() {
		r.perIP[network(c.peer)]++
	}
	r.running.Add(1)
	return ""
}

// network is whom a limit is for: an address, or the network that one IPv6 host may choose its addresses from.
func network(peer netip.Addr) netip.Addr {
	if prefix, err := peer.Prefix(64); err == nil && peer.Is6() {
		return prefix.Addr()
	}
	return peer
}

// remove counts a connection out, when its last goroutine ends.
func (r *registry) remove(c *connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
	from := network(c.peer)
	if r.perIP[from]--; r.perIP[from] <= 0 {
		delete(r.perIP, from)
	}
	r.running.Done()
}

// close refuses further connections and returns the open ones.
func (r *registry) close() []*connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for ln := range r.listeners {
		_ = ln.Close()
	}
	conns := make([]*connection, 0, len(r.conns))
	for c := range r.conns {
		conns = append(conns, c)
	}
	return conns
}

// done is closed when no connection is left.
func (r *registry) done() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	return done
}
