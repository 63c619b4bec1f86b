package deliver_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/smtp/deliver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a scripted host does instead of answering.
const (
	hangUp = "<hang up>"
	stall  = "<stall>"
)

// script is how a host behaves where it does not behave well.
type script struct {
	offers  []string                                                                       // extensions
	answers map[string]string                                                              // to the beginning of a command, "greeting", "body" (in the middle of it) or "." (at its end)
	tls     *tls.Config                                                                    // for STARTTLS
	login   func(command string, challenge func(string) (response string)) (answer string) // to AUTH; nil: as answers say

	most     int    // recipients of a message; 0: any number
	crowded  string // answer to those beyond
	patience int    // how many of them make it hang up; 0: any number do not
}

// mx is a host that plays a script, on a loopback address.
type mx struct {
	script
	t        testing.TB
	listener net.Listener

	mu       sync.Mutex
	commands []string // of all connections
	messages []string // taken, dots undone
	conns    []net.Conn
	opened   int
	done     sync.WaitGroup
}

func listen(t testing.TB, address string, s script) *mx {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, s)
}

// listenTLS is a host that speaks TLS from the first byte.
func listenTLS(t testing.TB, s script, config *tls.Config) *mx {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, s)
}

func serve(t testing.TB, l net.Listener, s script) *mx {
	h := &mx{script: s, t: t, listener: l}
	h.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.opened++
			h.conns = append(h.conns, conn)
			h.mu.Unlock()
			h.done.Go(func() { h.serve(conn) })
		}
	})
	t.Cleanup(h.close)
	return h
}

func (h *mx) close() {
	h.listener.Close()
	h.drop()
	h.done.Wait()
}

// drop hangs up on everybody.
func (h *mx) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.conns {
		c.Close()
	}
	h.conns = nil
}

func (h *mx) port() string { _, port, _ := net.SplitHostPort(h.listener.Addr().String()); return port }

// heard are the commands so far, of those that begin so.
func (h *mx) heard(prefix string) (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.commands {
		if strings.HasPrefix(c, prefix) {
			out = append(out, c)
		}
	}
	return out
}

func (h *mx) took() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.messages...)
}

func (h *mx) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened
}

// answer finds the script's answer.
func (h *mx) answer(to, otherwise string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := len(to); n > 0; n-- {
		if a, ok := h.answers[to[:n]]; ok {
			return a
		}
	}
	return otherwise
}

func (h *mx) set(to, answer string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.answers == nil {
		h.answers = map[string]string{}
	}
	h.answers[to] = answer
}

func (h *mx) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(answer string) bool {
		switch answer {
		case hangUp:
			return false
		case stall:
			r.ReadByte() // until the other side gives up
			return false
		}
		fmt.Fprint(conn, strings.ReplaceAll(answer, "\n", "\r\n")+"\r\n")
		return true
	}
	if !say(h.answer("greeting", "220 mx.example ESMTP")) {
		return
	}
	recipients, beyond := 0, 0
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		h.mu.Lock()
		h.commands = append(h.commands, line)
		h.mu.Unlock()
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			if !say(h.answer(line, "250-mx.example greets you\n250-"+strings.Join(append(h.offers, "HELP"), "\n250-")+"\n250 NOOP")) {
				return
			}
		case "STARTTLS":
			answer := h.answer(line, "220 2.0.0 go ahead")
			if !say(answer) {
				return
			}
			if !strings.HasPrefix(answer, "220") {
				continue
			}
			if h.tls == nil {
				return
			}
			conn = tls.Server(conn, h.tls)
			r = bufio.NewReader(conn)
		case "DATA":
			answer := h.answer(line, "354 go on")
			if !say(answer) {
				return
			}
			if strings.HasPrefix(answer, "354") && !h.body(r, say) {
				return
			}
		case "AUTH":
			challenge := func(text string) string {
				say("334 " + text)
				response, _ := r.ReadString('\n')
				return strings.TrimSpace(response)
			}
			answer := ""
			if h.login != nil {
				answer = h.login(line, challenge)
			}
			if !say(cmp.Or(answer, h.answer(line, "250 2.1.0 ok"))) {
				return
			}
		case "QUIT":
			say(h.answer(line, "221 2.0.0 bye"))
			return
		case "MAIL":
			recipients = 0
			if !say(h.answer(line, "250 2.1.0 ok")) {
				return
			}
		case "RCPT":
			answer := h.answer(line, "250 2.1.5 ok")
			if recipients++; h.most > 0 && recipients > h.most {
				answer = h.crowded
				if beyond++; h.patience > 0 && beyond > h.patience {
					say("421 4.7.0 too many errors")
					return
				}
			}
			if !say(answer) {
				return
			}
		default:
			if !say(h.answer(line, "250 2.1.0 ok")) {
				return
			}
		}
	}
}

