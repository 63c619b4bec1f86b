package receive_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"podmail/mail"
	"podmail/smtp/receive"
)

// broken counts sessions that panicked.
type broken struct {
	slog.Handler
	n *atomic.Int64
}

// Handle implements slog.Handler.
func (b broken) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "smtp session broke" {
		b.n.Add(1)
	}
	return nil
}

// Enabled implements slog.Handler.
func (b broken) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (b broken) WithAttrs([]slog.Attr) slog.Handler { return b }

// FuzzSession sends bytes, to the MX after a good beginning and to the submission listener from its greeting on. Whatever
// they are, the server answers and hangs up or not, no session breaks, and every message in an inbox was acknowledged.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n",
		"DATA\r\nSubject: x\r\n\r\nhello\n.\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@podmail.test>\r\nDATA\r\n\r\n.\r\n",
		"BDAT 5\r\nhelloBDAT 3 LAST\r\nyou",
		"BDAT 99999 LAST\r\nx\r\n.\r\nQUIT\r\n",
		"BDAT 2\r\nxyNOOP\r\nBDAT 0\r\nRSET\r\nBDAT 1 LAST\r\nx",
		"RSET\r\nMAIL FROM:<> SIZE=1 BODY=8BITMIME\r\nRCPT TO:<\"a b\"@c>\r\nAUTH PLAIN =\r\n",
		"STARTTLS\r\nEHLO x\r\n",
	} {
		f.Add(s, false)
	}
	for _, s := range []string{
		"EHLO x\r\nAUTH PLAIN AGFsaWNlQHBvZG1haWwudGVzdAB4\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\n",
		"EHLO x\r\nAUTH SCRAM-SHA-256 biwsbj11c2VyLHI9eA==\r\nYz1iaXdzLHI9eCxwPQ==\r\n*\r\n",
		"EHLO x\r\nMAIL FROM:<alice@podmail.test> RET=FULL ENVID=a+2B HOLDFOR=1 SMTPUTF8\r\nRCPT TO:<a@b> NOTIFY=NEVER ORCPT=rfc822;a\r\n",
		"HELO x\r\nVRFY x\r\nHELP\r\n\r\n\n\r\x00",
	} {
		f.Add(s, true)
	}
	var sessions atomic.Int64
	d := open(f, receive.Options{TLSConfig: certificate(f), Log: slog.New(broken{n: &sessions})})
	count := func(t *testing.T) int { return len(d.inbox(t, d.alice)) + len(d.inbox(t, d.bob)) }
	f.Fuzz(func(t *testing.T, bytes string, submission bool) {
		before := count(t)
		address := d.mx
		if submission {
			address = d.submission
		}
		p := dial(t, address)
		if !submission {
			p.to("alice@podmail.test")
		}
		p.send(bytes)
		p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		answers, _ := io.ReadAll(p.r) // until the server hangs up
		acknowledged := strings.Count(string(answers), "250 2.0.0 OK: queued as ")
		if got := count(t) - before; got > 2*acknowledged { // one may go to both
			t.Fatalf("%d messages are in the inboxes, %d were acknowledged: %q", got, acknowledged, answers)
		}
		if sessions.Load() > 0 {
			t.Fatal("the session broke")
		}
		if before > 800 {
			empty(t, d)
		}
	})
}

// empty removes all mail, so that counting stays cheap.
func empty(t *testing.T, d *door) {
	for _, g := range []mail.Grant{d.alice, d.bob} {
		threads, _, err := d.Server.ListThreads(t.Context(), g, mail.MessageFilter{}, mail.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, th := range threads {
			if err := d.Server.DeleteThread(t.Context(), g, th.ThreadID); err != nil {
				t.Fatal(err)
			}
		}
	}
}
