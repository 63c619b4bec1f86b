package receive

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/smtp/wire"
)

// held is the server's end of a connection on which time stands still until all wait, and the peer's end.
func held(t *testing.T, o Options) (*conn, net.Conn) {
	t.Helper()
	o.Log, o.Clock = slog.New(slog.DiscardHandler), new(servertest.Clock)
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return &conn{Conn: ours, s: New(o), remote: netip.MustParseAddrPort("192.0.2.1:40000")}, theirs
}

// givesUp checks that something fails for want of time after just so long.
func givesUp(t *testing.T, after time.Duration, what func() error) {
	t.Helper()
	began := time.Now()
	if err := what(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != after {
		t.Errorf("after %s, not %s: %v", time.Since(began), after, err)
	}
}

func TestAProxyMustBeQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, proxy := held(t, Options{})
		go io.WriteString(proxy, "PROXY TCP4 ")
		givesUp(t, 10*time.Second, c.readProxyHeader)
	})
}

func TestAHandshakeTakesAMinuteAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := held(t, Options{TLSConfig: &tls.Config{}})
		g := newGuard(c.s, c, SubmissionTLS, nil)
		givesUp(t, time.Minute, func() error {
			if g.handshake() {
				return nil
			}
			return os.ErrDeadlineExceeded
		})
	})
}

func TestAPeerMustReadItsReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := held(t, Options{WriteTime: 7 * time.Second})
		givesUp(t, 7*time.Second, func() error {
			_, err := io.WriteString(c, "220 mx.podmail.test\r\n")
			return err
		})
		go io.Copy(io.Discard, peer)
		for range 3 { // the time is each reply's own
			time.Sleep(5 * time.Second)
			if _, err := io.WriteString(c, "250 OK\r\n"); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestABodyMustMakeHeadway: from its second minute on a body must have come at a rate, on average.
func TestABodyMustMakeHeadway(t *testing.T) {
	drip := func(c *conn, peer net.Conn, piece string) error {
		end := make(chan struct{})
		defer close(end)
		go func() {
			for {
				if _, err := io.WriteString(peer, piece); err != nil {
					return
				}
				select {
				case <-time.After(5 * time.Second):
				case <-end:
					return
				}
			}
		}()
		b := make([]byte, 100)
		for {
			if _, err := c.Read(b); err != nil {
				return err
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		c, peer := held(t, Options{MinRate: 10, BodyTime: time.Hour})
		go io.WriteString(peer, strings.Repeat("x", 5000))
		if _, err := io.ReadFull(c, make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute) // neither bytes nor time before the body count
		c.beginBody()
		givesUp(t, 65*time.Second, func() error { return drip(c, peer, strings.Repeat("x", 40)) })
	})
	synctest.Test(t, func(t *testing.T) {
		c, peer := held(t, Options{MinRate: 10, BodyTime: time.Hour})
		c.beginBody()
		givesUp(t, time.Hour, func() error { return drip(c, peer, strings.Repeat("x", 50)) })
	})
}

// TestGuessingBecomesSlow: each failed login is answered after twice the time, whoever it comes from or is for.
func TestGuessingBecomesSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := held(t, Options{FailureDelay: time.Second})
		fail := func(ip, user string) (*wire.Reply, time.Duration) {
			on := &conn{Conn: c.Conn, s: c.s, remote: netip.AddrPortFrom(netip.MustParseAddr(ip), 40000)}
			l := &exchange{x: &session{s: c.s, g: newGuard(c.s, on, Submission, nil)}, mechanism: "LOGIN", user: user, tried: true}
			began := time.Now()
			return l.refused(mail.Errorf(mail.CodeUnauthenticated, "wrong")), time.Since(began)
		}
		for i, want := range []int{1, 2, 4, 8, 16, 32, 32} {
			if reply, took := fail("192.0.2.1", "alice@podmail.test"); reply.Code != 535 || took != time.Duration(want)*time.Second {
				t.Errorf("guess %d: %d after %s", i+1, reply.Code, took)
			}
		}
		if _, took := fail("192.0.2.2", "Alice@podmail.test"); took != 32*time.Second {
			t.Errorf("at the same inbox from elsewhere: after %s", took)
		}
		if _, took := fail("192.0.2.1", "bob@podmail.test"); took != 32*time.Second {
			t.Errorf("from the same address at another inbox: after %s", took)
		}
		if _, took := fail("192.0.2.3", "carol@podmail.test"); took != time.Second {
			t.Errorf("of another at another: after %s", took)
		}
		time.AfterFunc(time.Millisecond, func() { close(c.s.stop) })
		if _, took := fail("192.0.2.1", "alice@podmail.test"); took != time.Millisecond {
			t.Errorf("while the server stops: after %s", took)
		}
	})
}
