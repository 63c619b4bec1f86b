package verify_test

import (
	"crypto"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"podmail/mail"
)

// TestTheExampleOfRFC8463 is a message with an Ed25519 and an RSA signature (RFC 8463 A).
func TestTheExampleOfRFC8463(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	w.Set(mail.RecordTXT, "test._domainkey.football.example.com", "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi"+
		"Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB")
	signed := crlf(`DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
`) + dinner
	for i, d := range w.check(t, signed).DKIM {
		if want := []string{"brisbane", "test"}[i]; d.Result != mail.AuthPass || d.Selector != want || d.Identity != "@football.example.com" {
			t.Errorf("signature %d: %+v", i, d)
		}
	}
}

// TestTheExampleOfRFC6376 is its appendix A.2, with the key of appendix C.
func TestTheExampleOfRFC6376(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "brisbane._domainkey.example.com", "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"+
		"IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB")
	signed := crlf(`DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
`) + strings.Replace(dinner, "game.  Are", "game. Are", 1)
	for _, c := range []struct {
		message string
		result  mail.AuthResult
		fault   mail.DKIMFault
	}{
		{signed, mail.AuthPass, ""},
		{strings.Replace(signed, "game. Are", "game.  Are", 1), mail.AuthFail, mail.FaultBodyHash},      // simple, not relaxed
		{strings.Replace(signed, "Subject: Is", "Subject:  Is", 1), mail.AuthFail, mail.FaultSignature}, // likewise
		{strings.TrimSuffix(signed, "\r\n") + "\r\n\r\n\r\n", mail.AuthPass, ""},
	} {
		got := w.check(t, c.message).DKIM
		if len(got) != 1 || got[0].Result != c.result || got[0].Fault != c.fault || got[0].Domain != "example.com" || got[0].Identity != "joe@football.example.com" {
			t.Errorf("%+v, want %s %s", got, c.result, c.fault)
		}
	}
}

// TestMessagesOfOtherSignersVerify has dkimpy sign in every form.
func TestMessagesOfOtherSignersVerify(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "r._domainkey.football.example.com", rsaRecord(&keys().rsa.PublicKey))
	w.Set(mail.RecordTXT, "e._domainkey.football.example.com", edRecord(keys().ed))
	bodies := map[string]string{
		"dinner":         "Hi.\r\n\r\nWe lost  the game.\t \r\n\r\n\r\n",
		"empty":          "",
		"only lines":     "\r\n\r\n\r\n",
		"only spaces":    " \t \r\n \r\n",
		"no line break":  "no end",
		"long":           strings.Repeat("0123456789 abcdefghijkl \t mnopqrstuvw\r\n", 20_000),
		"trailing space": "x \r\n\r\ny\t\r\n \r\n",
	}
	var jobs []job
	var names []string
	head, _, _ := strings.Cut(dinner, "\r\n\r\n")
	for name, body := range bodies {
		for _, form := range [][2]string{{"simple", "simple"}, {"simple", "relaxed"}, {"relaxed", "simple"}, {"relaxed", "relaxed"}} {
			message := []byte(head + "\r\nX-Odd:  a \t b\r\n\tc \r\n\r\n" + body)
			names = append(names, name+" "+form[0]+"/"+form[1]+" RSA", name+" "+form[0]+"/"+form[1]+" Ed25519")
			jobs = append(jobs, job{Kind: "dkim", Message: message, Selector: "r", Domain: "football.example.com", Key: pemOf(keys().rsa), Form: form, Algorithm: "rsa-sha256"},
				job{Kind: "dkim", Message: message, Selector: "e", Domain: "football.example.com", Key: base64.StdEncoding.EncodeToString(keys().ed.Seed()), Form: form, Algorithm: "ed25519-sha256"})
		}
	}
	for i, signed := range sign(t, jobs...) {
		got := w.check(t, signed).DKIM
		if len(got) != 1 || got[0].Result != mail.AuthPass {
			t.Errorf("%s: %+v", names[i], got)
		}
		broken := w.check(t, strings.Replace(signed, "dinner ready", "dinner over", 1)).DKIM
		if len(broken) != 1 || broken[0].Result != mail.AuthFail || broken[0].Fault != mail.FaultSignature {
			t.Errorf("%s with another subject: %+v", names[i], broken)
		}
	}
}

