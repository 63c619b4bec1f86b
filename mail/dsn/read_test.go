package dsn

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podmail/mail/parse"
)

// read reads a message of testdata as it comes by SMTP.
func read(t *testing.T, raw []byte) *Report {
	t.Helper()
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	p, err := parse.Message(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Read(p, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// told is a report in short.
func told(d *Report) string {
	if d == nil {
		return "none"
	}
	s := fmt.Sprintf("%s of %q by %q", d.MessageID, d.EnvelopeID, d.ReportingMTA)
	for _, to := range d.Recipients {
		b := Classify(to.Status, to.Diagnostic)
		s += fmt.Sprintf("\n%s (%s) %s %s %s/%s: %s", to.Final, to.Original, to.Action, to.Status, b.Type, b.SubType, to.Diagnostic)
	}
	return s
}

func TestRead(t *testing.T) {
	for name, want := range map[string]string{
		"postfix-failed": `<order-2@sender.test> of "env-42" by "mail.postfix.test"
elsewhere@nowhere.test (elsewhere@nowhere.test) failed 5.1.1 Permanent/NoEmail: User unknown in virtual mailbox table
nobody@smtp.test (nobody@smtp.test) failed 5.1.1 Permanent/NoEmail: 550-5.1.1 The email account that you tried to reach does    not exist. 550 5.1.1 Please try again - gsmtp
ok@smtp.test (ok@smtp.test) failed 5.7.1 Transient/ContentRejected: 554 5.7.1 Message rejected as spam`,
		"postfix-delayed": `<order-3@sender.test> of "" by "mail.postfix.test"
someone@greylisted.test (someone@greylisted.test) delayed 4.7.1 Transient/General: greylisted`,
		"exim-failed": `<order-1@sender.test> of "" by "mail.exim.test"
full@exim.test () failed 5.0.0 Transient/MailboxFull: 552 5.2.2 mailbox is full
nobody@exim.test () failed 5.0.0 Permanent/NoEmail: Unrouteable address`,
		"exim-delayed": `<order-1@sender.test> of "" by "mail.exim.test"
later@exim.test () delayed 4.0.0 Transient/General: Delay reason: 451 4.3.0 greylisted`,
		"exim-old-failed": `<order-7@sender.test> of "" by ""
gone@exim.test () failed 5.1.1 Permanent/NoEmail: SMTP error from remote mail server after RCPT TO:<gone@exim.test>: host mx.exim.test [127.0.0.8]: 550 5.1.1 User unknown`,
		"gmail-failed": `<order-4@sender.test> of "" by "googlemail.com"
gone@gmail.test () failed 5.1.1 Permanent/NoEmail: 550-5.1.1 The address that was tried is unknown here; check it for typing errors. 550 5.1.1 - gsmtp`,
		"exchange-failed": `<order-5@sender.test> of "" by "DB5.prod.outlook.test"
gone@outlook.test () failed 5.1.10 Permanent/NoEmail: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient gone@outlook.test not found by SMTP address lookup
full@outlook.test (full+2Bnews@outlook.test) failed 5.2.2 Transient/MailboxFull: 554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException`,
		"qmail-failed": `<order-6@sender.test> of "" by ""
gone@qmail.test () failed 5.1.1 Permanent/NoEmail: Sorry, no mailbox here by that name. (#5.1.1)
far@away.test () failed 5.3.4 Transient/MessageTooLarge: 127.0.0.9 does not like recipient. Remote host said: 552 5.3.4 message size exceeds the limit Giving up on 127.0.0.9.`,
		"global-failed": `<order-8@sender.test> of "env@8" by "mx.test"
jörg@grüße.test (jörg@xn--gre-6ka..test) failed 5.1.1 Permanent/NoEmail: 550 5.1.1 No such user »jörg«`,
		"merged-blocks": `<order-9@sender.test> of "" by "odd.test"
gone@odd.test () failed 5.1.1 Permanent/NoEmail: User gone (gone@odd.test) not listed in directory`,
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, told(read(t, raw))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoReport(t *testing.T) {
	for name, raw := range map[string]string{
		"plain":        "Subject: hi\n\nHi. This is not qmail.\n",
		"empty":        "",
		"no recipient": "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n\n--b--\n",
		"no action":    "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n\nFinal-Recipient: rfc822; a@x.test\nAction: lost\n\n--b--\n",
		"forwarded":    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nlook\n--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/report; boundary=c\n\n--c\nContent-Type: message/delivery-status\n\nX: y\n\nFinal-Recipient: rfc822; a@x.test\nAction: failed\n--c--\n--b--\n",
		"alone":        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n\nFinal-Recipient: rfc822; a@x.test\nAction: failed\n",
	} {
		if d := read(t, []byte(raw)); d != nil {
			t.Errorf("%s: %s", name, told(d))
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.test\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "\nFinal-Recipient: rfc822; a%d@x.test\nAction: failed\n", i)
	}
	b.WriteString("\nFinal-Recipient: rfc822; z@x.test\nAction: failed\nDiagnostic-Code: smtp; " + strings.Repeat("x", 100000) + "\n--b--\n")
	d := read(t, []byte(b.String()))
	if len(d.Recipients) != maxRecipients {
		t.Errorf("%d recipients", len(d.Recipients))
	}
	for _, to := range d.Recipients {
		if len(to.Diagnostic) > maxDiagnostic {
			t.Errorf("a diagnostic of %d bytes", len(to.Diagnostic))
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatal(err, "no seeds")
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parse.Message(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Read(p, bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if d == nil {
			return
		}
		if len(d.Recipients) == 0 || len(d.Recipients) > maxRecipients || len(d.Header) > maxHeader {
			t.Errorf("%d recipients, a header of %d bytes", len(d.Recipients), len(d.Header))
		}
		for _, to := range d.Recipients {
			if to.Final == "" || to.Action == "" || len(to.Diagnostic) > maxDiagnostic {
				t.Errorf("%+v", to)
			}
			Classify(to.Status, to.Diagnostic)
		}
	})
}
