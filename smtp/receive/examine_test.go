package receive_test

import (
	"fmt"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/smtp/receive"
	"podmail/smtp/verify"
)

// suspicious opens a door that trusts nobody, not even this machine.
func suspicious(t *testing.T, change ...func(*server.Options)) *door {
	t.Helper()
	return openWith(t, func(d *door) receive.Options {
		return receive.Options{Verifier: verify.New(verify.Options{Resolver: d.DNS, Clock: d.Clock, Hostname: "mx.podmail.test"})}
	}, change...)
}

const forged = "From: ceo@bank.example\r\nTo: alice@podmail.test\r\nMessage-ID: <1@bank.example>\r\nSubject: forged\r\n\r\nSend money.\r\n.\r\n"

func TestForgedMailIsKeptAside(t *testing.T) {
	d := suspicious(t)
	d.DNS.Set(mail.RecordTXT, "_dmarc.bank.example", "v=DMARC1; p=reject")
	d.DNS.Set(mail.RecordTXT, "example.org", "v=spf1 ip4:127.0.0.1 -all")
	d.DNS.Set("PTR", "127.0.0.1", "mail.example.org")
	p := dial(t, d.mx)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send(forged)
	p.expect("250 2.0.0 ")
	d.has(t, d.alice)
	m, in, err := d.Server.ExplainMessage(t.Context(), d.alice, "<1@bank.example>")
	if err != nil || in.Placement != mail.LabelUnauthenticated || in.Authentication.SPF.Result != mail.AuthPass || in.Authentication.DMARC.Result != mail.AuthFail {
		t.Fatalf("%+v %+v %v", m, in, err)
	}
	_, c, err := d.Server.GetMessage(t.Context(), d.alice, "<1@bank.example>")
	const want = "mx.podmail.test; iprev=fail policy.iprev=127.0.0.1; spf=pass smtp.mailfrom=example.org; dkim=none; dmarc=fail header.from=bank.example policy.dmarc=reject"
	if got := strings.Join(strings.Fields(c.Headers["Authentication-Results"]), " "); err != nil || got != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

// TestMailOfNobodyIsKeptAsideOrRefused has messages come in of which no domain can be asked whether they are its own.
func TestMailOfNobodyIsKeptAsideOrRefused(t *testing.T) {
	authors := "From: joe@example.org"
	for i := range 10 {
		authors += fmt.Sprintf(", joe@d%d.example", i)
	}
	kept, refusing := suspicious(t), suspicious(t, func(o *server.Options) { o.Intake.RefuseUnauthenticated = true })
	for name, c := range map[string]struct{ header, answer string }{
		"none":     {"", "there is no From field."},
		"empty":    {"From: \r\n", "From names no domain."},
		"two":      {"From: joe@example.org\r\nFrom: joe@example.org\r\n", "there are 2 From fields."},
		"unclear":  {"From: joe@example.org@\r\n", "From holds what is no address."},
		"eleven":   {authors + "\r\n", "From names too many domains."},
		"too many": {"From: " + strings.Repeat("joe@example.org,\r\n ", 1000) + "ceo@bank.example\r\n", "From holds what is no address."},
	} {
		for _, d := range []*door{kept, refusing} {
			d.DNS.Set(mail.RecordTXT, "example.org", "v=spf1 ip4:127.0.0.1 -all")
			p := dial(t, d.mx)
			p.to("alice@podmail.test")
			p.ask("DATA", "354 ")
			p.send(c.header + "Subject: x\r\nMessage-ID: <" + strings.ReplaceAll(name, " ", "") + "@x>\r\n\r\nHi.\r\n.\r\n")
			if d == refusing {
				p.expect("550 5.7.26 A message says in one From field whose it is (RFC 5322 3.6), and here " + c.answer)
				continue
			}
			p.expect("250 ")
			_, in, err := d.Server.ExplainMessage(t.Context(), d.alice, "<"+strings.ReplaceAll(name, " ", "")+"@x>")
			if err != nil || in.Placement != mail.LabelUnauthenticated || in.Reason != "Nobody can be asked whether it is theirs: "+c.answer {
				t.Errorf("%s: %s %q %v", name, in.Placement, in.Reason, err)
			}
		}
	}
	kept.has(t, kept.alice)
	refusing.has(t, refusing.alice)
}

// TestALongHeaderHidesNobody: what is let in is looked at to its end, and what could not be is nobody's.
func TestALongHeaderHidesNobody(t *testing.T) {
	long := strings.Repeat("X-Long: "+strings.Repeat("x", 900)+"\r\n", 600)
	for _, most := range []int{0, 100 << 10} {
		d := openWith(t, func(d *door) receive.Options {
			return receive.Options{Verifier: verify.New(verify.Options{Resolver: d.DNS, Clock: d.Clock, Hostname: "mx.podmail.test", MaxHeader: most})}
		})
		d.DNS.Set(mail.RecordTXT, "_dmarc.bank.example", "v=DMARC1; p=reject")
		p := dial(t, d.mx)
		p.to("alice@podmail.test")
		p.ask("DATA", "354 ")
		p.send("Message-ID: <1@bank.example>\r\n" + long + "From: ceo@bank.example\r\n\r\nSend money.\r\n.\r\n")
		p.expect("250 2.0.0 ")
		m, in, err := d.Server.ExplainMessage(t.Context(), d.alice, "<1@bank.example>")
		want := "DMARC fails: bank.example asks to reject mail that it did not send."
		if most > 0 {
			want = "Nobody can be asked whether it is theirs: the header is too long."
		}
		if err != nil || in.Placement != mail.LabelUnauthenticated || in.Reason != want || len(m.Envelope.From) != 1 {
			t.Errorf("%d: %+v %+v %v", most, m.Envelope.From, in, err)
		}
	}
}

func TestForgedMailIsRefused(t *testing.T) {
	d := suspicious(t, func(o *server.Options) { o.Intake.RefuseUnauthenticated = true })
	d.DNS.Set(mail.RecordTXT, "_dmarc.bank.example", "v=DMARC1; p=reject")
	d.DNS.Set(mail.RecordTXT, "example.org", "v=spf1 -all exp=why.example.org")
	d.DNS.Set(mail.RecordTXT, "why.example.org", "%{i} is not ours")
	p := dial(t, d.mx)
	for _, c := range []struct{ body, answer string }{
		{forged, "550 5.7.26 Mail from bank.example must pass DMARC"},
		{"From: joe@example.org\r\n\r\nhello\r\n.\r\n", "550 5.7.23 SPF: 127.0.0.1 may not send for example.org. It explains: 127.0.0.1 is not ours"},
	} {
		p.to("alice@podmail.test")
		p.ask("DATA", "354 ")
		p.send(c.body)
		p.expect(c.answer)
	}
	d.DNS.Down(true)
	p.to("alice@podmail.test")
	p.ask("DATA", "354 ")
	p.send(forged)
	p.expect("451 4.7.24 ")
	d.has(t, d.alice)
}
