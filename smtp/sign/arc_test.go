package sign

import (
	"errors"
	"io"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/smtp/sign/signtest"
)

// TestSealsVerify seals what others have sealed, and has dkimpy look at every step.
func TestSealsVerify(t *testing.T) {
	keys, records := signtest.Keys(t)
	m := signedBy(t, keys, message)
	seal := func(m, chain string) (string, error) {
		s := NewSealer(mail.Seal{Key: keys[0], AuthservID: "mx.us.example", Results: "spf=pass smtp.mailfrom=us@us.example; dkim=pass header.d=us.example; dmarc=pass header.from=us.example",
			Chain: mail.AuthResult(chain), At: now})
		io.WriteString(s, m)
		fields, err := s.Fields()
		return string(fields) + m, err
	}
	chain := "none"
	for range 3 {
		sealed, err := seal(m, chain)
		if err != nil {
			t.Fatal(err)
		}
		if got := signtest.ARC(t, sealed, records); !strings.HasPrefix(got, "pass") {
			t.Fatalf("%s\n%s", got, sealed)
		}
		if got := signtest.ARC(t, strings.Replace(sealed, "hello", "hullo", 1), records); !strings.HasPrefix(got, "fail") {
			t.Errorf("a changed body: %s", got)
		}
		if got := signtest.ARC(t, strings.Replace(sealed, "spf=pass", "spf=fail", 1), records); !strings.HasPrefix(got, "fail") {
			t.Errorf("a changed verdict: %s", got)
		}
		m, chain = "Received: from next\r\n"+sealed, "pass"
	}
	for name, c := range map[string]struct{ m, chain string }{
		"a set is gone":       {strings.Replace(m, "ARC-Seal: i=2", "X-Seal: i=2", 1), "pass"},
		"one place twice":     {strings.Replace(m, "ARC-Seal: i=2", "ARC-Seal: i=3", 1), "pass"},
		"no place":            {strings.Replace(m, "ARC-Seal: i=2", "ARC-Seal: i=x", 1), "pass"},
		"none, but there are": {m, "none"},
		"pass, but none":      {message, "pass"},
	} {
		if sealed, err := seal(c.m, c.chain); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v\n%s", name, err, sealed)
		}
	}
	failed, err := seal(m, "fail")
	if err != nil || !strings.Contains(failed, "cv=fail") {
		t.Error(err, failed)
	}
	if again, err := seal(failed, "fail"); !errors.Is(err, ErrSealed) {
		t.Errorf("a failed chain went on: %v\n%s", err, again)
	}
}
