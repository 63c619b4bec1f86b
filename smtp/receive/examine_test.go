package receive_test

import (
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
