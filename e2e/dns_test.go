package e2e

import (
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// nameserver is a DNS server on loopback that answers from what was published to it, and from nothing else.
type nameserver struct {
	t       *testing.T
	mu      sync.Mutex
	records []dns.RR
	address string
}

// serveDNS starts a nameserver, which ends with the test.
func serveDNS(t *testing.T) *nameserver {
	t.Helper()
	socket, listener := listenTwice(t)
	n := &nameserver{t: t, address: socket.LocalAddr().String()}
	for _, s := range []*dns.Server{{PacketConn: socket, Handler: n}, {Listener: listener, Handler: n}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go func() {
			if err := s.ActivateAndServe(); err != nil {
				t.Errorf("nameserver: %v", err)
			}
		}()
		<-ready
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Errorf("nameserver: %v", err)
			}
		})
	}
	return n
}

// listenTwice finds a port that is free for UDP and TCP.
func listenTwice(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		socket, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", socket.LocalAddr().String())
		if err == nil {
			return socket, listener
		}
		socket.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// setting makes podmail ask this server.
func (n *nameserver) setting() string { return `dns.resolver = "` + n.address + `"` }

// publish makes the lines of a zone file all that there is.
func (n *nameserver) publish(zone string) {
	n.t.Helper()
	var records []dns.RR
	p := dns.NewZoneParser(strings.NewReader(zone), "", "zone file")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		records = append(records, rr)
	}
	if err := p.Err(); err != nil {
		n.t.Fatalf("%v in\n%s", err, zone)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records = records
}

// ServeDNS implements dns.Handler.
func (n *nameserver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	for _, rr := range n.records {
		if strings.EqualFold(rr.Header().Name, q.Question[0].Name) && rr.Header().Rrtype == q.Question[0].Qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) == 0 {
		m.Rcode = dns.RcodeNameError
	}
	if w.LocalAddr().Network() == "udp" {
		m.Truncate(dns.MinMsgSize)
	}
	_ = w.WriteMsg(m) // who asked may be gone
}
