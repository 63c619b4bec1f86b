package receive_test

import (
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"podmail/smtp/receive"
)

// scram logs in by proof, as the library's client wants it, and returns the last reply.
func (p *peer) scram(mechanism string, c *scram.ClientConversation) string {
	p.t.Helper()
	message, err := c.Step("")
	if err != nil {
		p.t.Fatal(err)
	}
	p.send("AUTH " + mechanism + " " + b64(message) + "\r\n")
	for {
		reply := p.reply()
		challenge, more := strings.CutPrefix(reply, "334 ")
		if !more {
			return reply
		}
		text, err := base64.StdEncoding.DecodeString(challenge)
		if err != nil {
			p.t.Fatal(err)
		}
		if message, err = c.Step(string(text)); err != nil {
			p.t.Fatalf("%q: %v", text, err)
		}
		p.send(b64(message) + "\r\n")
	}
}

func client(t *testing.T, user, password, as string) *scram.Client {
	t.Helper()
	c, err := scram.SHA256.NewClient(user, password, as)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeysCanBeProved(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	orgKey := d.Key(t, d.Org)
	for name, c := range map[string]struct{ user, key, as, want string }{
		"an inbox's key":         {"alice@podmail.test", d.key, "", "235 "},
		"in other letters":       {"Alice@podmail.test", d.key, "alice@podmail.test", "235 "},
		"the organization's key": {"bob@podmail.test", orgKey, "", "235 "},
		"another inbox's key":    {"bob@podmail.test", d.key, "", "535 5.7.8 "},
		"a wrong key":            {"alice@podmail.test", "am_inb_wrong", "", "535 5.7.8 "},
		"nobody":                 {"nobody@podmail.test", d.key, "", "535 5.7.8 "},
		"for another":            {"alice@podmail.test", d.key, "bob@podmail.test", "535 5.7.8 "},
	} {
		t.Run(name, func(t *testing.T) {
			p := dial(t, d.submission)
			p.ask("EHLO laptop", "250-")
			conversation := client(t, c.user, c.key, c.as).NewConversation()
			if got := p.scram("SCRAM-SHA-256", conversation); !strings.HasPrefix(got, c.want) {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			if c.want == "235 " && !conversation.Valid() {
				t.Error("the client does not believe that the server knows the key")
			}
			if c.want == "235 " {
				p.ask("MAIL FROM:<"+c.user+">", "250 ")
			}
		})
	}
}

func TestProofsAreBoundToTLS(t *testing.T) {
	d := open(t, receive.Options{TLSConfig: certificate(t)})
	begin := func() (*peer, *tls.ConnectionState) {
		p := dial(t, d.submission)
		p.ask("EHLO laptop", "250-")
		p = p.startTLS()
		if caps := p.ask("EHLO laptop", "250-"); !strings.Contains(caps, "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN") {
			t.Fatalf("under TLS: %s", caps)
		}
		state := p.Conn.(*tls.Conn).ConnectionState()
		return p, &state
	}
	p, state := begin()
	binding, err := scram.NewTLSExporterBinding(state)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, "alice@podmail.test", d.key, "")
	if got := p.scram("SCRAM-SHA-256-PLUS", c.NewConversationWithChannelBinding(binding)); !strings.HasPrefix(got, "235 ") {
		t.Errorf("bound: %s", got)
	}
	p, _ = begin() // another connection, as somebody in between has one
	if got := p.scram("SCRAM-SHA-256-PLUS", c.NewConversationWithChannelBinding(binding)); !strings.HasPrefix(got, "535 5.7.8 ") {
		t.Errorf("bound to another connection: %s", got)
	}
	p, _ = begin()
	if got := p.scram("SCRAM-SHA-256", c.NewConversationAdvertisingChannelBinding()); !strings.HasPrefix(got, "535 5.7.8 ") {
		t.Errorf("a client that was told that there is no PLUS: %s", got)
	}
}

func TestExchangesThatAreNoLogins(t *testing.T) {
	d := open(t, receive.Options{})
	p := dial(t, d.submission)
	p.ask("AUTH PLAIN", "503 5.5.1 ")
	p.ask("EHLO laptop", "250-")
	p.ask("AUTH", "504 5.5.4 ")
	p.ask("AUTH CRAM-MD5", "504 5.5.4 ")
	p.ask("AUTH SCRAM-SHA-256-PLUS", "504 5.5.4 ")
	p.ask("AUTH PLAIN", "334 ")
	p.ask("*", "501 5.7.0 ")
	p.ask("AUTH PLAIN !", "501 5.5.2 ")
	p.ask("AUTH PLAIN =", "501 5.5.2 ")
	p.ask("AUTH SCRAM-SHA-256 "+b64("nonsense"), "501 5.5.2 ")
	p.ask("AUTH SCRAM-SHA-256", "334 ")
	if got := p.ask(b64("n,,n=nobody@podmail.test,r=x"), "334 "); !strings.Contains(got, "334 ") {
		t.Errorf("an unknown user can be told: %s", got)
	}
	p.ask(b64("c=biws,r=y,p="+b64(strings.Repeat("x", 32))), "501 5.5.2 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "235 ")
	p.ask("AUTH PLAIN "+b64("\x00alice@podmail.test\x00"+d.key), "503 5.5.1 ")
}