// body reads a message and answers to it.
func (h *mx) body(r *bufio.Reader, say func(string) bool) bool {
	var message strings.Builder
	if a := h.answer("body", ""); a != "" {
		r.ReadString('\n')
		return say(a)
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		message.WriteString(strings.TrimPrefix(line, "."))
	}
	answer := h.answer(".", "250 2.0.0 queued as 42")
	h.mu.Lock()
	if strings.HasPrefix(answer, "2") || answer == hangUp || answer == stall {
		h.messages = append(h.messages, message.String())
	}
	h.mu.Unlock()
	return say(answer)
}

// net is the world of a test: names, a courier, hosts on one port.
type world struct {
	*deliver.Courier
	zone  *servertest.Zone
	clock *servertest.Clock
	port  string
}

// quick are times for hosts that say nothing: a stall ends soon, everything else has time.
var quick = deliver.Times{Greeting: time.Second, Command: time.Second, Data: time.Second, Block: time.Second, Final: time.Second}

func newWorld(t testing.TB, port string, change func(*deliver.Options)) *world {
	t.Helper()
	w := &world{zone: servertest.NewZone(), clock: &servertest.Clock{}, port: port}
	for behind := time.Since(w.clock.Now()); behind > time.Second; behind = time.Since(w.clock.Now()) { // certificates are of today
		w.clock.Step(behind)
	}
	o := deliver.Options{Resolver: w.zone, Clock: w.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler), Hostname: "us.example", Port: port, AllowPrivate: true}
	if change != nil {
		change(&o)
	}
	w.Courier = deliver.New(o)
	t.Cleanup(func() { w.Close(context.Background()) })
	w.zone.Set(mail.RecordMX, "example.org", "10 mx.example.org")
	w.zone.Set("A", "mx.example.org", "127.0.0.1")
	return w
}

// meet is a world with one host behind example.org.
func meet(t testing.TB, s script, change func(*deliver.Options)) (*world, *mx) {
	t.Helper()
	h := listen(t, "127.0.0.1:0", s)
	return newWorld(t, h.port(), change), h
}

const plain = "From: us@us.example\r\nTo: bob@example.org\r\nSubject: hi\r\n\r\nhello\r\n.\r\n..two\r\n"

func transfer(message string, recipients ...string) mail.Transfer {
	t := mail.Transfer{ReversePath: "us@us.example", Destination: "example.org", Message: strings.NewReader(message), Size: int64(len(message)), HELO: "us.example"}
	for _, r := range recipients {
		t.Recipients = append(t.Recipients, mail.TransferRecipient{Address: r})
	}
	return t
}

// says is a result in short.
func says(r mail.TransferResult) string {
	if r.Failure == "" {
		return fmt.Sprintf("taken %d %s", r.Code, r.Enhanced)
	}
	kind := "temporary"
	if r.Permanent {
		kind = "permanent"
	}
	return fmt.Sprintf("%s %s %d %s", r.Failure, kind, r.Code, r.Enhanced)
}

func (w *world) expect(t testing.TB, tr mail.Transfer, want ...string) []mail.TransferResult {
	t.Helper()
	got := w.Carry(context.Background(), tr)
	if len(got) != len(want) {
		t.Fatalf("%d results for %d recipients", len(got), len(want))
	}
	for i, r := range got {
		if r.Recipient != tr.Recipients[i].Address || says(r) != want[i] {
			t.Errorf("%s: %s, want %s (%q at %s)", r.Recipient, says(r), want[i], r.Text, r.Host)
		}
	}
	return got
}
