package verify

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"go.uber.org/goleak"

	"podmail/mail"
	"podmail/server/servertest"
)

// signer is a key that is the same in every process of a fuzz run.
var signer = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

type today struct{}

func (today) Now() time.Time { return time.Now() }

// begun is a check of a message whose signatures' key is published.
func begun(t testing.TB) *Check {
	t.Helper()
	z := servertest.NewZone()
	z.Set(mail.RecordTXT, "s._domainkey.a.example", "v=DKIM1; k=ed25519; p="+base64.StdEncoding.EncodeToString(signer.Public().(ed25519.PublicKey)))
	c := New(Options{Resolver: z, Clock: today{}}).Begin(context.Background(), Peer{Remote: netip.MustParseAddr("192.0.2.1")})
	t.Cleanup(c.Close)
	return c
}

// signedAs signs a message.
func signedAs(t testing.TB, message string, change func(*dkim.SignOptions)) string {
	t.Helper()
	o := &dkim.SignOptions{Domain: "a.example", Selector: "s", Signer: signer, HeaderKeys: []string{"From", "To", "From"}}
	change(o)
	var b bytes.Buffer
	if err := dkim.Sign(&b, strings.NewReader(message), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func relaxed(o *dkim.SignOptions) {
	o.HeaderCanonicalization, o.BodyCanonicalization = dkim.CanonicalizationRelaxed, dkim.CanonicalizationRelaxed
}

const short = "From: a@a.example\r\nTo: b@b.example\r\n\tc@b.example\r\nX: y\r\n\r\nhello  you \r\n\r\n there\r\n"

// TestWhatGoMsgauthCannotJudge holds all the same: ours judges it.
func TestWhatGoMsgauthCannotJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*dkim.SignOptions)
		beyond bool
	}{
		"usual":                {relaxed, false},
		"a domain in capitals": {func(o *dkim.SignOptions) { o.Identifier = "Joe@A.Example" }, true},
		"a subdomain":          {func(o *dkim.SignOptions) { o.Identifier = "joe@x.a.example" }, false},
		"b= in another tag":    {func(o *dkim.SignOptions) { o.Identifier = "b=joe@a.example" }, true},
		"it expires now":       {func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(time.Minute) }, true},
		"it expires soon":      {func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(time.Hour) }, false},
	} {
		check := begun(t)
		check.Write([]byte(signedAs(t, short, c.change)))
		if got := check.signed[0].trial == nil; got != c.beyond {
			t.Errorf("%s: it is ours to judge: %t", name, got)
		}
		if got := check.Finish().DKIM; len(got) != 1 || got[0].Result != mail.AuthPass {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestEmptyLinesKeepNobodyBusy sends more of them than go-msgauth may hold.
func TestEmptyLinesKeepNobodyBusy(t *testing.T) {
	many := strings.Repeat("\r\n", maxBlank)
	for name, change := range map[string]func(*dkim.SignOptions){"relaxed": relaxed, "simple": func(*dkim.SignOptions) {}} {
		for _, c := range []struct {
			body   string
			result mail.AuthResult
		}{{many, mail.AuthPass}, {many[:1000] + "x\r\n" + many, mail.AuthPass}, {many + "x\r\n", mail.AuthPolicy}} {
			message := signedAs(t, short+c.body, change)
			for _, size := range []int{len(message), 1001} {
				check := begun(t)
				for rest := message; rest != ""; rest = rest[min(size, len(rest)):] {
					check.Write([]byte(rest[:min(size, len(rest))]))
				}
				if got := check.Finish().DKIM; len(got) != 1 || got[0].Result != c.result {
					t.Errorf("%s, %d bytes in pieces of %d: %+v, want %s", name, len(message), size, got, c.result)
				}
			}
		}
	}
}

func TestCostlyHeadersAreRefused(t *testing.T) {
	signed := signedAs(t, short, relaxed)
	for name, message := range map[string]string{
		"many names": strings.Replace(signed, "h=From", "h=From"+strings.Repeat(":x", maxNamed), 1),
		"many lines": strings.Replace(signed, "\tc@b.example", strings.Repeat("\t\r\n", maxFolds)+"\tc@b.example", 1),
	} {
		check := begun(t)
		check.Write([]byte(message))
		if got := check.Finish().DKIM; len(got) != 1 || got[0].Fault != mail.FaultSyntax || len(check.trials) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAnInterruptedMessageIsNotComplete: what was signed may have come whole, and still nobody says so.
func TestAnInterruptedMessageIsNotComplete(t *testing.T) {
	defer goleak.VerifyNone(t)
	message := signedAs(t, signedAs(t, short, relaxed), relaxed)
	for _, end := range []int{len(message), len(message) - 9, strings.Index(message, "hello"), 20} {
		check := begun(t)
		check.Write([]byte(message[:end]))
		check.Close()
		for _, trial := range check.trials {
			if trial.err == nil || faultOf(trial.err).result == mail.AuthPass {
				t.Errorf("interrupted after %d bytes: %v", end, trial.err)
			}
		}
	}
}

// FuzzTrial lets a message that was signed be changed in any way, and compares what go-msgauth says with what our own
// verification says, which ARC has.
func FuzzTrial(f *testing.F) {
	for _, h := range []dkim.Canonicalization{dkim.CanonicalizationRelaxed, dkim.CanonicalizationSimple} {
		for _, b := range []dkim.Canonicalization{dkim.CanonicalizationRelaxed, dkim.CanonicalizationSimple} {
			as := func(o *dkim.SignOptions) { o.HeaderCanonicalization, o.BodyCanonicalization = h, b }
			for _, m := range []string{short, short + " \r\n\r\n", "From: x\r\n\r\n", "From: x\r\nfrom : y\r\n\r\n\r\n \r\n"} {
				f.Add(signedAs(f, m, as))
			}
			f.Add(signedAs(f, signedAs(f, short, as), func(o *dkim.SignOptions) { as(o); o.HeaderKeys = []string{"dkim-signature", "from"} }))
		}
	}
	f.Fuzz(func(t *testing.T, message string) {
		if bare := strings.ReplaceAll(message, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
			return // SMTP has no such lines
		}
		check := begun(t)
		check.Write([]byte(message))
		got := check.Finish()
		check.Close()
		_, body, _ := strings.Cut(message, "\r\n\r\n")
		for i, s := range check.signed {
			if s.trial == nil {
				continue
			}
			s.trial, s.body = nil, newBodyHash(s.relaxedBody, -1)
			s.body.write([]byte(body))
			s.body.finish()
			if want := s.verify(check.header, check.keys); (want.Result == mail.AuthPass) != (got.DKIM[i].Result == mail.AuthPass) {
				t.Errorf("go-msgauth: %+v, ours: %+v", got.DKIM[i], want)
			}
		}
	})
}
