package receive_test

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"podmail/smtp/receive"
)

// hostile are peers that hold a connection and give nothing: each in another way, and none for long enough to be hung
// up on.
var hostile = map[string]func(p *peer){
	"says nothing": func(*peer) {},
	"half a command": func(p *peer) {
		p.send("EHLO mail.example.org\r\nMAIL FROM:<" + strings.Repeat("a", 11<<10))
	},
	"half a header": func(p *peer) {
		p.to("alice@podmail.test")
		p.ask("DATA", "354 ")
		p.send(strings.Repeat("X-Filler: "+strings.Repeat("x", 80)+"\r\n", 2000))
	},
	"half a line": func(p *peer) {
		p.to("alice@podmail.test")
		p.ask("DATA", "354 ")
		p.send("Subject: x\r\n\r\n" + strings.Repeat("x", 200<<10))
	},
	"half a chunk": func(p *peer) {
		p.to("alice@podmail.test")
		p.send("BDAT 50000000 LAST\r\nSubject: x\r\n\r\n" + strings.Repeat("x\r\n", 50<<10))
	},
	"many recipients": func(p *peer) {
		p.ask("EHLO mail.example.org", "250-")
		p.ask("MAIL FROM:<s@example.org>", "250 ")
		for i := range 50 {
			p.ask(fmt.Sprintf("RCPT TO:<alice+%s%d@podmail.test>", strings.Repeat("x", 200), i), "250 ")
		}
	},
	"half a handshake": func(p *peer) {
		p.ask("EHLO mail.example.org", "250-")
		p.ask("STARTTLS", "220 ")
		p.send("\x16\x03\x01\x40\x00\x01")
	},
	"TLS and then a long line": func(p *peer) {
		p.ask("EHLO mail.example.org", "250-")
		p.ask("STARTTLS", "220 ")
		c := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
		if _, err := c.Write([]byte("EHLO " + strings.Repeat("x", 11<<10))); err != nil {
			p.t.Error(err)
		}
	},
}

// TestHostilePeersCostLittleAndHoldUpNobody: 200 of them, and honest mail comes in between, all of it.
func TestHostilePeersCostLittleAndHoldUpNobody(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := held()
	for range 200 / len(hostile) {
		for _, hold := range hostile {
			hold(dial(t, d.mx))
		}
	}
	honest := dial(t, d.mx)
	honest.ask("EHLO mail.example.org", "250-")
	for range 20 {
		if got := honest.message("s@example.org", "bob@podmail.test"); !strings.HasPrefix(got, "250 2.0.0 ") {
			t.Fatal(got)
		}
	}
	if got := len(d.inbox(t, d.bob)); got != 20 {
		t.Errorf("%d of 20 messages came in", got)
	}
	// At most one chunk of 256 KiB for each of the 75 that have begun a message, as much again while a buffer grows, and the
	// buffers of the connections, of which the test holds an end each.
	after, most := held(), uint64(64<<20)
	t.Logf("%d KB are held for 200 peers", (max(after, before)-before)>>10)
	if after > before+most {
		t.Errorf("that is more than %d KB", most>>10)
	}
	d.has(t, d.alice)
}

// TestAMessageThatLoopsIsRefused, and the session goes on.
func TestAMessageThatLoopsIsRefused(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send(strings.Repeat("Received: from a.example by b.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n", 100) + "Subject: x\r\n\r\nx\r\n.\r\n")
	p.expect("554 5.4.6 ")
	p.ask("NOOP", "250 2.0.0 ")
	d.has(t, d.alice)
}
