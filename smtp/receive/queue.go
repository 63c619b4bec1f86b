package receive

import (
	"net"
	"sync"
)

// queue is the listener that go-smtp is served: guards come out of it, once when a connection is taken and once more when
// its session begins anew under TLS.
type queue struct {
	addr   net.Addr
	ready  chan *guard
	closed chan struct{}
	close  sync.Once
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, ready: make(chan *guard), closed: make(chan struct{})}
}

// put has go-smtp begin a session, unless it takes none any more.
func (q *queue) put(g *guard) bool {
	select {
	case q.ready <- g:
		return true
	case <-q.closed:
		return false
	}
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case g := <-q.ready:
		return g, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.close.Do(func() { close(q.closed) })
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }
