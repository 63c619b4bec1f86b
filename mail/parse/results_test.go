package parse_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"podmail/mail/parse"
)

func TestResultsThatClaimToBeOursGo(t *testing.T) {
	const rest = "From: a@b.example\r\nSubject: x\r\n\r\nAuthentication-Results: mx.example; the body is nobody's business\r\n"
	long := "X-Long: " + strings.Repeat("x", 100_000) + "\r\n"
	for _, c := range []struct {
		field string
		stays bool
	}{
		{"Authentication-Results: mx.example; dmarc=pass\r\n", false},
		{"AUTHENTICATION-RESULTS : MX.Example. 1; dmarc=pass\r\n\tsmtp.mailfrom=x\r\n dkim=pass\r\n", false},
		{"Authentication-Results:\r\n (com(me)nt\\)) mx.example;\r\n dmarc=pass\r\n", false},
		{"Authentication-Results: \"mx.exa\\mple\"; dmarc=pass\r\n", false},
		{"Authentication-Results: (" + strings.Repeat("x", 5000) + ") mx.example; dmarc=pass\r\n", false},
		{"Authentication-Results: mx.example", false},
		{"Authentication-Results" + strings.Repeat(" ", 3000) + ": mx.example; dmarc=pass\r\n", false},
		{"Authentication-Results" + strings.Repeat("\t", 300_000) + ":mx.example; dmarc=pass\r\n more\r\n", false},
		{"Authentication-Results\r\n" + strings.Repeat(" ", 3000) + ": mx.example; dmarc=pass\r\n", false},
		{"X-Podmail-Spam" + strings.Repeat(" ", 3000) + ": no\r\n", false},
		{"Authentication-Results", true},
		{"X-Podmail-Spam: no; score=0.000\r\n\twords=\"\"\r\n", false},
		{"X-Podmail-Spammer: no\r\n", true},
		{"Authentication-Results: other.example; dmarc=pass\r\n", true},
		{"Authentication-Results: mx.example.other; dmarc=pass\r\n", true},
		{"Authentication-Results-Old: mx.example; dmarc=pass\r\n", true},
		{"X-Folded: a\r\n Authentication-Results: mx.example; dmarc=pass\r\n", true},
		{long, true},
	} {
		message := "X-First: 1\r\n" + c.field
		if strings.HasSuffix(c.field, "\n") {
			message += rest
		}
		want := message
		if !c.stays {
			want = strings.Replace(message, c.field, "", 1)
		}
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(message), "byte by byte": iotest.OneByteReader(strings.NewReader(message))} {
			got, err := io.ReadAll(parse.WithoutResults(r, "mx.example"))
			if err != nil || string(got) != want {
				t.Errorf("%s of %.60q: %.300q, %v", name, c.field, got, err)
			}
		}
		if claims, err := parse.ClaimsResults(strings.NewReader(message), "mx.example"); err != nil || claims == c.stays {
			t.Errorf("%.60q claims to be ours: %v, %v", c.field, claims, err)
		}
	}
	if _, err := parse.ClaimsResults(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(rest))), "mx.example"); err != iotest.ErrTimeout {
		t.Errorf("an error of the header: %v", err)
	}
	if _, err := io.ReadAll(parse.WithoutResults(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(rest))), "mx.example")); err != iotest.ErrTimeout {
		t.Errorf("an error of the body: %v", err)
	}
}

func FuzzWithoutResults(f *testing.F) {
	f.Add("Authentication-Results: mx.example; dmarc=pass\r\nFrom: a@b.example\r\n\r\nhello\r\n")
	f.Add("Authentication-Results:\r\n (x) \"mx.example\" 1\r\n\r\n")
	f.Fuzz(func(t *testing.T, message string) {
		once, err := io.ReadAll(parse.WithoutResults(strings.NewReader(message), "mx.example"))
		if err != nil {
			t.Fatal(err)
		}
		slow, _ := io.ReadAll(parse.WithoutResults(iotest.OneByteReader(strings.NewReader(message)), "mx.example"))
		twice, _ := io.ReadAll(parse.WithoutResults(strings.NewReader(string(once)), "mx.example"))
		if claims, err := parse.ClaimsResults(strings.NewReader(message), "mx.example"); err != nil || claims != (string(once) != message) {
			t.Errorf("%q becomes %q, and claims %v, %v", message, once, claims, err)
		}
		if string(slow) != string(once) || string(twice) != string(once) && !strings.Contains(message, "\n\n") && !strings.Contains(message, "\r\n\r\n") {
			t.Errorf("%q becomes %q, slowly %q, and again %q", message, once, slow, twice)
		}
		if !strings.Contains(strings.ToLower(message), "authentication-results") && string(once) != message {
			t.Errorf("%q becomes %q", message, once)
		}
	})
}
