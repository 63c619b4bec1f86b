package receive_test

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"podmail/smtp/receive"
)

func TestASlowButHonestPeerSurvives(t *testing.T) {
	d := open(t, receive.Options{StallTime: 500 * time.Millisecond})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	for _, piece := range strings.Split("Subject: slow|\r\n|\r\n|hel|lo\r|\n.\r|\n", "|") {
		p.send(piece)
		time.Sleep(100 * time.Millisecond) // together longer than one stall may be
	}
	p.expect("250 2.0.0 ")
	d.has(t, d.alice, "slow")
}

func TestABodyMayNotTakeForEver(t *testing.T) {
	d := open(t, receive.Options{StallTime: 500 * time.Millisecond, BodyTime: time.Second})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send("Subject: endless\r\n\r\n")
	for range 15 {
		p.send("x\r\n")
		time.Sleep(100 * time.Millisecond)
	}
	p.send(".\r\n")
	for got := p.reply(); got != "<closed>"; got = p.reply() {
		if strings.HasPrefix(got, "250") {
			t.Fatalf("accepted: %s", got)
		}
	}
	d.has(t, d.alice)
}

func TestAnIdlePeerIsToldGoodbye(t *testing.T) {
	d := open(t, receive.Options{CommandTime: 200 * time.Millisecond})
	p := dial(t, d.mx)
	p.expect("421 4.4.2 ")
	if got := p.reply(); got != "<closed>" {
		t.Errorf("after the goodbye: %s", got)
	}
}

// TestALargeMessageIsNotHeld sends 50 MB and looks at what the process allocated and kept meanwhile.
func TestALargeMessageIsNotHeld(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send("Subject: large\r\n\r\n")
	line := strings.Repeat("x", 998) + "\r\n"
	chunk := strings.Repeat(line, 1000)
	var most uint64
	for range 50 {
		if _, err := io.WriteString(p.Conn, chunk); err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	p.send(".\r\n")
	p.expect("250 2.0.0 ")
	d.has(t, d.alice, "large")
	if most > 24<<20 {
		t.Errorf("%d MB were held while 50 MB came in", most>>20)
	}
}
