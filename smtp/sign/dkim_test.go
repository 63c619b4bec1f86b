package sign

import (
	"crypto"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/smtp/sign/signtest"
)

const message = "Received: from a\r\n\tby b; now\r\nFrom:  Us <us@us.example>\r\nTo: bob@example.org,\r\n\tcarol@example.org\r\nSubject: =?utf-8?q?h=C3=A4?=   two\r\n" +
	"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@us.example>\r\nList-Unsubscribe: <https://us.example/u>\r\nX-Other: x\r\n\r\n" +
	"hello  there \r\n\r\n leading\t space\r\n.\r\n\r\n \r\n\r\n"

var now = time.Unix(1767225600, 0)

// signedBy is a message with its signatures on top, written in pieces.
func signedBy(t testing.TB, keys []mail.SigningKey, message string) string {
	t.Helper()
	s := New(keys)
	for rest := message; rest != ""; {
		n := 1 + mathrand.IntN(len(rest))
		io.WriteString(s, rest[:n])
		rest = rest[n:]
	}
	fields, err := s.Fields()
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + message
}

// verdicts are what go-msgauth thinks of each signature, from the top.
func verdicts(t testing.TB, message string, records map[string]string) (out []string) {
	t.Helper()
	all, err := dkim.VerifyWithOptions(strings.NewReader(message), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return []string{records[name]}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Err != nil {
			out = append(out, v.Err.Error())
		} else {
			out = append(out, "pass")
		}
	}
	return out
}

func TestSignaturesVerify(t *testing.T) {
	keys, records := signtest.Keys(t)
	for name, m := range map[string]string{
		"usual": message, "no body": strings.SplitAfter(message, "\r\n\r\n")[0], "empty lines only": strings.SplitAfter(message, "\r\n\r\n")[0] + "\r\n\r\n \r\n",
		"one line":  "From: a@us.example\r\n\r\nx\r\n",
		"of a list": strings.ToUpper(strings.Join(signed, ": x\r\n")) + ": x\r\nReferences: <a@b>\r\n\t<c@d>\r\n" + message,
		"twice":     "From: a@us.example\r\nFrom: b@us.example\r\nReferences: <a@b>\r\nReferences: <c@d>\r\n\r\nx\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			signed := signedBy(t, keys, m)
			if got := fmt.Sprint(verdicts(t, signed, records)); got != "[pass pass]" {
				t.Errorf("go-msgauth: %s\n%s", got, signed)
			}
			if got := signtest.DKIM(t, signed, records); got != "True True" {
				t.Errorf("dkimpy: %s\n%s", got, signed)
			}
			for line := range strings.SplitSeq(strings.TrimSuffix(signed, m), "\r\n") {
				if len(line) > 80 {
					t.Errorf("a long line: %s", line)
				}
			}
		})
	}
}

// TestRandomBodies compares our canonical form with another's.
func TestRandomBodies(t *testing.T) {
	keys, records := signtest.Keys(t)
	for range 200 {
		var b strings.Builder
		b.WriteString("From: a@us.example\r\n\r\n")
		for range mathrand.IntN(40) {
			b.WriteString([]string{"\r\n", " ", "\t", "a", "\xff", ".", "\r\n\r\n"}[mathrand.IntN(7)])
		}
		signed := signedBy(t, keys[1:], b.String())
		if !strings.HasSuffix(signed, "\r\n") {
			signed += "\r\n"
		}
		if got := fmt.Sprint(verdicts(t, signed, records)); got != "[pass]" {
			t.Fatalf("%s: %q", got, signed)
		}
	}
}

