package receive_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/smtp/receive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is both listeners over a real server, with two inboxes.
type door struct {
	*servertest.World
	smtp           *receive.Server
	mx, submission string // addresses
	alice, bob     mail.Grant
	key            string // alice's
}

func open(t testing.TB, o receive.Options) *door {
	t.Helper()
	return openWith(t, func(*door) receive.Options { return o })
}

// openWith is open over a world that was changed, with options that know it.
func openWith(t testing.TB, options func(*door) receive.Options, change ...func(*server.Options)) *door {
	t.Helper()
	d := &door{World: servertest.New(t, change...)}
	o := options(d)
	d.alice, d.bob = d.Inbox(t, d.Pod(t, "a"), "alice"), d.Inbox(t, d.Pod(t, "b"), "bob")
	d.key = d.Key(t, d.alice)
	o.Server, o.Hostname = d.Server, "mx.podmail.test"
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.FailureDelay = time.Millisecond
	o.Clock = d.Clock
	d.smtp = receive.New(o)
	served := make(chan error, 2)
	listen := func(role receive.Role) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { served <- d.smtp.Serve(l, role) }()
		return l.Addr().String()
	}
	d.mx, d.submission = listen(receive.MX), listen(receive.Submission)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.smtp.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
		}
	})
	return d
}

// peer is the other side of a session, line by line.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	p := connect(t, addr)
	p.expect("220 ")
	return p
}

func connect(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(5 * time.Minute)) // against hanging for ever, not a bound on speed
	return &peer{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (p *peer) send(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Logf("write: %v", err) // a server that hung up is seen when its answer is read
	}
}

// reply reads one reply, the lines of a long one joined.
func (p *peer) reply() string {
	var all []string
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return "<closed>"
		}
		line = strings.TrimRight(line, "\r\n")
		all = append(all, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(all, "|")
		}
	}
}

func (p *peer) expect(prefix string) string {
	p.t.Helper()
	got := p.reply()
	if !strings.HasPrefix(got, prefix) {
		p.t.Fatalf("got %q, want %q", got, prefix)
	}
	return got
}

func (p *peer) ask(line, prefix string) string {
	p.t.Helper()
	p.send(line + "\r\n")
	got := p.reply()
	if !strings.HasPrefix(got, prefix) {
		p.t.Fatalf("%s: got %q, want %q", line, got, prefix)
	}
	return got
}

// to begins a message to alice.
func (p *peer) to(addr string) {
	p.t.Helper()
	p.ask("EHLO mail.example.org", "250-")
	p.ask("MAIL FROM:<s@example.org>", "250 ")
	p.ask("RCPT TO:<"+addr+">", "250 ")
}

// inbox lists the subjects of an inbox, oldest first.
func (d *door) inbox(t testing.TB, g mail.Grant) []string {
	t.Helper()
	messages, _, err := d.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 1000, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range messages {
		out = append(out, m.Envelope.Subject)
	}
	return out
}

// header is a field of an inbox's newest message.
func (d *door) header(t testing.TB, g mail.Grant, field string) string {
	t.Helper()
	messages, _, err := d.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil || len(messages) == 0 {
		t.Fatal(messages, err)
	}
	_, c, err := d.Server.GetMessage(context.Background(), g, messages[0].MessageID)
	if err != nil {
		t.Fatal(err)
	}
	return c.Headers[field]
}

func (d *door) has(t *testing.T, g mail.Grant, want ...string) {
	t.Helper()
	if got := d.inbox(t, g); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the inbox has %q, want %q", got, want)
	}
}
