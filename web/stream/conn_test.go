package stream_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"podmail/web/stream"
)

// TestGoodbyes: whoever breaks the rules is let go, with a word on why.
func TestGoodbyes(t *testing.T) {
	h := open(t, stream.Limits{Frame: 1000, Pending: 2})
	for name, c := range map[string]struct {
		do   func(p *peer)
		want websocket.StatusCode
	}{
		"a frame too large": {func(p *peer) { p.say(strings.Repeat(" ", 2000)) }, websocket.StatusMessageTooBig},
		"a binary frame": {func(p *peer) {
			if err := p.Write(within(t), websocket.MessageBinary, []byte("x")); err != nil {
				t.Error(err)
			}
		}, websocket.StatusUnsupportedData},
		"a flood": {func(p *peer) {
			for range 10_000 {
				if p.Write(within(t), websocket.MessageText, []byte("{}")) != nil {
					return
				}
			}
		}, websocket.StatusPolicyViolation},
	} {
		p := h.dial(t, h.podKey, "")
		c.do(p)
		if got := p.closed(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTheDeadAreLetGo: a peer that does not answer pings is disconnected.
func TestTheDeadAreLetGo(t *testing.T) {
	h := open(t, stream.Limits{Look: 5 * time.Millisecond, Stall: 20 * time.Millisecond, PerKey: 1})
	h.dial(t, h.podKey, "") // and never read from
	h.dialWhenFree(t, "")
}

// dialWhenFree connects as soon as the key's only place is free.
func (h *house) dialWhenFree(t *testing.T, query string) *peer {
	t.Helper()
	for {
		ws, resp, err := websocket.Dial(within(t), "ws://"+h.addr+"/v0?api_key="+h.podKey+"&"+query, nil)
		if err == nil {
			t.Cleanup(func() { ws.CloseNow() })
			ws.SetReadLimit(2 << 20)
			return &peer{Conn: ws, t: t}
		}
		if resp == nil || resp.StatusCode != http.StatusTooManyRequests {
			t.Fatal(err)
		}
	}
}

// TestASlowPeerLosesNothing: one that stops reading is cut off instead of having its events queued up, and is told them
// when it comes back.
func TestASlowPeerLosesNothing(t *testing.T) {
	h := open(t, stream.Limits{Stall: 2 * time.Second, Line: 1 << 30, PerKey: 1})
	slow := h.dial(t, h.podKey, "")
	slow.say(`{"type":"subscribe"}`)
	start := slow.hear().LastEventID
	big := strings.Repeat(strings.Repeat("0123456789", 7)+"\n", 5_000)
	const letters = 12
	for range letters {
		h.Deliver(t, "alice@podmail.test", "From: eve@elsewhere.test\nTo: alice@podmail.test\nSubject: s\n\n"+big)
	}
	back := h.dialWhenFree(t, "last_event_id="+start)
	back.say(`{"type":"subscribe"}`)
	back.hear()
	for i := range letters {
		if f := back.hear(); f.EventType != "message.received" || len(f.Told.Text) < len(big)-1 {
			t.Fatalf("letter %d: %s, %d bytes", i, f.EventType, len(f.Told.Text))
		}
	}
}

// TestShutdownSaysGoodbye: to those who listen, and waits for no others.
func TestShutdownSaysGoodbye(t *testing.T) {
	h := open(t, stream.Limits{})
	p, idle := h.dial(t, h.podKey, ""), h.dial(t, h.podKey, "")
	p.say(`{"type":"subscribe"}`)
	p.hear()
	got := make(chan websocket.StatusCode, 2)
	for _, p := range []*peer{p, idle} {
		go func() { got <- p.closed() }()
	}
	h.shutdown(t)
	for range 2 {
		if code := <-got; code != websocket.StatusGoingAway {
			t.Error(code)
		}
	}
	if _, _, err := websocket.Dial(within(t), "ws://"+h.addr+"/v0?api_key="+h.podKey, nil); err == nil {
		t.Error("a stopped server takes connections")
	}
}

// TestCompressionIsOffered: permessage-deflate, for those who ask.
func TestCompressionIsOffered(t *testing.T) {
	h := open(t, stream.Limits{})
	ws, resp, err := websocket.Dial(within(t), "ws://"+h.addr+"/v0?api_key="+h.podKey, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "permessage-deflate") {
		t.Errorf("%q", got)
	}
	p := &peer{Conn: ws, t: t}
	ws.SetReadLimit(2 << 20)
	p.say(`{"type":"subscribe"}`)
	p.hear()
	p.hears(h.post(t, "alice"))
	h.Deliver(t, "alice@podmail.test", "From: eve@elsewhere.test\nTo: alice@podmail.test\nSubject: s\n\n"+strings.Repeat("0123456789\n", 20_000))
	if f := p.hear(); len(f.Told.Text) < 200_000 {
		t.Error(len(f.Told.Text))
	}
}
