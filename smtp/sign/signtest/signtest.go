// Package signtest makes keys and has signatures checked by another implementation, for tests.
package signtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"podmail/mail"
)

// Keys are one of each kind, with the records that publish them.
func Keys(t testing.TB) ([]mail.SigningKey, map[string]string) {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&r.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return []mail.SigningKey{{Domain: "us.example", Selector: "rsa", Signer: r}, {Domain: "us.example", Selector: "ed", Signer: e}}, map[string]string{
		"rsa._domainkey.us.example": "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der),
		"ed._domainkey.us.example":  "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public),
	}
}

// DKIM asks dkimpy, another implementation, which .ci/tools installs, about each signature of a message: True or False.
func DKIM(t testing.TB, message string, records map[string]string) string {
	t.Helper()
	return ask(t, "dkim", message, records)
}

// ARC asks dkimpy about a message's chain: pass, fail or none, and why.
func ARC(t testing.TB, message string, records map[string]string) string {
	t.Helper()
	return ask(t, "arc", message, records)
}

func ask(t testing.TB, what, message string, records map[string]string) string {
	t.Helper()
	zone, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", verifier, what, string(zone))
	cmd.Stdin = strings.NewReader(message)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	return strings.TrimSpace(string(out))
}

const verifier = `
import sys, json, dkim
zone = json.loads(sys.argv[2])
def txt(name, timeout=5):
    return zone.get(name.decode().rstrip('.'), '').encode()
message = sys.stdin.buffer.read()
if sys.argv[1] == 'dkim':
    d = dkim.DKIM(message)
    n = sum(1 for name, _ in d.headers if name.lower() == b'dkim-signature')
    print(*[dkim.DKIM(message).verify(idx=i, dnsfunc=txt) for i in range(n)])
else:
    cv, results, reason = dkim.ARC(message).verify(dnsfunc=txt)
    print(cv.decode() if cv else None, reason)
`
