package deliver_test

import (
	"context"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/smtp/deliver"
)

// TestRoutes is where mail goes by what DNS says.
func TestRoutes(t *testing.T) {
	h := listen(t, "127.0.0.1:0", script{})
	listen(t, "[::1]:"+h.port(), script{})
	const taken = "taken 250 2.0.0"
	for _, c := range []struct{ name, destination, records, want string }{
		{"implicit MX", "plain.example", "A plain.example 127.0.0.1", taken},
		{"null MX", "null.example", "MX null.example .", "dns permanent 0 5.1.10"},
		{"no such name", "none.example", "", "dns permanent 0 5.1.2"},
		{"MX without address", "a.example", "MX a.example mx.a.example", "dns permanent 0 5.4.4"},
		{"the second MX has one", "a.example", "MX a.example mx.a.example mx2.a.example|A mx2.a.example 127.0.0.1", taken},
		{"we alone", "a.example", "MX a.example us.example|A us.example 127.0.0.1", "dns permanent 0 5.4.6"},
		{"we are the best", "a.example", "MX a.example Us.Example x.example|A x.example 127.0.0.1", "dns permanent 0 5.4.6"},
		{"we come second", "a.example", "MX a.example 10-x.example 20-us.example|A x.example 127.0.0.1", taken},
		{"we ourselves", "us.example", "A us.example 127.0.0.1", "dns permanent 0 5.4.6"},
		{"we are as good as another", "a.example", "MX a.example 10-us.example 10-x.example|A x.example 127.0.0.1", "dns permanent 0 5.4.6"},
		{"a name that is no host", "a_b.example", "MX a_b.example mx.a.example|A mx.a.example 127.0.0.1", taken},
		{"null MX beside another", "a.example", "MX a.example . mx.a.example|A mx.a.example 127.0.0.1", taken},
		{"an alias", "alias.example", "CNAME alias.example a.example|A alias.example 127.0.0.1", taken},
		{"an MX counts, not the address", "a.example", "MX a.example mx.a.example|A a.example 127.0.0.1", "dns permanent 0 5.4.4"},
		{"literal", "[127.0.0.1]", "", taken},
		{"IPv6 literal", "[IPv6:::1]", "", taken},
		{"IPv4 literal with a tag", "[IPv6:127.0.0.1]", "", "dns permanent 0 5.1.2"},
		{"IPv6 literal of a zone", "[IPv6:fe80::1%lo]", "", "dns permanent 0 5.1.2"},
		{"IPv6 literal in lower case", "[ipv6:::1]", "", taken},
		{"bad literal", "[127.0.0.1.5]", "", "dns permanent 0 5.1.2"},
		{"IPv6 literal without its tag", "[::1]", "", "dns permanent 0 5.1.2"},
		{"U-labels", "bücher.example", "MX xn--bcher-kva.example mx.b.example|A mx.b.example 127.0.0.1", taken},
		{"A-labels", "xn--bcher-kva.example", "MX xn--bcher-kva.example mx.b.example|A mx.b.example 127.0.0.1", taken},
		{"in a name that is none", "a b.\xff", "", "dns permanent 0 5.1.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, h.port(), nil)
			for record := range strings.SplitSeq(c.records, "|") {
				if f := strings.Fields(strings.ReplaceAll(record, "-", " ")); len(f) > 2 {
					values := f[2:]
					if strings.Contains(record, " 10-") {
						values = []string{f[2] + " " + f[3], f[4] + " " + f[5]}
					}
					if strings.Contains(record, "xn--") {
						f = strings.Fields(record)
						values = f[2:]
					}
					w.zone.Set(mail.RecordType(f[0]), f[1], values...)
				}
			}
			tr := transfer(plain, "bob@"+strings.ToValidUTF8(strings.ReplaceAll(c.destination, " ", ""), "x"))
			tr.Destination = c.destination
			w.expect(t, tr, c.want)
		})
	}
}

func TestDNSIsDown(t *testing.T) {
	w, _ := meet(t, script{}, nil)
	w.zone.Down(true)
	w.expect(t, transfer(plain, "bob@example.org"), "dns temporary 0 4.4.3")
}

// TestPrivateAddresses: an MX that points into our own network is not called.
func TestPrivateAddresses(t *testing.T) {
	w, h := meet(t, script{}, func(o *deliver.Options) { o.AllowPrivate = false })
	w.expect(t, transfer(plain, "bob@example.org"), "dns permanent 0 5.4.4")
	tr := transfer(plain, "bob@[127.0.0.1]")
	tr.Destination = "[127.0.0.1]"
	w.expect(t, tr, "dns permanent 0 5.4.4")
	w.zone.Set("A", "mx.example.org")
	w.zone.Set("AAAA", "mx.example.org", "::ffff:127.0.0.1", "fd00::1")
	w.expect(t, transfer(plain, "bob@example.org"), "dns permanent 0 5.4.4")
	if h.connections() != 0 {
		t.Error("the host was called")
	}
}

// TestEqualPreferences spreads mail over hosts that are equally good, and uses worse ones only if it must.
func TestEqualPreferences(t *testing.T) {
	h := listen(t, "127.0.0.1:0", script{answers: map[string]string{"QUIT": hangUp}})
	listen(t, "127.0.0.2:"+h.port(), script{})
	listen(t, "127.0.0.3:"+h.port(), script{})
	w := newWorld(t, h.port(), func(o *deliver.Options) { o.Times.Age = 1 })
	w.zone.Set(mail.RecordMX, "example.org", "10 a.example", "10 b.example", "20 c.example")
	w.zone.Set("A", "a.example", "127.0.0.1")
	w.zone.Set("A", "b.example", "127.0.0.2")
	w.zone.Set("A", "c.example", "127.0.0.3")
	seen := map[string]int{}
	for range 60 {
		seen[w.Carry(context.Background(), transfer(plain, "bob@example.org"))[0].Host]++
	}
	if seen["a.example [127.0.0.1]"] == 0 || seen["b.example [127.0.0.2]"] == 0 || len(seen) != 2 {
		t.Errorf("%v", seen)
	}
}

// TestLoops: an MX that is ourselves under another name is found out when it says who it is; what a better one may still
// take waits for that.
func TestLoops(t *testing.T) {
	for _, greets := range []map[string]string{{"EHLO": "250-Us.Example greets you\n250 8BITMIME"}, {"EHLO": "502 what", "HELO": "250 us.example"}} {
		w, h := meet(t, script{answers: greets}, nil)
		w.expect(t, transfer(plain, "bob@example.org"), "dns permanent 0 5.4.6")
		w.zone.Set(mail.RecordMX, "example.org", "5 dead.example.org", "10 mx.example.org")
		w.zone.Set("A", "dead.example.org", "127.0.0.99")
		w.expect(t, transfer(plain, "bob@example.org"), "connection temporary 0 4.4.1")
		tr := transfer(plain, "bob@example.org")
		tr.Relay = &mail.Relay{Host: "127.0.0.1", Port: h.port()} // which may be on this machine, and have its name
		w.expect(t, tr, "taken 250 2.0.0")
	}
	w, _ := meet(t, script{answers: map[string]string{"EHLO": "250 localhost"}}, func(o *deliver.Options) { o.Hostname = "localhost" })
	tr := transfer(plain, "bob@example.org")
	tr.HELO = ""
	w.expect(t, tr, "taken 250 2.0.0")
}
