package imap_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/imap"
	"podmail/mail"
	"podmail/server"
)

func plain(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

func dial(t *testing.T, addr string) *wireClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newWireClient(t, conn)
}

func TestConnectionLimits(t *testing.T) {
	d := open(t)
	_, addr := d.serve(t, func(ln net.Listener) net.Listener { return foreign{ln, "2001:db8::1"} }, func(o *imap.Options) { o.MaxPerIP = 2 })
	first, second := dial(t, addr), dial(t, addr)
	first.line()
	second.line()
	if got := dial(t, addr).line(); got != "* BYE [UNAVAILABLE] Too many connections from your address" {
		t.Errorf("got %q", got)
	}
	first.ask("a LOGOUT")
	first.line()
	time.Sleep(20 * time.Millisecond)
	if got := dial(t, addr).line(); !strings.HasPrefix(got, "* OK ") {
		t.Errorf("a place was free: %q", got)
	}
	_, addr = d.serve(t, nil, func(o *imap.Options) { o.MaxConnections = 1 })
	dial(t, addr).line()
	if got := dial(t, addr).line(); got != "* BYE [UNAVAILABLE] Too many connections" {
		t.Errorf("got %q", got)
	}
}

func TestTimeLimits(t *testing.T) {
	d := open(t)
	_, addr := d.serve(t, nil, func(o *imap.Options) {
		o.LoginTime, o.CommandTime, o.IdleTime = 150*time.Millisecond, 100*time.Millisecond, 400*time.Millisecond
	})
	began := time.Now()
	stranger := dial(t, addr)
	stranger.line()
	for { // keeping busy does not help
		if _, err := stranger.Write([]byte("a NOOP\r\n")); err != nil || !strings.HasPrefix(stranger.line(), "a OK") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took > time.Second || took < 100*time.Millisecond {
		t.Errorf("a stranger was kept for %v", took)
	}
	half := dial(t, addr)
	half.line()
	half.ask("a LOGIN %s %s", alice, d.key)
	half.send("b NOO")
	began = time.Now()
	if got := half.line(); got != "* BYE Nothing was heard for too long" || time.Since(began) > 300*time.Millisecond {
		t.Errorf("half a command: %q after %v", got, time.Since(began))
	}
	idle := dial(t, addr)
	idle.line()
	idle.ask("a LOGIN %s %s", alice, d.key)
	idle.send("b IDLE\r\n")
	idle.line()
	began = time.Now()
	if got := idle.line(); got != "* BYE Nothing was heard for too long" || time.Since(began) < 300*time.Millisecond {
		t.Errorf("idle: %q after %v", got, time.Since(began))
	}
}

func TestShutdownSaysGoodbye(t *testing.T) {
	d := open(t)
	s, addr := d.serve(t, nil)
	idle, waiting := dial(t, addr), dial(t, addr)
	for _, c := range []*wireClient{idle, waiting} {
		c.line()
		c.ask("a LOGIN %s %s", alice, d.key)
		c.ask("b SELECT INBOX")
	}
	idle.send("c IDLE\r\n")
	idle.line()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for _, c := range []*wireClient{idle, waiting} {
		if got := c.line(); got != "* BYE Server is shutting down" {
			t.Errorf("got %q", got)
		}
		if got := c.line(); got != "<closed>" {
			t.Errorf("got %q", got)
		}
	}
}

// TestShutdownCutsWhoDoesNotListen: a client that takes nothing in cannot hold the server.
func TestShutdownCutsWhoDoesNotListen(t *testing.T) {
	d := open(t)
	d.Deliver(t, alice, "Subject: big\r\n\r\n"+strings.Repeat("x", 76)+strings.Repeat("\r\n"+strings.Repeat("x", 76), 400_000))
	s, addr := d.serve(t, nil)
	c := dial(t, addr)
	c.line()
	c.ask("a LOGIN %s %s", alice, d.key)
	c.ask("b SELECT INBOX")
	c.send("c FETCH 1 BODY.PEEK[]\r\n")
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("Shutdown did not have to cut the connection")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
}

// TestPermissions: what a key may not do is refused, and a key that may not read does not get in.
func TestPermissions(t *testing.T) {
	d := open(t)
	d.Deliver(t, alice, messages["plain"])
	key := func(ps ...mail.Permission) string {
		set := mail.Permissions{}
		for _, p := range ps {
			set[p] = true
		}
		_, secret, err := d.Server.CreateAPIKey(t.Context(), d.alice, server.NewAPIKey{Name: "k", Permissions: set})
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	c := d.dial(t)
	c.line()
	if got := c.ask("a LOGIN %s %s", alice, key(mail.MessageSend)); !strings.HasPrefix(got[0], "a NO [AUTHORIZATIONFAILED]") {
		t.Errorf("a key that may only send: %q", got)
	}
	if got := c.ask("b LOGIN %s %s", alice, key(mail.MessageRead)); !strings.HasPrefix(got[0], "b OK ") {
		t.Fatalf("a key that may read: %q", got)
	}
	c.ask("c SELECT INBOX")
	for _, command := range []string{"STORE 1 +FLAGS (\\Deleted)", "MOVE 1 Trash", "COPY 1 Trash", "EXPUNGE", "CREATE X", "APPEND INBOX {7+}\r\na: b\r\n\r\n"} {
		if got := c.ask("d %s", command); !strings.HasPrefix(got[len(got)-1], "d NO [NOPERM] ") {
			t.Errorf("%s: %q", command, got)
		}
	}
	if got := c.ask("e FETCH 1 BODY[TEXT]<0.2>"); len(got) != 3 || got[1] != "At)" {
		t.Errorf("FETCH: %q", got)
	}
	if got := c.ask("f CLOSE"); got[0] != "f OK CLOSE completed" {
		t.Errorf("CLOSE: %q", got)
	}
}

// TestOtherPods: a key of one pod opens no inbox of another, and nothing of it can be named.
func TestOtherPods(t *testing.T) {
	d := open(t)
	pod := d.Pod(t, "other")
	bob := d.Inbox(t, pod, "bob")
	d.Deliver(t, "bob@podmail.test", messages["plain"])
	c := d.dial(t)
	c.line()
	for _, who := range []struct{ user, key string }{
		{"bob@podmail.test", d.key}, {alice, d.Key(t, bob)}, {alice, d.Key(t, pod)}, {"poison.alice@podmail.test", d.key},
	} {
		if got := c.ask("a LOGIN %s %s", who.user, who.key); !strings.HasPrefix(got[0], "a NO [AUTHENTICATIONFAILED] Authentication failed") {
			t.Errorf("%s: %q", who.user, got)
		}
		c = d.dial(t)
		c.line()
	}
	c = d.login(t)
	all := strings.Join(append(append(c.ask("b SELECT INBOX"), c.ask("c LIST \"\" *")...), c.ask("d UID FETCH 1:* (BODY[])")...), "\n")
	if strings.Contains(all, "POISON") || strings.Contains(all, "FETCH (") {
		t.Errorf("saw %s", all)
	}
}

// TestLogsHoldNoSecrets: neither passwords nor messages, and every line can be traced to its connection.
func TestLogsHoldNoSecrets(t *testing.T) {
	d := open(t)
	var log lockedBuffer
	_, addr := d.serve(t, nil, func(o *imap.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := dial(t, addr)
	c.line()
	c.ask("a LOGIN %s %s", alice, "am_wrong_secret")
	c.ask("b LOGIN %s %s", alice, d.key)
	c.ask("c APPEND INBOX {%d+}\r\n%s", len(messages["plain"]), messages["plain"])
	c.ask("d BOGUS")
	c.ask("e LOGOUT")
	c.line()
	time.Sleep(20 * time.Millisecond)
	text := log.String()
	for _, secret := range []string{d.key, "wrong_secret", "noon"} {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds %q:\n%s", secret, text)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if !strings.Contains(line, " trace=") {
			t.Errorf("no trace id: %s", line)
		}
	}
}

// TestPanicIsContained: a fault ends its own connection and no other, and the log says so.
func TestPanicIsContained(t *testing.T) {
	d := open(t)
	var log lockedBuffer
	_, addr := d.serve(t, nil, func(o *imap.Options) {
		o.Server = nil // any use of it panics
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	other, c := dial(t, addr), dial(t, addr)
	other.line()
	c.line()
	if got := c.ask("a LOGIN %s %s", alice, d.key); got[0] != "<closed>" {
		t.Errorf("got %q", got)
	}
	if got := other.ask("a NOOP"); got[0] != "a OK NOOP completed" {
		t.Errorf("another connection: %q", got)
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "panic") || strings.Contains(text, d.key) {
		t.Errorf("log: %s", text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
