package dns_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"podmail/mail"
	"podmail/server/dns"
)

// serve answers on one loopback port over UDP and TCP until the test ends.
func serve(t *testing.T, answer mdns.HandlerFunc) string {
	t.Helper()
	udp, tcp := listen(t)
	for _, s := range []*mdns.Server{{PacketConn: udp, Handler: answer}, {Listener: tcp, Handler: answer}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		t.Cleanup(func() { s.Shutdown() })
	}
	return udp.LocalAddr().String()
}

// listen finds a port that is free for UDP and TCP.
func listen(t *testing.T) (udp net.PacketConn, tcp net.Listener) {
	t.Helper()
	for range 50 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		udp.Close()
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// zone answers from records in master file form, with aliases followed as recursive resolvers do.
func zone(t *testing.T, lines string) mdns.HandlerFunc {
	t.Helper()
	var records []mdns.RR
	for p := mdns.NewZoneParser(strings.NewReader(lines), "", ""); ; {
		rr, ok := p.Next()
		if !ok {
			if p.Err() != nil {
				t.Fatal(p.Err())
			}
			break
		}
		records = append(records, rr)
	}
	return func(w mdns.ResponseWriter, q *mdns.Msg) {
		m := new(mdns.Msg)
		m.SetReply(q)
		name := q.Question[0].Name
		switch strings.ToLower(name) {
		case "broken.example.":
			m.Rcode = mdns.RcodeServerFailure
		case "silent.example.":
			return
		}
		for range 3 {
			for _, rr := range records {
				if !strings.EqualFold(rr.Header().Name, name) {
					continue
				}
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				} else if alias, ok := rr.(*mdns.CNAME); ok {
					m.Answer = append(m.Answer, alias)
					name = alias.Target
					break
				}
			}
			if len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype == q.Question[0].Qtype {
				break
			}
		}
		if len(m.Answer) == 0 && m.Rcode == 0 {
			m.Rcode = mdns.RcodeNameError
		}
		if w.LocalAddr().Network() == "udp" {
			m.Truncate(512)
		}
		w.WriteMsg(m)
	}
}

func TestLookups(t *testing.T) {
	long := strings.Repeat("x", 250)
	c := dns.NewClient(serve(t, zone(t, `
a.example. 60 IN MX 20 Second.example.
a.example. 60 IN MX 10 first.example.
null.example. 60 IN MX 0 .
a.example. 60 IN TXT "one " "string"
a.example. 60 IN TXT "quoted \" and \\ and \195\164"
big.example. 60 IN TXT "`+long+`" "`+long+`" "`+long+`"
link.a.example. 60 IN CNAME Host.example.
key.a.example. 60 IN CNAME key.b.example.
key.b.example. 60 IN TXT "p=x"
`)), false)
	ctx := context.Background()
	hosts := func(ctx context.Context, name string) ([]string, error) {
		records, err := c.LookupMX(ctx, name)
		return dns.Hosts(records), err
	}
	for _, l := range []struct {
		name string
		ask  func(context.Context, string) ([]string, error)
		want []string
	}{
		{"a.example", hosts, []string{"first.example", "second.example"}},
		{"null.example", hosts, []string{"."}},
		{"none.example", hosts, nil},
		{"A.example", c.LookupTXT, []string{"one string", "quoted \" and \\ and ä"}},
		{"big.example", c.LookupTXT, []string{long + long + long}}, // does not fit a datagram
		{"key.a.example", c.LookupTXT, []string{"p=x"}},
		{"link.a.example", c.LookupCNAME, []string{"host.example"}},
		{"a.example", c.LookupCNAME, nil},
	} {
		if got, err := l.ask(ctx, l.name); err != nil || !slices.Equal(got, l.want) {
			t.Errorf("%s: %q, %v; want %q", l.name, got, err, l.want)
		}
	}
	if got, err := c.LookupTXT(ctx, "broken.example"); err == nil || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Errorf("a server that fails: %q, %v", got, err)
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if got, err := c.LookupTXT(short, "silent.example"); err == nil {
		t.Errorf("a server that says nothing: %q", got)
	}
	nobody := dns.NewClient("127.0.0.1:1", false)
	if got, err := nobody.LookupMX(ctx, "a.example"); err == nil {
		t.Errorf("no server: %v", got)
	}
}

