package deliver_test

import (
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/sign/signtest"
)

// TestSealsArrive: a message that is handed on comes with a seal that others verify, also in another form than it had; one
// whose chain cannot go on comes without.
func TestSealsArrive(t *testing.T) {
	keys, records := signtest.Keys(t)
	for name, c := range map[string]struct {
		message string
		offers  []string
		chain   mail.AuthResult
		sealed  bool
	}{
		"as it is":        {plain, nil, mail.AuthNone, true},
		"encoded":         {"From: us@us.example\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\nGrüße\r\n", nil, mail.AuthNone, true},
		"8-bit":           {"From: us@us.example\r\n\r\nGrüße\r\n", []string{"8BITMIME"}, mail.AuthNone, true},
		"broken chain":    {"ARC-Seal: i=1; cv=none; d=x.example\r\n" + plain, nil, mail.AuthPass, false},
		"nobody can tell": {"ARC-Seal: i=1; cv=none; d=x.example\r\n" + plain, nil, mail.AuthNone, false},
	} {
		w, h := meet(t, script{offers: c.offers}, nil)
		tr := transfer(c.message, "bob@example.org")
		tr.Seal = &mail.Seal{Key: keys[0], AuthservID: "mx.us.example", Results: "spf=pass smtp.mailfrom=x.example", Chain: c.chain, At: time.Unix(1767225600, 0)}
		w.expect(t, tr, "taken 250 2.0.0")
		got := h.took()[0]
		if strings.HasPrefix(got, "ARC-Seal: i=1; a=rsa-sha256;") != c.sealed || !strings.HasSuffix(got, "\r\n") {
			t.Errorf("%s: %s", name, got)
		} else if verdict := signtest.ARC(t, got, records); c.sealed && !strings.HasPrefix(verdict, "pass") {
			t.Errorf("%s: dkimpy says %s\n%s", name, verdict, got)
		}
	}
}
