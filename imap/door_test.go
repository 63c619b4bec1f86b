package imap_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"go.uber.org/goleak"

	"podmail/imap"
	"podmail/mail"
	"podmail/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// door is an IMAP server before a real server, with one inbox to log in to.
type door struct {
	*servertest.World
	server *imap.Server
	addr   string
	alice  mail.Grant
	key    string
}

const alice = "alice@podmail.test"

func open(t testing.TB, change ...func(*imap.Options)) *door {
	t.Helper()
	w := servertest.New(t)
	d := &door{World: w}
	pod := w.Pod(t, "alice's pod")
	d.alice = w.Inbox(t, pod, "alice")
	d.key = w.Key(t, d.alice)
	d.server, d.addr = d.serve(t, nil, change...)
	return d
}

// serve starts a further server before the same world; wrap may change its listener.
func (d *door) serve(t testing.TB, wrap func(net.Listener) net.Listener, change ...func(*imap.Options)) (*imap.Server, string) {
	t.Helper()
	o := imap.Options{Server: d.Server, Hostname: "mx.podmail.test", FailureDelay: time.Millisecond, Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&o)
	}
	s := imap.New(o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if wrap != nil {
		ln = wrap(ln)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != imap.ErrClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return s, addr
}

// testWriter logs to the test what went wrong, and with -v everything.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "level=ERROR") || testing.Verbose() {
		w.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// wireClient speaks lines.
type wireClient struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (d *door) dial(t testing.TB) *wireClient {
	t.Helper()
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return newWireClient(t, conn)
}

func newWireClient(t testing.TB, conn net.Conn) *wireClient {
	return &wireClient{t: t, Conn: conn, r: bufio.NewReader(conn)}
}

func (c *wireClient) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c, format, args...); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// line reads one line, or "<closed>".
func (c *wireClient) line() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	s, err := c.r.ReadString('\n')
	if err == io.EOF || err != nil && strings.Contains(err.Error(), "reset") {
		return s + "<closed>"
	} else if err != nil {
		c.t.Fatalf("reading: %v after %q", err, s)
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// ask sends a command and returns what comes up to its tagged response.
func (c *wireClient) ask(format string, args ...any) (lines []string) {
	c.t.Helper()
	command := fmt.Sprintf(format, args...)
	c.send("%s\r\n", command)
	tag, _, _ := strings.Cut(command, " ")
	for {
		l := c.line()
		lines = append(lines, l)
		if strings.HasPrefix(l, tag+" ") || strings.HasSuffix(l, "<closed>") {
			return lines
		}
	}
}

// login opens a session of alice's.
func (d *door) login(t testing.TB) *wireClient {
	t.Helper()
	c := d.dial(t)
	c.line()
	if got := c.ask("login LOGIN %s %s", alice, d.key); !strings.HasPrefix(got[len(got)-1], "login OK") {
		t.Fatalf("login: %q", got)
	}
	return c
}

// client opens a session of alice's with the library's client.
func (d *door) client(t testing.TB, o *imapclient.Options) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(d.addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(alice, d.key).Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

// certificate makes TLS settings for both sides.
func certificate(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.podmail.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: roots, ServerName: "mx.podmail.test"}
}
