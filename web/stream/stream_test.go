package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/web"
	"podmail/web/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is the real door over a fresh world with the pod acme, its inboxes alice and bob, and a key of each.
type house struct {
	*servertest.World
	web             *web.Server
	addr            string
	pod, alice, bob mail.Grant
	podKey          string
	n               int // letters delivered
}

func open(t *testing.T, limits stream.Limits) *house {
	t.Helper()
	h := &house{World: servertest.New(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	h.web = web.New(web.Options{Server: h.Server, Log: slog.New(slog.DiscardHandler), PublicURL: "http://" + h.addr, Streams: limits})
	done := make(chan error, 1)
	go func() { done <- h.web.Serve(l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		h.shutdown(t)
		if err := <-done; err != nil {
			t.Error("serve:", err)
		}
	})
	h.pod = h.Pod(t, "acme")
	h.alice, h.bob = h.Inbox(t, h.pod, "alice"), h.Inbox(t, h.pod, "bob")
	h.podKey = h.Key(t, h.pod)
	return h
}

func (h *house) shutdown(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.web.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// post delivers a letter and returns its text.
func (h *house) post(t *testing.T, to string) string {
	t.Helper()
	h.n++
	text := fmt.Sprintf("letter %d", h.n)
	h.Deliver(t, to+"@podmail.test", "From: eve@elsewhere.test\nTo: "+to+"@podmail.test\nSubject: s\n\n"+text+"\n")
	return text
}

// peer is a client.
type peer struct {
	*websocket.Conn
	t    *testing.T
	last string // id of the last event seen
}

func (h *house) dial(t *testing.T, key, query string) *peer {
	t.Helper()
	ws, resp, err := websocket.Dial(within(t), "ws://"+h.addr+"/v0?"+query,
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + key}}, HTTPClient: &http.Client{Transport: &http.Transport{DialContext: narrowly}}})
	if err != nil {
		t.Fatal(err, resp)
	}
	ws.SetReadLimit(2 << 20)
	t.Cleanup(func() { ws.CloseNow() })
	return &peer{Conn: ws, t: t}
}

// narrowly connects so that little is on the way to a client that does not read.
func narrowly(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(256 << 10)
	}
	return c, err
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (p *peer) say(frame string) {
	p.t.Helper()
	if err := p.Write(within(p.t), websocket.MessageText, []byte(frame)); err != nil {
		p.t.Fatal(err)
	}
}

// hear reads a frame.
func (p *peer) hear() (f struct {
	Type, Name, Code, Message string
	EventType                 string   `json:"event_type"`
	EventID                   string   `json:"event_id"`
	EventTypes                []string `json:"event_types"`
	InboxIDs                  []string `json:"inbox_ids"`
	PodIDs                    []string `json:"pod_ids"`
	LastEventID               string   `json:"last_event_id"`
	Told                      struct {
		InboxID string `json:"inbox_id"`
		Text    string
	} `json:"message"`
}) {
	p.t.Helper()
	typ, b, err := p.Read(within(p.t))
	if err != nil || typ != websocket.MessageText {
		p.t.Fatal(typ, err)
	}
	if strings.Contains(string(b), servertest.Poison) {
		p.t.Errorf("the twin's: %s", b)
	}
	var told struct{ Message json.RawMessage }
	if err := json.Unmarshal(b, &told); err != nil {
		p.t.Fatal(err)
	}
	var at any = &f
	if len(told.Message) > 0 && told.Message[0] == '"' { // of an error it is a text
		plain := struct{ Type, Name, Code, Message string }{}
		at = &plain
		defer func() { f.Type, f.Name, f.Code, f.Message = plain.Type, plain.Name, plain.Code, plain.Message }()
	}
	if err := json.Unmarshal(b, at); err != nil {
		p.t.Fatal(err)
	}
	if f.EventID != "" {
		p.last = f.EventID
	}
	return f
}

// hears reads an event and checks that it tells of a letter.
func (p *peer) hears(text string) {
	p.t.Helper()
	if f := p.hear(); f.Type != "event" || f.EventType != "message.received" || strings.TrimSpace(f.Told.Text) != text {
		p.t.Fatalf("heard %+v, want %q", f, text)
	}
}

