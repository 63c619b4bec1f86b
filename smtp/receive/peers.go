package receive

import (
	"net/netip"
	"sync"
)

// peers are the connections that are open, counted by where they come from.
type peers struct {
	total, perIP, perNetwork int // what is allowed

	mu       sync.Mutex
	closing  bool
	open     map[*conn]struct{}
	ips      map[netip.Addr]int
	networks map[netip.Prefix]int
	gone     *sync.Cond // a connection has gone
}

func newPeers(o *Options) *peers {
	p := &peers{total: o.MaxConnections, perIP: o.MaxPerIP, perNetwork: o.MaxPerNetwork,
		open: map[*conn]struct{}{}, ips: map[netip.Addr]int{}, networks: map[netip.Prefix]int{}}
	p.gone = sync.NewCond(&p.mu)
	return p
}

// refusal says why a connection cannot be taken; it is also the name under which that is counted.
type refusal string

const (
	tooMany            refusal = "too_many"
	tooManyFromIP      refusal = "too_many_from_ip"
	tooManyFromNetwork refusal = "too_many_from_network"
	shuttingDown       refusal = "shutting_down"
)

func (r refusal) text() string {
	return map[refusal]string{
		tooMany:            "4.3.2 Too many connections, try again later",
		tooManyFromIP:      "4.7.0 Too many connections from your address",
		tooManyFromNetwork: "4.7.0 Too many connections from your network",
		shuttingDown:       "4.3.2 The server is shutting down",
	}[r]
}

// enter counts a connection, or says why it cannot be taken.
func (p *peers) enter(c *conn) refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing:
		return shuttingDown
	case len(p.open) >= p.total:
		return tooMany
	}
	p.open[c] = struct{}{}
	return ""
}

// place counts a connection that has entered where it comes from, which a proxy may have told only now.
func (p *peers) place(c *conn) refusal {
	ip := c.remote.Addr()
	if !isCounted(ip) {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch network := networkOf(ip); {
	case p.ips[ip] >= p.perIP:
		return tooManyFromIP
	case p.networks[network] >= p.perNetwork:
		return tooManyFromNetwork
	default:
		p.ips[ip]++
		p.networks[network]++
		c.placed = true
		return ""
	}
}

func (p *peers) leave(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	if c.placed {
		drop(p.ips, c.remote.Addr())
		drop(p.networks, networkOf(c.remote.Addr()))
	}
	p.gone.Broadcast()
}

func drop[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] <= 0 {
		delete(counts, key)
	}
}

// close lets nobody in any more, and returns who is there.
func (p *peers) close() (open []*conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for c := range p.open {
		open = append(open, c)
	}
	return open
}

// wait returns when everybody has left.
func (p *peers) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.open) > 0 {
		p.gone.Wait()
	}
}

// isCounted tells whether limits of one peer apply to an address: this machine's own programs are no strangers.
func isCounted(ip netip.Addr) bool { return ip.IsValid() && !ip.IsLoopback() }

// networkOf is the network that most likely belongs to one party.
func networkOf(ip netip.Addr) netip.Prefix {
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	network, err := ip.WithZone("").Prefix(bits)
	if err != nil { // not an address
		return netip.Prefix{}
	}
	return network
}
