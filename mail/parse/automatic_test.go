package parse

import (
	"strings"
	"testing"
)

func TestWhatAProgramWroteIsKnown(t *testing.T) {
	for header, want := range map[string]bool{
		"Subject: hi":                                    false,
		"Auto-Submitted: auto-generated":                 true,
		"Auto-Submitted: Auto-Replied (vacation)":        true,
		`Auto-Submitted: auto-notified; owner-email="a"`: true,
		"Auto-Submitted: (hi)\n auto-generated":          true,
		"Auto-Submitted: novelty":                        true,
		"Auto-Submitted: no":                             false,
		"Auto-Submitted: (hi) no":                        false,
		"Auto-Submitted: NO (really; I \\) did); x=y":    false,
		"Auto-Submitted:":                                false,
		"Precedence: bulk":                               true,
		"Precedence: (x) List":                           true,
		"Precedence: junk (y)":                           true,
		"Precedence: auto_reply":                         true,
		"Precedence: auto-reply":                         true,
		"Precedence: first-class":                        false,
		"Precedence: special-delivery":                   false,
		"X-Autoreply: yes":                               true,
		"X-Autoreply: no":                                false,
		"X-Autorespond: Out of office":                   true,
		"X-Autorespond: (x) no":                          false,
		"X-Auto-Response-Suppress: DR, OOF, AutoReply":   true,
		"X-Auto-Response-Suppress: None":                 false,
		"List-Id: Talk <talk.lists.test>":                true,
		"List-Unsubscribe: <https://lists.test/u>":       true,
		"List-Post: NO":                                  true,
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b":         true,
		"Content-Type: multipart/report; report-type=disposition-notification;boundary=b": true,
		"Content-Type: (a) Multipart/Report ;\n boundary=b":                               true,
		"Content-Type: multipart/mixed; boundary=b; x=\"multipart/report\"":               false,
		"Content-Type: text/plain\nAuto-Submitted: no\nPrecedence: bulk":                  true,
	} {
		raw := strings.ReplaceAll(header+"\nFrom: a@b.test\n\nhello\n", "\n", "\r\n")
		p, err := Message(strings.NewReader(raw))
		if err != nil || p.Auto != want {
			t.Errorf("%q: %v, %v", header, p.Auto, err)
		}
	}
	raw := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nAuto-Submitted: auto-generated\r\n\r\nhello\r\n--b\r\n" +
		"Content-Type: multipart/report; boundary=c\r\n\r\n--c--\r\n--b--\r\n"
	if p, err := Message(strings.NewReader(raw)); err != nil || p.Auto {
		t.Errorf("what is within it: %v, %v", p.Auto, err)
	}
}
