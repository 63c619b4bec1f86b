package deliver_test

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/xdg-go/scram"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/smtp/deliver"
	"podmail/smtp/receive"
)

// proving is a host's AUTH SCRAM-SHA-256, of another implementation, for a user with a password. success changes its last
// challenge.
func proving(t *testing.T, password string, iterations int, success func(string) string) func(string, func(string) string) string {
	t.Helper()
	c, err := scram.SHA256.NewClient("user", password, "")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := c.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt", Iters: iterations})
	if err != nil {
		t.Fatal(err)
	}
	s, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return kept, nil })
	if err != nil {
		t.Fatal(err)
	}
	return func(command string, challenge func(string) string) string {
		response, ok := strings.CutPrefix(command, "AUTH SCRAM-SHA-256 ")
		if !ok {
			return "504 5.5.4 what"
		}
		conversation := s.NewConversation()
		for range 2 {
			text, _ := base64.StdEncoding.DecodeString(response)
			next, err := conversation.Step(string(text))
			if err != nil {
				return "535 5.7.8 no"
			}
			if conversation.Done() {
				next = success(next)
			}
			if response = challenge(base64.StdEncoding.EncodeToString([]byte(next))); response == "*" {
				return "501 5.7.0 as you like"
			}
		}
		return "235 2.7.0 in"
	}
}

// TestPasswordsAreProved: a relay that can do with a proof is not told the password, and must know it itself.
func TestPasswordsAreProved(t *testing.T) {
	ours := newAuthority(t)
	as := func(s string) string { return s }
	offers := []string{"STARTTLS", "AUTH LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256-PLUS SCRAM-SHA-256"}
	for _, c := range []struct {
		name, want, password string
		login                func(string, func(string) string) string
		heard                string // how AUTH begins
	}{
		{"right", "taken 250 2.0.0", "pass", proving(t, "pass", 4096, as), "AUTH SCRAM-SHA-256 "},
		{"more often hashed", "taken 250 2.0.0", "pass", proving(t, "pass", 10_000, as), "AUTH SCRAM-SHA-256 "},
		{"wrong", "reply temporary 535 5.7.8", "wrong", proving(t, "pass", 4096, as), "AUTH SCRAM-SHA-256 "},
		{"too seldom hashed", "reply temporary 0 4.7.0", "pass", proving(t, "pass", 1000, as), "AUTH SCRAM-SHA-256 "},
		{"a relay that proves nothing", "reply temporary 0 4.7.0", "pass", proving(t, "pass", 4096, func(string) string { return "v=AAAA" }), "AUTH SCRAM-SHA-256 "},
		{"a relay that says yes at once", "reply temporary 0 4.7.0", "pass", func(string, func(string) string) string { return "235 2.7.0 in" }, "AUTH SCRAM-SHA-256 "},
		{"a relay that asks for nonsense", "reply temporary 0 4.7.0", "pass", func(_ string, challenge func(string) string) string { challenge("?"); return "235 2.7.0 in" }, "AUTH SCRAM-SHA-256 "},
		{"a relay that asks for ever", "reply temporary 334 4.5.0", "pass", func(command string, challenge func(string) string) string {
			if answer := proving(t, "pass", 4096, as)(command, challenge); answer != "235 2.7.0 in" {
				return answer
			}
			return "334 more"
		}, "AUTH SCRAM-SHA-256 "},
		{"not in ASCII", "taken 250 2.0.0", "pässword", func(string, func(string) string) string { return "235 2.7.0 in" }, "AUTH PLAIN "},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, script{offers: offers, tls: ours.config(t, "smart.example"), login: c.login}, func(o *deliver.Options) { o.Roots = ours.pool })
			w.zone.Set("A", "smart.example", "127.0.0.1")
			tr := transfer(plain, "bob@elsewhere.example")
			tr.Relay = &mail.Relay{Host: "smart.example", Port: h.port(), Username: "user", Password: c.password}
			w.expect(t, tr, c.want)
			if got := h.heard("AUTH"); len(got) != 1 || !strings.HasPrefix(got[0], c.heard) {
				t.Errorf("%q", got)
			}
			if got := h.heard("MAIL"); c.want != "taken 250 2.0.0" && got != nil {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestRelayThatIsPodmail logs in at a real server, which offers everything, and is believed to be the inbox.
func TestRelayThatIsPodmail(t *testing.T) {
	ours, there := newAuthority(t), servertest.New(t)
	alice, bob := there.Inbox(t, there.Pod(t, "a"), "alice"), there.Inbox(t, there.Pod(t, "b"), "bob")
	smtp := receive.New(receive.Options{Server: there.Server, Hostname: "mx.podmail.test", Log: slog.New(slog.DiscardHandler), FailureDelay: time.Millisecond, Clock: there.Clock, TLSConfig: ours.config(t, "smart.example")})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- smtp.Serve(l, receive.Submission) }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	w := newWorld(t, port, func(o *deliver.Options) { o.Roots = ours.pool })
	w.zone.Set("A", "smart.example", "127.0.0.1")
	tr := transfer("From: alice@podmail.test\r\nTo: bob@podmail.test\r\nSubject: by proof\r\n\r\nhello\r\n", "bob@podmail.test")
	tr.ReversePath, tr.Destination = "alice@podmail.test", "podmail.test"
	tr.Relay = &mail.Relay{Host: "smart.example", Port: port, Username: "alice@podmail.test", Password: there.Key(t, alice)}
	if r := w.Carry(context.Background(), tr)[0]; r.Failure != "" {
		t.Errorf("%+v", r)
	}
	tr.Relay = &mail.Relay{Host: "smart.example", Port: port, Username: "bob@podmail.test", Password: there.Key(t, alice)}
	w.expect(t, tr, "reply temporary 535 5.7.8")
	var got []mail.Message
	for i := 0; i < 3000 && len(got) == 0; i++ { // half a minute, against hanging for ever
		if got, _, err = there.Server.ListMessages(context.Background(), bob, mail.MessageFilter{}, mail.Page{Limit: 10}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(got) != 1 || got[0].Envelope.Subject != "by proof" {
		t.Errorf("bob has %+v", got)
	}
	w.Close(context.Background())
	if err := smtp.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
