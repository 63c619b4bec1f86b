package main

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// destinations is how many domains of other hosts there are.
const destinations = 50

// world is the other hosts with their names: a small DNS server, and for each destination a host on an address of its own
// that takes everything and keeps nothing.
type world struct {
	resolver string // address of the DNS server
	port     string // of all hosts

	taken atomic.Int64 // messages
	mu    sync.Mutex
	times map[string]chan time.Time // when mail to a recipient was taken, of those that are watched

	names []*dns.Server
	hosts []net.Listener
}

func destination(i int) string { return fmt.Sprintf("d%d.sink.test", i%destinations) }

func hostAddress(i int) net.IP { return net.IPv4(127, 0, 1, byte(1+i)) }

func newWorld() (*world, error) {
	w := &world{times: map[string]chan time.Time{}}
	err := w.serveNames()
	for tries := 0; err == nil && len(w.hosts) < destinations; tries++ {
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(hostAddress(len(w.hosts)).String(), w.portOrAny())); err == nil {
			w.hosts = append(w.hosts, l)
			_, w.port, _ = net.SplitHostPort(l.Addr().String())
			go w.accept(l)
		} else if len(w.hosts) > 0 && tries < 10*destinations { // the port is not free on all of them
			w.closeHosts()
			err = nil
		}
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) portOrAny() string {
	if len(w.hosts) == 0 {
		return "0"
	}
	return w.port
}

func (w *world) closeHosts() {
	for _, l := range w.hosts {
		l.Close()
	}
	w.hosts = nil
}

func (w *world) close() {
	w.closeHosts()
	for _, s := range w.names {
		_ = s.Shutdown() // it never started, or is gone
	}
}

// settings make a Podmail live in this world.
func (w *world) settings() string {
	return fmt.Sprintf("dns.resolver = %q\ndelivery.mx_port = %s\n", w.resolver, w.port)
}

func (w *world) serveNames() error {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.resolver = packets.LocalAddr().String()
	s := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(answerName)}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go s.ActivateAndServe() // until it is shut down
	<-started
	w.names = append(w.names, s)
	return nil
}

// answerName knows an MX for each destination, an address for each of these, and nothing else.
func answerName(out dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	name := strings.ToLower(q.Question[0].Name)
	header := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 3600}
	var i int
	switch _, err := fmt.Sscanf(strings.TrimPrefix(name, "mx."), "d%d.sink.test.", &i); {
	case err != nil || i < 0 || i >= destinations:
		m.Rcode = dns.RcodeNameError
	case strings.HasPrefix(name, "mx.") && header.Rrtype == dns.TypeA:
		m.Answer = append(m.Answer, &dns.A{Hdr: header, A: hostAddress(i)})
	case !strings.HasPrefix(name, "mx.") && header.Rrtype == dns.TypeMX:
		m.Answer = append(m.Answer, &dns.MX{Hdr: header, Preference: 10, Mx: "mx." + name})
	}
	_ = out.WriteMsg(m) // who asked may be gone
}

func (w *world) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go w.serve(conn)
	}
}

// serve takes mail, with as little work as the protocol allows.
func (w *world) serve(conn net.Conn) {
	defer conn.Close()
	in, out := bufio.NewReaderSize(conn, 16<<10), bufio.NewWriterSize(conn, 1<<10)
	say := func(reply string) bool {
		out.WriteString(reply + "\r\n")
		return in.Buffered() > 0 || out.Flush() == nil
	}
	if !say("220 sink.test ESMTP") {
		return
	}
	var recipients []string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		ok := true
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "EHLO":
			ok = say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000")
		case "RCPT":
			recipients = append(recipients, line[strings.IndexByte(line, '<')+1:strings.LastIndexByte(line, '>')])
			ok = say("250 2.1.5 ok")
		case "DATA":
			if ok = say("354 go on") && skipBody(in); ok {
				w.note(recipients)
				recipients = nil
				ok = say("250 2.0.0 taken")
			}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			ok = say("250 2.0.0 ok")
		}
		if !ok {
			return
		}
	}
}

// skipBody reads to the end of a message.
func skipBody(in *bufio.Reader) bool {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false
		}
		if string(line) == ".\r\n" {
			return true
		}
	}
}

// note counts what was taken, and tells who watches.
func (w *world) note(recipients []string) {
	now := time.Now()
	w.taken.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range recipients {
		if watcher, ok := w.times[r]; ok {
			delete(w.times, r)
			watcher <- now
		}
	}
}

// watch returns a channel that says when mail to a recipient is taken.
func (w *world) watch(recipient string) <-chan time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := make(chan time.Time, 1)
	w.times[recipient] = ch
	return ch
}

// await waits until so many messages were taken.
func (w *world) await(n int64, patience time.Duration) error {
	for end := time.Now().Add(patience); w.taken.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("only %d of %d messages were taken after %s", w.taken.Load(), n, patience)
		}
	}
	return nil
}