func TestAddresses(t *testing.T) {
	c := dns.NewClient(serve(t, zone(t, `
a.example. 60 IN A 192.0.2.1
a.example. 60 IN A 192.0.2.2
a.example. 60 IN AAAA 2001:db8::1
alias.example. 60 IN CNAME a.example.
1.2.0.192.in-addr.arpa. 60 IN PTR A.example.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR six.example.
_25._tcp.a.example. 60 IN TLSA 3 1 1 00ff
`)), false)
	ctx := context.Background()
	for _, l := range []struct {
		family dns.Family
		name   string
		want   string
	}{{dns.IPv4, "a.example", "[192.0.2.1 192.0.2.2]"}, {dns.IPv6, "a.example", "[2001:db8::1]"}, {dns.IPv4, "alias.example", "[192.0.2.1 192.0.2.2]"},
		{dns.IPv6, "none.example", "[]"}} {
		if got, err := c.LookupIP(ctx, l.family, l.name); err != nil || fmt.Sprint(got) != l.want {
			t.Errorf("%s %s: %v, %v", l.family, l.name, got, err)
		}
	}
	for address, want := range map[string]string{"192.0.2.1": "[a.example]", "::ffff:192.0.2.1": "[a.example]", "2001:db8::1": "[six.example]", "192.0.2.9": "[]"} {
		if got, err := c.LookupPTR(ctx, netip.MustParseAddr(address)); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", address, got, err)
		}
	}
	if got, err := c.LookupTLSA(ctx, "_25._tcp.a.example"); err != nil || len(got) != 1 || got[0].Usage != 3 || got[0].Selector != 1 || got[0].MatchingType != 1 || string(got[0].Data) != "\x00\xff" {
		t.Errorf("TLSA: %v, %v", got, err)
	}
}

// TestSecureAnswers believes a resolver's word on DNSSEC only where nobody can have forged it.
func TestSecureAnswers(t *testing.T) {
	answer := zone(t, "a.example. 60 IN MX 10 mx.example.")
	server := serve(t, func(w mdns.ResponseWriter, q *mdns.Msg) {
		answer(validated{w, q.AuthenticatedData && q.Question[0].Name == "a.example."}, q)
	})
	c := dns.NewClient(server, false)
	for name, want := range map[string]bool{"a.example": true, "b.example": false} {
		if got, err := c.IsSecure(context.Background(), mail.RecordMX, name); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

type validated struct {
	mdns.ResponseWriter
	secure bool
}

func (v validated) WriteMsg(m *mdns.Msg) error {
	m.AuthenticatedData = v.secure
	return v.ResponseWriter.WriteMsg(m)
}

func TestCanonical(t *testing.T) {
	c := dns.NewCache(dns.NewClient(serve(t, zone(t, `
one.example. 60 IN CNAME Two.example.
two.example. 60 IN CNAME three.example.
three.example. 60 IN AAAA ::1
plain.example. 60 IN A 127.0.0.1
round.example. 60 IN CNAME round.example.
`)), false), &clock{})
	for name, want := range map[string]string{"One.example": "three.example", "three.example": "three.example", "plain.example": "plain.example", "none.example": "none.example", "round.example": "round.example"} {
		if got, err := c.Canonical(context.Background(), name); got != want || err != nil {
			t.Errorf("%s: %q, want %q (%v)", name, got, want, err)
		}
	}
	if got, err := c.Canonical(context.Background(), "broken.example"); err == nil {
		t.Errorf("of nothing: %q", got)
	}
}