// closed reads until the server says goodbye.
func (p *peer) closed() websocket.StatusCode {
	p.t.Helper()
	for {
		if _, _, err := p.Read(within(p.t)); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// TestEventsAreTold: what a client subscribed to, as it happens; each further subscription takes the place of the one
// before.
func TestEventsAreTold(t *testing.T) {
	h := open(t, stream.Limits{})
	h.post(t, "alice") // before anybody listens
	p := h.dial(t, h.podKey, "")
	p.say(`{"type":"subscribe","inbox_ids":["ALICE@podmail.test"],"event_types":["message.received"],"later":1}`)
	if f := p.hear(); f.Type != "subscribed" || fmt.Sprint(f.InboxIDs, f.EventTypes, f.PodIDs) != "[alice@podmail.test] [message.received] []" || f.LastEventID == "" {
		t.Fatalf("%+v", f)
	}
	h.post(t, "bob")
	h.post(t, "poison.alice")
	p.hears(h.post(t, "alice"))
	p.hears(h.post(t, "alice"))
	p.say(`{"type":"subscribe","pod_ids":["` + h.pod.PodID + `"]}`)
	if f := p.hear(); f.Type != "subscribed" || len(f.PodIDs) != 1 || len(f.EventTypes) != 8 {
		t.Fatalf("%+v", f)
	}
	p.hears(h.post(t, "bob"))
	for _, c := range []struct{ frame, code string }{
		{`{"type":"subscribe","inbox_ids":["poison.alice@podmail.test"]}`, "not_found"},
		{`{"type":"subscribe","inbox_ids":["nobody@podmail.test"]}`, "not_found"},
		{`{"type":"subscribe","pod_ids":["nowhere"]}`, "not_found"},
		{`{"type":"subscribe","event_types":["message.read"]}`, "validation_error"},
		{`{"type":"subscribe","event_types":"message.sent"}`, "validation_error"},
		{`{"type":"subscribe","last_event_id":"1"}`, "validation_error"},
		{`{"type":"unsubscribe"}`, "validation_error"},
		{`hello`, "validation_error"},
		{`null`, "validation_error"},
	} {
		p.say(c.frame)
		if f := p.hear(); f.Type != "error" || f.Code != c.code || f.Name == "" || f.Message == "" {
			t.Errorf("%s: %+v", c.frame, f)
		}
	}
	p.hears(h.post(t, "bob")) // as subscribed before
}

// TestForeignAndMissingSoundAlike: an error does not tell whether there is such an inbox elsewhere.
func TestForeignAndMissingSoundAlike(t *testing.T) {
	h := open(t, stream.Limits{})
	for key, names := range map[string][2]string{
		h.podKey:          {`"inbox_ids":["poison.alice@podmail.test"]`, `"inbox_ids":["nobody@podmail.test"]`},
		h.Key(t, h.alice): {`"inbox_ids":["bob@podmail.test"]`, `"inbox_ids":["nobody@podmail.test"]`},
	} {
		p := h.dial(t, key, "")
		var heard [2]string
		for i, name := range names {
			p.say(`{"type":"subscribe",` + name + `}`)
			heard[i] = fmt.Sprintf("%+v", p.hear())
		}
		if heard[0] != heard[1] || !strings.Contains(heard[0], "not_found") {
			t.Errorf("%q", heard)
		}
	}
}

// TestNothingIsLostBetweenConnections: a client that says what it saw last is told what came since, once, in order, with
// a new connection or a new subscription.
func TestNothingIsLostBetweenConnections(t *testing.T) {
	h := open(t, stream.Limits{})
	p := h.dial(t, "x", "api_key="+h.podKey)
	p.say(`{"type":"subscribe"}`)
	start := p.hear().LastEventID
	first := h.post(t, "alice")
	p.hears(first)
	p.CloseNow()
	var missed []string
	for range 250 {
		missed = append(missed, h.post(t, "bob"))
	}
	p = h.dial(t, h.podKey, "last_event_id="+p.last)
	p.say(`{"type":"subscribe"}`)
	p.hear()
	for _, m := range missed {
		p.hears(m)
	}
	p.say(`{"type":"subscribe","last_event_id":"` + start + `","inbox_ids":["alice@podmail.test"]}`)
	p.hear()
	p.hears(first)
	p.hears(h.post(t, "alice"))
}

// TestOneSubscriptionEndsWhereTheNextBegins: what happened until a client changes its subscription is told by the one it
// had, however far behind the client is, and what happens then by the new one.
func TestOneSubscriptionEndsWhereTheNextBegins(t *testing.T) {
	h := open(t, stream.Limits{})
	p := h.dial(t, h.podKey, "")
	big := strings.Repeat(strings.Repeat("0123456789", 7)+"\n", 6_000)
	const letters = 9 // more than the buffers of a socket hold
	for range 3 {
		p.say(`{"type":"subscribe","inbox_ids":["alice@podmail.test"]}`)
		p.hear()
		for range letters {
			h.Deliver(t, "alice@podmail.test", "From: eve@elsewhere.test\nTo: alice@podmail.test\nSubject: s\n\n"+big)
		}
		h.post(t, "bob")
		p.say(`{"type":"subscribe","inbox_ids":["bob@podmail.test"]}`)
		for i := range letters {
			if f := p.hear(); f.Type != "event" || f.Told.InboxID != h.alice.InboxID {
				t.Fatalf("letter %d: %s %s", i, f.Type, f.Told.InboxID)
			}
		}
		if f := p.hear(); f.Type != "subscribed" {
			t.Fatalf("%+v", f)
		}
		p.hears(h.post(t, "bob"))
	}
}

// TestKeysAreChecked: before anything is upgraded, and as long as the connection lasts.
func TestKeysAreChecked(t *testing.T) {
	h := open(t, stream.Limits{Look: 10 * time.Millisecond, PerKey: 2})
	ask := func(target string, header http.Header) (int, string) {
		t.Helper()
		r, err := http.NewRequest("GET", "http://"+h.addr+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Name, Code, Message, Docs string }
		if err := json.Unmarshal(b, &e); err != nil || e.Name == "" || e.Message == "" || e.Docs == "" {
			t.Errorf("%s: %q, %v", target, b, err)
		}
		return resp.StatusCode, e.Code
	}
	upgrade := func(key string) http.Header {
		header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}
		if key != "" {
			header.Set("Authorization", "Bearer "+key)
		}
		return header
	}
	for _, c := range []struct {
		target string
		header http.Header
		want   string
	}{
		{"/v0", upgrade(""), "401 missing_authorization"},
		{"/v0", upgrade("am_wrong"), "401 unknown_api_key"},
		{"/v0?api_key=am_wrong", upgrade(""), "401 unknown_api_key"},
		{"/v0?api_key=am_wrong", upgrade(h.podKey), "401 unknown_api_key"},
		{"/v0?last_event_id=no", upgrade(h.podKey), "400 validation_error"},
		{"/v0", http.Header{"Authorization": {"Bearer " + h.podKey}}, "400 validation_error"},
	} {
		if status, code := ask(c.target, c.header); fmt.Sprint(status, " ", code) != c.want {
			t.Errorf("%s: %d %s, want %s", c.target, status, code, c.want)
		}
	}
	key, secret, err := h.Server.CreateAPIKey(context.Background(), h.pod, server.NewAPIKey{Name: "k"})
	if err != nil {
		t.Fatal(err)
	}
	idle, busy := h.dial(t, secret, ""), h.dial(t, secret, "")
	busy.say(`{"type":"subscribe"}`)
	busy.hear()
	if status, code := ask("/v0", upgrade(secret)); status != 429 || code != "rate_limit_exceeded" {
		t.Error("a third connection:", status, code)
	}
	if err := h.Server.DeleteAPIKey(context.Background(), h.pod, key.APIKeyID); err != nil {
		t.Fatal(err)
	}
	h.post(t, "alice")
	for _, p := range []*peer{idle, busy} {
		if _, b, err := p.Read(within(t)); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("after the key was revoked: %s, %v", b, err)
		}
	}
}

