package dns_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"podmail/server/dns"
)

// serve answers on one loopback port over UDP and TCP until the test ends.
func serve(t *testing.T, answer mdns.HandlerFunc) string {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*mdns.Server{{PacketConn: udp, Handler: answer}, {Listener: tcp, Handler: answer}} {
		ready := make(chan struct{})
		s.NotifyStartedFunc = func() { close(ready) }
		go s.ActivateAndServe()
		<-ready
		t.Cleanup(func() { s.Shutdown() })
	}
	return udp.LocalAddr().String()
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
`)))
	ctx := context.Background()
	for _, l := range []struct {
		name string
		ask  func(context.Context, string) ([]string, error)
		want []string
	}{
		{"a.example", c.LookupMX, []string{"first.example", "second.example"}},
		{"null.example", c.LookupMX, []string{"."}},
		{"none.example", c.LookupMX, nil},
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
	nobody := dns.NewClient("127.0.0.1:1")
	if got, err := nobody.LookupMX(ctx, "a.example"); err == nil {
		t.Errorf("no server: %q", got)
	}
}
