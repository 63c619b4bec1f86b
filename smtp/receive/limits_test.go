package receive_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"podmail/smtp/receive"
)

// behind makes the options of a listener that believes this machine's PROXY headers.
func behind(o receive.Options) receive.Options {
	o.ProxyNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return o
}

// from connects as a peer at that address, through a proxy.
func from(t testing.TB, addr, ip string) *peer {
	t.Helper()
	p := dialThrough(t, addr, ip)
	p.expect("220 ")
	return p
}

func dialThrough(t testing.TB, addr, ip string) *peer {
	t.Helper()
	p := connect(t, addr)
	family := "TCP4"
	if strings.Contains(ip, ":") {
		family = "TCP6"
	}
	p.send(fmt.Sprintf("PROXY %s %s %s 40000 25\r\n", family, ip, ip))
	return p
}

func (p *peer) message(from, to string) string {
	p.send("MAIL FROM:<" + from + ">\r\n")
	if got := p.reply(); !strings.HasPrefix(got, "250 ") {
		return got
	}
	p.ask("RCPT TO:<"+to+">", "250 ")
	p.ask("DATA", "354 ")
	p.send("Subject: x\r\n\r\n" + strings.Repeat("x", 90) + "\r\n.\r\n")
	return p.reply()
}

func TestConnectionsAreLimitedByAddressAndNetwork(t *testing.T) {
	d := open(t, behind(receive.Options{MaxPerIP: 2, MaxPerNetwork: 3}))
	first := from(t, d.mx, "192.0.2.1")
	from(t, d.mx, "192.0.2.1")
	dialThrough(t, d.mx, "192.0.2.1").expect("421 4.7.0 Too many connections from your address")
	from(t, d.mx, "192.0.2.2")
	dialThrough(t, d.mx, "192.0.2.3").expect("421 4.7.0 Too many connections from your network")
	from(t, d.mx, "192.0.3.1")
	for i := range 3 {
		from(t, d.mx, fmt.Sprintf("2001:db8::%d", i+1))
	}
	dialThrough(t, d.mx, "2001:db8::4").expect("421 4.7.0 Too many connections from your network")
	from(t, d.mx, "2001:db8:0:1::4")
	first.ask("QUIT", "221 ")
	if got := first.reply(); got != "<closed>" {
		t.Fatal(got)
	}
	for { // the server counts it out a moment after it is gone
		p := dialThrough(t, d.mx, "192.0.2.3")
		if got := p.reply(); strings.HasPrefix(got, "220 ") {
			break
		} else if !strings.HasPrefix(got, "421 ") {
			t.Fatal(got)
		}
	}
}

func TestAProxyMustSayWhoItsClientIs(t *testing.T) {
	d := open(t, behind(receive.Options{}))
	p := connect(t, d.mx)
	p.send("EHLO mail.example.org\r\n")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("without a header: %s", got)
	}
	p = connect(t, d.mx)
	p.send("PROXY UNKNOWN\r\n") // a health check
	p.expect("220 ")
	p = from(t, d.mx, "203.0.113.7")
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send("Subject: through\r\n\r\nx\r\n.\r\n")
	p.expect("250 2.0.0 ")
	if received := d.header(t, d.alice, "Received"); !strings.Contains(received, "from mail.example.org ([203.0.113.7])") {
		t.Errorf("the peer's address is lost: %s", received)
	}
	p = from(t, d.submission, "203.0.113.7") // it is no loopback peer any more
	if caps := p.ask("EHLO laptop", "250-"); strings.Contains(caps, "AUTH") {
		t.Errorf("passwords in plain text from elsewhere: %s", caps)
	}
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "538 5.7.11 ")
}

