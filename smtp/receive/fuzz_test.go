package receive_test

import (
	"io"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/smtp/receive"
)

// FuzzSession sends bytes after a good beginning. Whatever they are, the server answers and hangs up or not, and every
// message in an inbox was acknowledged.
func FuzzSession(f *testing.F) {
	f.Add("DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n")
	f.Add("DATA\r\nSubject: x\r\n\r\nhello\n.\nMAIL FROM:<a@b>\r\nRCPT TO:<bob@podmail.test>\r\nDATA\r\n\r\n.\r\n")
	f.Add("BDAT 5\r\nhelloBDAT 3 LAST\r\nyou")
	f.Add("BDAT 99999 LAST\r\nx\r\n.\r\nQUIT\r\n")
	f.Add("RSET\r\nMAIL FROM:<> SIZE=1 BODY=8BITMIME\r\nRCPT TO:<\"a b\"@c>\r\nAUTH PLAIN =\r\n")
	d := open(f, receive.Options{})
	count := func(t *testing.T) int { return len(d.inbox(t, d.alice)) + len(d.inbox(t, d.bob)) }
	f.Fuzz(func(t *testing.T, bytes string) {
		before := count(t)
		p := dial(t, d.mx)
		p.to("alice@podmail.test")
		p.send(bytes)
		p.Conn.(interface{ CloseWrite() error }).CloseWrite()
		answers, _ := io.ReadAll(p.r) // until the server hangs up
		acknowledged := strings.Count(string(answers), "250 2.0.0 OK: queued as ")
		if got := count(t) - before; got > 2*acknowledged { // one may go to both
			t.Fatalf("%d messages are in the inboxes, %d were acknowledged: %q", got, acknowledged, answers)
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
