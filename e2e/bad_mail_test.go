package e2e

import (
	"bytes"
	"fmt"
	"net/smtp"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// oddMessages are what a mail server meets in the world. Each must be delivered as it is.
func oddMessages() map[string]string {
	const header = "From: a@example.org\r\nTo: alice@podmail.localhost\r\nSubject: odd\r\n"
	multipart := func(boundary string) string {
		return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"" + boundary + "\"\r\n"
	}
	var parts, nested, forwarded strings.Builder
	parts.WriteString(header + multipart("b") + "\r\n")
	for i := range 1000 {
		fmt.Fprintf(&parts, "--b\r\nContent-Type: text/plain; name=\"%d.txt\"\r\nContent-Disposition: attachment\r\n\r\npart %d\r\n", i, i)
	}
	parts.WriteString("--b--\r\n")
	nested.WriteString(header)
	forwarded.WriteString(header)
	for i := range 100 {
		nested.WriteString(multipart(fmt.Sprint("b", i)) + "\r\n--" + fmt.Sprint("b", i) + "\r\n")
		forwarded.WriteString("Content-Type: message/rfc822\r\n\r\nSubject: inside " + fmt.Sprint(i) + "\r\n")
	}
	nested.WriteString("Content-Type: text/plain\r\n\r\ndeep\r\n")
	for i := range 100 {
		nested.WriteString("--" + fmt.Sprint("b", 99-i) + "--\r\n")
	}
	forwarded.WriteString("\r\ndeep\r\n")
	return map[string]string{
		"1,000 parts":                      parts.String(),
		"multiparts 100 deep":              nested.String(),
		"forwarded 100 times":              forwarded.String(),
		"Latin-1 in the header":            "From: \"J\xfcrgen\" <a@example.org>\r\nSubject: Gr\xfc\xdfe\r\nX-\xe4: \xe4\r\n\r\nx\r\n",
		"UTF-8 in the header":              "From: \"Jürgen\" <a@example.org>\r\nTo: Zoë <alice@podmail.localhost>\r\nSubject: Grüße 🎉\r\n\r\nGrüße\r\n",
		"8-bit body without a charset":     header + "\r\n\xff\xfe caf\xe9\r\n",
		"no Date":                          header + "Message-ID: <no-date@example.org>\r\n\r\nx\r\n",
		"an impossible Date":               header + "Date: Someday, 99 Foo 20x6 77:00 +9999\r\n\r\nx\r\n",
		"no Message-ID":                    header + "Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nx\r\n",
		"a broken Message-ID":              header + "Message-ID: <<a b>@@>\r\n\r\nx\r\n",
		"two Message-IDs":                  header + "Message-ID: <one@example.org>\r\nMessage-ID: <two@example.org>\r\n\r\nx\r\n",
		"two From fields":                  "From: a@example.org\r\nFrom: b@example.org\r\nSubject: two\r\n\r\nx\r\n",
		"no From":                          "Subject: nobody\r\n\r\nx\r\n",
		"a From that is no address":        "From: <<>, \"unclosed\r\nSubject: x\r\n\r\nx\r\n",
		"no header":                        "\r\njust a body\r\n",
		"no body":                          "Subject: header only\r\n",
		"a header line without a colon":    "Subject: x\r\nthis is no field\r\nTo: alice@podmail.localhost\r\n\r\nx\r\n",
		"a folded line first":              " folded\r\nSubject: x\r\n\r\nx\r\n",
		"a boundary that never closes":     header + multipart("b") + "\r\n--b\r\nContent-Type: text/plain\r\n\r\nopen",
		"a boundary that never comes":      header + multipart("b") + "\r\nnothing here\r\n",
		"a multipart without boundary":     header + "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx\r\n",
		"a Content-Type that is none":      header + "Content-Type: ;;;=\"\r\n\r\nx\r\n",
		"a charset that is none":           header + "Content-Type: text/plain; charset=x-martian\r\n\r\nx\r\n",
		"base64 that is none":              header + "Content-Transfer-Encoding: base64\r\n\r\n!!!!====x\r\n",
		"quoted-printable that is none":    header + "Content-Transfer-Encoding: quoted-printable\r\n\r\n=ZZ = =\r\n=",
		"encoded words that are none":      "From: =?utf-8?q?=ZZ?= <a@example.org>\r\nSubject: =?x?y?z?= =?utf-8?b?////?= =?utf-8?q?=C3?=\r\n\r\nx\r\n",
		"a line of 100,000 characters":     header + "\r\n" + strings.Repeat("x", 100_000) + "\r\n",
		"a header field of 100,000":        header + "X-Long: " + strings.Repeat("x ", 50_000) + "\r\n\r\nx\r\n",
		"HTML that never closes":           header + "Content-Type: text/html\r\n\r\n" + strings.Repeat("<div><table><b>", 5_000) + "x\r\n",
		"lines of dots":                    header + "\r\n.\r\n..\r\n. x\r\n",
		"the same Message-ID, one message": header + "Message-ID: <same@example.org>\r\n\r\none\r\n",
		"the same Message-ID, another":     header + "Message-ID: <same@example.org>\r\n\r\nanother\r\n",
	}
}

// TestOddMailIsDeliveredFaithfully: whatever the world sends is kept byte for byte, and every client can read it.
func TestOddMailIsDeliveredFaithfully(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)
	var alice Inbox
	admin.call("inboxes.create", &alice, arg{"username": "alice"})
	odd := oddMessages()
	for name, message := range odd {
		if err := smtp.SendMail(podmail.SMTP, nil, "bounces@example.org", []string{alice.InboxID}, []byte(message)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// imaplib has each of them, the same bytes under our trace fields.
	inbox := podmail.imaplib(alice.InboxID, podmail.Key, "INBOX")
	if len(inbox) != len(odd) {
		t.Errorf("%d messages for %d", len(inbox), len(odd))
	}
	for name, message := range odd {
		if !strings.HasSuffix(message, "\r\n") {
			message += "\r\n" // as SMTP has it (RFC 5321 4.1.1.4)
		}
		if !slices.ContainsFunc(inbox, func(f Fetched) bool { return isFaithful(f.Raw, message) }) {
			t.Errorf("%s: not in the inbox as it was sent", name)
		}
	}

	// The SDK lists and reads each of them, and downloads the same bytes.
	var list struct {
		Count    int
		Messages []Message
	}
	admin.call("inboxes.messages.list", &list, alice.InboxID, arg{"limit": 100})
	seen := map[string]bool{}
	for _, m := range list.Messages {
		admin.call("inboxes.messages.get", nil, alice.InboxID, m.MessageID)
		admin.call("threads.get", nil, m.ThreadID)
		raw := admin.raw(alice.InboxID, m.MessageID)
		if !slices.ContainsFunc(inbox, func(f Fetched) bool { return bytes.Equal(f.Raw, raw) }) {
			t.Errorf("%s differs between API and IMAP:\n%.1000s", m.MessageID, raw)
		}
		if seen[m.MessageID] {
			t.Errorf("two messages are called %s", m.MessageID)
		}
		seen[m.MessageID] = true
	}
	if len(list.Messages) != len(odd) {
		t.Errorf("the API lists %d messages of %d", len(list.Messages), len(odd))
	}

	// A Go client parses the envelope and the structure of each.
	c := podmail.goIMAP(alice.InboxID, podmail.Key, nil)
	all := imap.UIDSet{imap.UIDRange{Start: 1, Stop: 0}}
	fetched, err := c.Fetch(all, &imap.FetchOptions{Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, RFC822Size: true}).Collect()
	if err != nil || len(fetched) != len(odd) {
		t.Errorf("FETCH of envelope and structure: %d messages, %v", len(fetched), err)
	}
}

// isFaithful wants the message's own bytes at the end, and nothing but trace fields before them.
func isFaithful(raw []byte, message string) bool {
	trace, found := strings.CutSuffix(string(raw), message)
	return found && strings.HasPrefix(trace, "Return-Path: <bounces@example.org>\r\n") && strings.Count(trace, "\r\nReceived: ") == 1
}