func TestWhatComesInAnHourIsLimited(t *testing.T) {
	d := open(t, behind(receive.Options{MessagesPerHour: 2}))
	one, two := from(t, d.mx, "192.0.2.1"), from(t, d.mx, "192.0.2.2")
	for _, p := range []*peer{one, two} {
		p.ask("EHLO mail.example.org", "250-")
		for range 2 {
			if got := p.message("s@example.org", "alice@podmail.test"); !strings.HasPrefix(got, "250 2.0.0 ") {
				t.Fatal(got)
			}
		}
		if got := p.message("s@example.org", "alice@podmail.test"); !strings.HasPrefix(got, "450 4.7.1 ") {
			t.Errorf("the third message: %s", got)
		}
	}
	accepted := 0
	for i := range 8 { // other addresses of the network, which together have four times as much
		p := from(t, d.mx, fmt.Sprintf("192.0.2.%d", i+10))
		p.ask("EHLO mail.example.org", "250-")
		if strings.HasPrefix(p.message("s@example.org", "alice@podmail.test"), "250 2.0.0 ") {
			accepted++
		}
	}
	if accepted != 4 {
		t.Errorf("%d more messages from the network, not 4", accepted)
	}
	d.Clock.Step(time.Hour)
	if got := one.message("s@example.org", "alice@podmail.test"); !strings.HasPrefix(got, "250 2.0.0 ") {
		t.Errorf("an hour later: %s", got)
	}
}

func TestRecipientsAndBytesInAnHourAreLimited(t *testing.T) {
	d := open(t, behind(receive.Options{RecipientsPerHour: 2, BytesPerHour: 200}))
	p := from(t, d.mx, "192.0.2.1")
	p.to("alice@podmail.test")
	p.ask("RCPT TO:<nobody@podmail.test>", "550 5.1.1 ") // counts too: addresses are not to be probed
	p.ask("RCPT TO:<alice@podmail.test>", "450 4.7.1 ")
	q := from(t, d.mx, "198.51.100.1")
	q.ask("EHLO mail.example.org", "250-")
	q.ask("MAIL FROM:<s@example.org> SIZE=1000", "450 4.7.1 ")
	for range 2 {
		if got := q.message("s@example.org", "alice@podmail.test"); !strings.HasPrefix(got, "250 2.0.0 ") {
			t.Fatal(got)
		}
	}
	q.ask("MAIL FROM:<s@example.org>", "450 4.7.1 ")
}

// TestGuessingIsCountedOverConnections lets an address guess once per connection.
func TestGuessingIsCountedOverConnections(t *testing.T) {
	d := open(t, behind(receive.Options{TLSConfig: certificate(t), MaxLoginFailures: 3}))
	login := func(ip, key, want string) {
		t.Helper()
		p := from(t, d.submission, ip)
		p.ask("EHLO laptop", "250-")
		p = p.startTLS()
		p.ask("EHLO laptop", "250-")
		p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+key), want)
	}
	for range 3 {
		login("192.0.2.1", "wrong", "535 5.7.8 ")
	}
	login("192.0.2.1", d.key, "421 4.7.0 ") // it is not even looked at
	login("192.0.2.2", d.key, "235 ")       // who has the key is not held up by who has not
	for i := range 3 {
		login(fmt.Sprintf("2001:db8::%d", i+1), "wrong", "535 5.7.8 ")
	}
	login("2001:db8::ffff", d.key, "421 4.7.0 ")
	d.Clock.Step(time.Hour)
	login("192.0.2.1", d.key, "235 ")
}

func TestWhatHappensIsCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	d := open(t, receive.Options{Metrics: registry})
	p := dial(t, d.mx)
	p.ask("EHLO mail.example.org", "250-")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<nobody@podmail.test>", "550 ")
	p.ask("RSET", "250 ")
	if got := p.message("s@example.org", "alice@podmail.test"); !strings.HasPrefix(got, "250 ") {
		t.Fatal(got)
	}
	q := dial(t, d.submission)
	q.ask("EHLO laptop", "250-")
	q.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00wrong"), "535 ")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := strings.TrimPrefix(f.GetName(), "podmail_smtp_")
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{"open_connections": 2, "connections_total mx taken": 1, "connections_total submission taken": 1,
		"recipients_total mx 2xx": 1, "recipients_total mx 5xx": 1, "messages_total mx accepted": 1, "received_bytes_total mx": 106, "logins_total PLAIN failed": 1} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v (of %v)", name, got[name], want, got)
		}
	}
}