// TestChangesAreSeen: nobody can change or add what a reader sees.
func TestChangesAreSeen(t *testing.T) {
	keys, records := signtest.Keys(t)
	signed := signedBy(t, keys, message)
	for name, changed := range map[string]string{
		"another body":          strings.Replace(signed, "hello", "hullo", 1),
		"more body":             signed + "more\r\n",
		"another subject":       strings.Replace(signed, "two\r\n", "three\r\n", 1),
		"another From":          "From: evil@example.org\r\n" + signed,
		"another Subject":       "Subject: evil\r\n" + signed,
		"another Date":          "Date: Thu, 1 Jan 2027 00:00:00 +0000\r\n" + signed,
		"another To":            "To: evil@example.org\r\n" + signed,
		"a Reply-To":            strings.Replace(signed, "Subject:", "Reply-To: evil@example.org\r\nSubject:", 1),
		"another type":          strings.Replace(signed, "Subject:", "Content-Type: text/html\r\nSubject:", 1),
		"another way to go out": strings.Replace(signed, "https://us", "https://evil", 1),
	} {
		for _, v := range verdicts(t, changed, records) {
			if v == "pass" {
				t.Errorf("%s: passes", name)
			}
		}
	}
	for name, changed := range map[string]string{
		"a trace field":    "Received: x\r\n" + signed,
		"another X-Other":  strings.Replace(signed, "X-Other: x", "X-Other: y", 1),
		"white space":      strings.Replace(strings.Replace(signed, "hello  there ", "hello there", 1), "Subject: ", "SUBJECT:   ", 1),
		"another line end": strings.TrimSuffix(signed, "\r\n \r\n\r\n"),
	} {
		if got := fmt.Sprint(verdicts(t, changed, records)); got != "[pass pass]" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestOversigning(t *testing.T) { synctest.Test(t, testOversigning) }

func testOversigning(t *testing.T) {
	time.Sleep(time.Until(now)) // go-msgauth has no other clock than this machine's, which the bubble stands in for
	k, _ := signtest.Keys(t)
	head, _, _ := strings.Cut(signedBy(t, k[1:], message), "b=")
	head = strings.Join(strings.Fields(head), "")
	for _, want := range []string{"from:from:", "subject:subject:", "date:date:", "to:to:", "reply-to:", "list-unsubscribe", "t=1767225600;", "a=ed25519-sha256;", "c=relaxed/relaxed;", "d=us.example;", "s=ed;"} {
		if !strings.Contains(head, want) {
			t.Errorf("no %s in %s", want, head)
		}
	}
	for _, not := range []string{"x-other", "received", "bcc"} {
		if strings.Contains(head, not) {
			t.Errorf("%s in %s", not, head)
		}
	}
}

// TestNothingRunsOn: a message that breaks off leaves nobody who waits for the rest of it.
func TestNothingRunsOn(t *testing.T) {
	keys, _ := signtest.Keys(t)
	defer goleak.VerifyNone(t)
	for _, m := range []string{"", "From: a@us.example\r\n", message} {
		s := New(keys)
		io.WriteString(s, m)
		s.Close()
	}
	s := New(append(keys, mail.SigningKey{Signer: strange{}}))
	io.WriteString(s, message)
	if _, err := s.Fields(); err == nil {
		t.Error("signed by a strange key")
	}
	s.Close()
}

func TestNoKeys(t *testing.T) {
	if got := signedBy(t, nil, message); got != message {
		t.Error(got)
	}
	s := New([]mail.SigningKey{{Signer: strange{}}})
	io.WriteString(s, message)
	if f, err := s.Fields(); err == nil {
		t.Errorf("signed by a strange key: %s", f)
	}
	k, _ := signtest.Keys(t)
	s = New(k)
	io.WriteString(s, strings.Repeat("References: <a@b>\r\n", maxAlike+1)+message)
	if f, err := s.Fields(); err == nil {
		t.Errorf("fields without end were signed: %.100s", f)
	}
	s = New(k)
	for range 300 {
		io.WriteString(s, "X: "+strings.Repeat("x", 5000)+"\r\n")
	}
	if f, err := s.Fields(); err == nil {
		t.Errorf("an endless header was signed: %.100s", f)
	}
}

type strange struct{}

func (strange) Public() crypto.PublicKey { return "none" }
func (strange) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, nil
}