// TestEachKindOfDamageIsToldApart damages a signature that holds.
func TestEachKindOfDamageIsToldApart(t *testing.T) {
	const at = "r._domainkey.football.example.com"
	record := rsaRecord(&keys().rsa.PublicKey)
	replace := func(old, new string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not in %q", old, s)
			}
			return strings.Replace(s, old, new, 1)
		}
	}
	as := func(record string) func(*world) { return func(w *world) { w.Set(mail.RecordTXT, at, record) } }
	for _, c := range []struct {
		name   string
		sign   func(*dkim.SignOptions)
		damage func(string) string
		dns    func(*world)
		late   time.Duration // after it was signed
		result mail.AuthResult
		fault  mail.DKIMFault
	}{
		{"none", nil, nil, nil, 0, mail.AuthPass, ""},
		{"body changed", nil, replace("hungry", "thirsty"), nil, 0, mail.AuthFail, mail.FaultBodyHash},
		{"field changed", nil, replace("ready?", "over?"), nil, 0, mail.AuthFail, mail.FaultSignature},
		{"a second From above", nil, func(s string) string { return "From: ceo@bank.example\r\n" + s }, nil, 0, mail.AuthPass, ""},
		{"a second From below", nil, replace("\r\nTo:", "\r\nFrom: ceo@bank.example\r\nTo:"), nil, 0, mail.AuthFail, mail.FaultSignature},
		{"another key", nil, nil, as(rsaRecord(&keys().other.PublicKey)), 0, mail.AuthFail, mail.FaultSignature},
		{"no key", nil, nil, func(w *world) { w.Set(mail.RecordTXT, at) }, 0, mail.AuthPermError, mail.FaultNoKey},
		{"revoked", nil, nil, as("v=DKIM1; p="), 0, mail.AuthPermError, mail.FaultRevoked},
		{"DNS is down", nil, nil, func(w *world) { w.Down(true) }, 0, mail.AuthTempError, mail.FaultLookup},
		{"no record of a key", nil, nil, as("v=spf1 -all"), 0, mail.AuthPermError, mail.FaultKeySyntax},
		{"no base64", nil, nil, as("v=DKIM1; p=***"), 0, mail.AuthPermError, mail.FaultKeySyntax},
		{"no RSA key", nil, nil, as("v=DKIM1; p=" + base64.StdEncoding.EncodeToString([]byte("hello"))), 0, mail.AuthPermError, mail.FaultKeySyntax},
		{"key of another type", nil, nil, as(edRecord(keys().ed)), 0, mail.AuthPermError, mail.FaultKeyType},
		{"key of an unknown type", nil, nil, as(strings.Replace(record, "k=rsa", "k=dsa", 1)), 0, mail.AuthPermError, mail.FaultKeyType},
		{"key without a type", nil, nil, as(strings.Replace(record, "k=rsa; ", "", 1)), 0, mail.AuthPass, ""},
		{"key without p=", nil, nil, as("v=DKIM1; k=rsa"), 0, mail.AuthPermError, mail.FaultKeySyntax},
		{"key of another version", nil, nil, as(strings.Replace(record, "DKIM1", "DKIM2", 1)), 0, mail.AuthPermError, mail.FaultKeySyntax},
		{"key under test", nil, nil, as(record + "; t=y"), 0, mail.AuthPass, ""}, // no reason to believe more, or less (RFC 6376 3.6.1)
		{"key under test, body changed", nil, replace("hungry", "thirsty"), as(record + "; t=y:s"), 0, mail.AuthFail, mail.FaultBodyHash},
		{"key for something else", nil, nil, as(record + "; s=tlsrpt"), 0, mail.AuthPermError, mail.FaultKeyType},
		{"key for mail too", nil, nil, as(record + "; s=tlsrpt:email"), 0, mail.AuthPass, ""},
		{"key for SHA-1", nil, nil, as(record + "; h=sha1"), 0, mail.AuthPermError, mail.FaultKeyType},
		{"strict key", func(o *dkim.SignOptions) { o.Identifier = "joe@sub.football.example.com" }, nil, as(record + "; t=s"), 0, mail.AuthPermError, mail.FaultDomain},
		{"strict key, own domain", func(o *dkim.SignOptions) { o.Identifier = "joe@football.example.com" }, nil, as(record + "; t=s"), 0, mail.AuthPass, ""},
		{"short key", func(o *dkim.SignOptions) { o.Signer = keys().short }, nil, as(rsaRecord(&keys().short.PublicKey)), 0, mail.AuthPermError, mail.FaultWeakKey},
		{"expired", func(o *dkim.SignOptions) { o.Expiration = now.Add(time.Hour) }, nil, nil, 2 * time.Hour, mail.AuthFail, mail.FaultExpired},
		{"of the future", nil, nil, nil, -time.Hour, mail.AuthFail, mail.FaultFuture},
		{"SHA-1", nil, replace("rsa-sha256", "rsa-sha1"), nil, 0, mail.AuthPermError, mail.FaultAlgorithm},
		{"another version", nil, replace("v=1", "v=2"), nil, 0, mail.AuthPermError, mail.FaultVersion},
		{"no domain", nil, replace("d=football.example.com", "d="), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"no selector", nil, replace("s=r;", "s=;"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"no value", nil, func(s string) string { return strings.Replace(s, " b=", " y=", 1) }, nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"no body hash", nil, replace("bh=", "yh="), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"signed at no time", nil, func(s string) string { return regexp.MustCompile(` t=\d+`).ReplaceAllString(s, " t=today") }, nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"expires before it was signed", nil, replace("v=1;", "v=1; x=1;"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"a length that is none", nil, replace("v=1;", "v=1; l=all;"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"an unknown algorithm", nil, replace("rsa-sha256", "rsa-sha512"), nil, 0, mail.AuthPermError, mail.FaultAlgorithm},
		{"twice the same tag", nil, replace("v=1;", "v=1; v=1;"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"From is not signed", nil, replace("h=From:", "h="), nil, 0, mail.AuthPermError, mail.FaultUnsigned},
		{"i= elsewhere", nil, replace("v=1;", "v=1; i=joe@bank.example;"), nil, 0, mail.AuthPermError, mail.FaultDomain},
		{"no such canonical form", nil, replace("c=relaxed/relaxed", "c=nofws"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
		{"no way to the key", nil, replace("v=1;", "v=1; q=http;"), nil, 0, mail.AuthPermError, mail.FaultSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorldAt(now.Add(c.late))
			w.Set(mail.RecordTXT, at, record)
			o := &dkim.SignOptions{Domain: "football.example.com", Selector: "r", Signer: keys().rsa, Hash: crypto.SHA256, HeaderKeys: []string{"From", "Subject"},
				HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed}
			if c.sign != nil {
				c.sign(o)
			}
			t.Setenv("GODEBUG", "rsa1024min=0") // to sign with a short key
			var b strings.Builder
			if err := dkim.Sign(&b, strings.NewReader(dinner), o); err != nil {
				t.Fatal(err)
			}
			signed := b.String()
			if c.damage != nil {
				signed = c.damage(signed)
			}
			if c.dns != nil {
				c.dns(w)
			}
			got := w.check(t, signed).DKIM
			if len(got) != 1 || got[0].Result != c.result || got[0].Fault != c.fault || (c.fault != "") != (got[0].Reason != "") {
				t.Errorf("%+v, want %s %s", got, c.result, c.fault)
			}
		})
	}
}

// TestAnUnsignedEndOfABodyIsNotTrusted is l=, with which anybody may add to a body (RFC 6376 8.2).
func TestAnUnsignedEndOfABodyIsNotTrusted(t *testing.T) {
	w := newWorld()
	w.Set(mail.RecordTXT, "r._domainkey.football.example.com", rsaRecord(&keys().rsa.PublicKey))
	signed := sign(t, job{Kind: "dkim", Message: []byte(dinner), Selector: "r", Domain: "football.example.com", Key: pemOf(keys().rsa),
		Form: [2]string{"relaxed", "simple"}, Algorithm: "rsa-sha256", Length: true})[0]
	for _, c := range []struct {
		message string
		result  mail.AuthResult
		fault   mail.DKIMFault
	}{
		{signed, mail.AuthPass, ""},
		{signed + "Send money.\r\n", mail.AuthPolicy, mail.FaultLength},
		{strings.TrimSuffix(signed, "Joe.\r\n"), mail.AuthFail, mail.FaultBodyHash},
	} {
		if got := w.check(t, c.message).DKIM; len(got) != 1 || got[0].Result != c.result || got[0].Fault != c.fault {
			t.Errorf("%+v, want %s %s", got, c.result, c.fault)
		}
	}
}

func TestOnlySoManySignaturesAreVerified(t *testing.T) {
	w := newWorld()
	got := w.check(t, strings.Repeat("DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=aGVsbG8=\r\n", 1000)+dinner).DKIM
	if len(got) != 11 || got[10].Fault != mail.FaultTooMany || got[0].Fault != mail.FaultNoKey {
		t.Errorf("%d results, the last %+v", len(got), got[len(got)-1])
	}
}
