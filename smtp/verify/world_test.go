package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server/servertest"
	"podmail/smtp/verify"
)

// now is when all messages of these tests are signed: the libraries that sign have no other clock.
var now = time.Now()

// world is DNS, and a verifier that asks it.
type world struct {
	*servertest.Zone
	v *verify.Verifier

	mu    sync.Mutex
	asked []string // names of TXT records
}

func newWorld() *world { return newWorldAt(now) }

func newWorldAt(at time.Time) *world {
	z := servertest.NewZone()
	w := &world{Zone: z}
	w.v = verify.New(verify.Options{Resolver: w, Clock: fixed(at), Hostname: "mx.podmail.test"})
	return w
}

// LookupTXT implements dns.Resolver.
func (w *world) LookupTXT(ctx context.Context, name string) ([]string, error) {
	w.mu.Lock()
	w.asked = append(w.asked, name)
	w.mu.Unlock()
	return w.Zone.LookupTXT(ctx, name)
}

// check lets a message arrive, in pieces of odd sizes.
func (w *world) check(t testing.TB, message string) mail.Authentication {
	t.Helper()
	c := w.v.Begin(t.Context(), verify.Peer{Remote: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.org", ReversePath: "joe@example.org"})
	defer c.Close()
	for i, rest := 1, []byte(message); len(rest) > 0; i = i*3%37 + 1 {
		n := min(i, len(rest))
		c.Write(rest[:n])
		rest = rest[n:]
	}
	return c.Finish()
}

// keys are made once: it takes long.
var keys = sync.OnceValue(func() (k struct {
	rsa, other, short *rsa.PrivateKey
	ed                ed25519.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.other, _ = rsa.GenerateKey(rand.Reader, 1024)
	k.short = mustShort()
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	return k
})

// mustShort reads a key of 512 bits, which the library does not make any more.
func mustShort() *rsa.PrivateKey {
	block, _ := pem.Decode([]byte(shortKey))
	k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return k
}

func rsaRecord(k *rsa.PublicKey) string {
	der, _ := x509.MarshalPKIXPublicKey(k)
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

func edRecord(k ed25519.PrivateKey) string {
	return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(k.Public().(ed25519.PublicKey))
}

func pemOf(k *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}))
}

// job is a message for dkimpy to sign.
type job struct {
	Kind      string    `json:"kind"` // dkim, arc
	Message   []byte    `json:"message"`
	Selector  string    `json:"selector"`
	Domain    string    `json:"domain"`
	Key       string    `json:"key"`
	Form      [2]string `json:"form"`
	Algorithm string    `json:"algorithm"`
	Length    bool      `json:"length"`
	Time      int64     `json:"time"`
}

// sign has Debian's dkimpy sign messages.
func sign(t testing.TB, jobs ...job) (signed []string) {
	t.Helper()
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/sign.py")
	cmd.Stdin = bytes.NewReader(input)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s (.ci/tools installs what it needs)", err, complaints.String())
	}
	var raw [][]byte
	if err := json.Unmarshal(out, &raw); err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		signed = append(signed, string(r))
	}
	return signed
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// dinner is the message of RFC 8463's example.
var dinner = crlf(`From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`)

// shortKey is good for nothing else.
const shortKey = `-----BEGIN RSA PRIVATE KEY-----
MIIBPAIBAAJBAL/IBtEkXQEiE2jD4OWP7knbv8z3DYO22Uq1vU7vQyzzbvnzdZmb
IUl4wDDSPA84ZUuAF63p5myUS0GHoHt1R2cCAwEAAQJBALCLSIs6uEsUvV1SBDQP
XUKsglICk3RO3JUD3HNPmj1DetUp3R3Xe0Pwhoe68VEY2xZZcrvdXWmL5dnEIGIm
o2ECIQDonLTxBrwJLW2Nav43d7QtTVJ6CQof+0oER2GKdzMRSQIhANMQXFJih2fE
jBVMKmy0vD0FNhs5WQbv8H/dWFw+F0MvAiEApFSI87n5P1aLjZunqtHzRQnaGYKn
V360hJ9VBng9aJkCIA2ohGDscVi8tlf2etRYCcplGPBAEMvLISQVHc+yUO0PAiEA
5xT8NsJUEM5oCngTzJujxQVpwa/0cs1kSvmD7hv//dY=
-----END RSA PRIVATE KEY-----`