// TestGuessesAreSlowedDown tries unknown keys until the server has enough of them, as it has at its other endpoints.
func TestGuessesAreSlowedDown(t *testing.T) {
	h := open(t, stream.Limits{})
	last := 0
	for range 500 {
		resp, err := http.Get("http://" + h.addr + "/v0?api_key=unknown")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if last = resp.StatusCode; last == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("still answered with", last)
}

// TestPermissionsHold: a subscription by name takes its permission, and what is hidden meanwhile is not told.
func TestPermissionsHold(t *testing.T) {
	h := open(t, stream.Limits{})
	_, secret, err := h.Server.CreateAPIKey(context.Background(), h.pod, server.NewAPIKey{Name: "k", Permissions: mail.Permissions{mail.MessageRead: true}})
	if err != nil {
		t.Fatal(err)
	}
	p := h.dial(t, secret, "")
	for _, typ := range []string{"message.received.spam", "message.received.blocked", "message.received.unauthenticated", "domain.verified"} {
		p.say(`{"type":"subscribe","event_types":["` + typ + `"]}`)
		if f := p.hear(); f.Code != "missing_permission" {
			t.Errorf("%s: %+v", typ, f)
		}
	}
	p.say(`{"type":"subscribe"}`)
	start := p.hear().LastEventID
	hidden := h.post(t, "alice")
	p.hears(hidden)
	shown, _, err := h.Server.ListMessages(context.Background(), h.alice, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Server.UpdateMessage(context.Background(), h.alice, shown[0].MessageID, []string{mail.LabelTrash}, nil); err != nil {
		t.Fatal(err)
	}
	p.say(`{"type":"subscribe","last_event_id":"` + start + `"}`)
	p.hear()
	p.hears(h.post(t, "bob"))
}
