package dsn

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"podmail/mail/parse"
)

const returned = "From: agent@sender.test\r\nTo: gone@far.test\r\nSubject: Your order\r\nMessage-ID: <order-1@sender.test>\r\n\r\nIt has shipped.\r\n"

func notice(recipients ...Recipient) *Notice {
	at := time.Date(2026, 11, 25, 13, 8, 46, 0, time.UTC)
	return &Notice{From: "MAILER-DAEMON@mail.test", To: "agent@sender.test", Notification: "<n1@mail.test>", Date: at, BoundarySeed: "n1",
		Returned: strings.NewReader(returned), Report: Report{EnvelopeID: "order=1", ReportingMTA: "mail.test", ArrivalDate: at.Add(-time.Hour),
			MessageID: "<order-1@sender.test>", Recipients: recipients}}
}

// TestWrite compares whole notifications with testdata; UPDATE=1 writes them.
func TestWrite(t *testing.T) {
	failed := Recipient{Final: "gone@far.test", Action: Failed, Status: "5.1.1", RemoteMTA: "mx.far.test",
		Diagnostic: "550 5.1.1 <gone@far.test>: Recipient address rejected: User unknown in the table of those who are known here"}
	late := Recipient{Final: "late@far.test", Action: Delayed, Status: "4.7.1", Diagnostic: "451 4.7.1 greylisted", RetryUntil: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	global := Recipient{Final: "jörg@far.test", Original: "jörg+news@far.test", Action: Failed, Status: "5.1.1", Diagnostic: "550 5.1.1 No such user »jörg«"}
	full, beyond := notice(failed, late), notice(global)
	full.Full = true
	beyond.EightBit = true
	for name, n := range map[string]*Notice{"written-failed": full, "written-headers": notice(failed), "written-delayed": notice(late), "written-global": beyond,
		"written-expanded": notice(Recipient{Final: "bob@here.test", Original: "bob+news@here.test", Action: Expanded, Status: "2.1.5"}), "written-delivered": notice(Recipient{Final: "there@far.test", Action: Relayed, Status: "2.1.9"})} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, n); err != nil {
				t.Fatal(err)
			}
			raw := b.String()
			if strings.Count(raw, "\n") != strings.Count(raw, "\r\n") {
				t.Error("bare line feeds")
			}
			got := strings.ReplaceAll(raw, "\r\n", "\n")
			file := "testdata/" + name + ".eml"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
			back := read(t, []byte(got))
			if back == nil || back.MessageID != n.MessageID || back.EnvelopeID != n.EnvelopeID {
				t.Fatalf("read back: %s", told(back))
			}
			if diff := cmp.Diff(n.Recipients, back.Recipients); diff != "" {
				t.Errorf("read back: %s", diff)
			}
			p, err := parse.Message(strings.NewReader(raw))
			if err != nil || !p.Auto {
				t.Errorf("not marked as written by a program: %v", err)
			}
		})
	}
}

// TestFieldsSayWhatTheyMay: types are those of what stands behind them (RFC 3464 2.3.1, 2.3.5, 2.3.6).
func TestFieldsSayWhatTheyMay(t *testing.T) {
	n := notice(
		Recipient{Final: "a@far.test", Original: "/c=us/o=x", OriginalType: "x400", Action: Failed, Status: "4.4.1", RemoteMTA: "mx2.far.test [127.0.1.2]", Diagnostic: "connect: refused", Own: true},
		Recipient{Final: "b@far.test", Original: "b@far.test", Action: Failed, Status: "5.1.1", RemoteMTA: "mx1.far.test [127.0.1.1]", Diagnostic: "550 5.1.1 gone"},
		Recipient{Final: "c@[192.0.2.1]", Action: Failed, Status: "5.1.1", RemoteMTA: "[192.0.2.1]", Diagnostic: "550 5.1.1 gone"},
		Recipient{Final: "d@far.test", Action: Failed, Status: "5.1.2"})
	var b bytes.Buffer
	if err := Write(&b, n); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.SplitSeq(b.String(), "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Original-Recipient", "Final-Recipient", "Remote-MTA", "Diagnostic-Code":
			got = append(got, line)
		}
	}
	want := []string{
		"Original-Recipient: x400; /c=us/o=x", "Final-Recipient: rfc822; a@far.test", "Remote-MTA: dns; mx2.far.test", "Diagnostic-Code: x-podmail; connect: refused",
		"Original-Recipient: rfc822; b@far.test", "Final-Recipient: rfc822; b@far.test", "Remote-MTA: dns; mx1.far.test", "Diagnostic-Code: smtp; 550 5.1.1 gone",
		"Final-Recipient: rfc822; c@[192.0.2.1]", "Remote-MTA: dns; [192.0.2.1]", "Diagnostic-Code: smtp; 550 5.1.1 gone",
		"Final-Recipient: rfc822; d@far.test",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if text := b.String(); !strings.Contains(text, "    connect: refused\r\n") || !strings.Contains(text, "    mx1.far.test [127.0.1.1] said: 550 5.1.1 gone\r\n") {
		t.Error(text)
	}
}

func TestWriteKeepsLinesApart(t *testing.T) {
	n := notice(Recipient{Final: "a@far.test", Action: Failed, Status: "5.0.0", Diagnostic: "550 no\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; b@far.test " + strings.Repeat("é", 3000)})
	var b bytes.Buffer
	if err := Write(&b, n); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(b.String(), "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	back := read(t, []byte(strings.ReplaceAll(b.String(), "\r\n", "\n")))
	if len(back.Recipients) != 1 || back.Recipients[0].Action != Failed {
		t.Errorf("%s", told(back))
	}
}

func TestWriteTellsOfErrors(t *testing.T) {
	n := notice(Recipient{Final: "a@far.test", Action: Failed, Status: "5.0.0"})
	n.Returned = iotest.ErrReader(errors.New("the disk is gone"))
	if err := Write(&bytes.Buffer{}, n); err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("%v", err)
	}
}

func TestXtext(t *testing.T) {
	for _, s := range []string{"", "plain", "a+b=c d", "jörg", "\x00"} {
		if got, ok := FromXtext(Xtext(s)); !ok || got != s {
			t.Errorf("%q: %q %v", s, got, ok)
		}
	}
	for _, bad := range []string{"+", "+4", "+GG", "a b", "a=b", "é"} {
		if got, ok := FromXtext(bad); ok {
			t.Errorf("%q: %q", bad, got)
		}
	}
	if got := fromUnitext(`j\x{F6}rg\x{zz}\x{`); got != `jörg\x{zz}\x{` {
		t.Error(got)
	}
}
