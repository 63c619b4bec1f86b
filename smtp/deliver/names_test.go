package deliver_test

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	mdns "github.com/miekg/dns"
)

// nameserver answers from records in master file form, over the wire, as a resolver that follows aliases and validates:
// everything it says is vouched for, but what goes over a name that is unsigned.
type nameserver struct {
	address  string
	mu       sync.Mutex
	records  []mdns.RR
	unsigned []string // type and name
	broken   []string // type and name, of which nothing can be said
}

func serveNames(t testing.TB) *nameserver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameserver{address: conn.LocalAddr().String()}
	ready := make(chan struct{})
	s := &mdns.Server{PacketConn: conn, Handler: mdns.HandlerFunc(n.answer), NotifyStartedFunc: func() { close(ready) }}
	go s.ActivateAndServe()
	<-ready
	t.Cleanup(func() { s.Shutdown() })
	return n
}

func (n *nameserver) publish(t testing.TB, lines ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range lines {
		rr, err := mdns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		n.records = append(n.records, rr)
	}
}

// doubt makes names unsigned, and others such that nothing can be said of them: each a type and a name.
func (n *nameserver) doubt(unsigned, broken string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unsigned, n.broken = append(n.unsigned, unsigned), append(n.broken, broken)
}

func (n *nameserver) answer(w mdns.ResponseWriter, q *mdns.Msg) {
	m := new(mdns.Msg)
	m.SetReply(q)
	m.AuthenticatedData = q.AuthenticatedData
	n.mu.Lock()
	defer n.mu.Unlock()
	kind, name := q.Question[0].Qtype, strings.ToLower(q.Question[0].Name)
	for range 8 {
		about := mdns.TypeToString[kind] + " " + name
		if slices.Contains(n.broken, about) {
			m.Answer, m.Rcode = nil, mdns.RcodeServerFailure
		}
		if slices.Contains(n.unsigned, about) {
			m.AuthenticatedData = false
		}
		alias := ""
		for _, rr := range n.records {
			if h := rr.Header(); strings.ToLower(h.Name) != name || h.Rrtype != kind && h.Rrtype != mdns.TypeCNAME {
				continue
			}
			m.Answer = append(m.Answer, rr)
			if cname, ok := rr.(*mdns.CNAME); ok && kind != mdns.TypeCNAME {
				alias = cname.Target
				if slices.Contains(n.unsigned, "CNAME "+name) {
					m.AuthenticatedData = false
				}
			}
		}
		if name = alias; alias == "" {
			break
		}
	}
	w.WriteMsg(m)
}
