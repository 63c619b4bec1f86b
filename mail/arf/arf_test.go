package arf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"podmail/mail/parse"
)

func read(t *testing.T, raw []byte) *Report {
	t.Helper()
	p, err := parse.Message(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(p, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func told(c *Report) string {
	if c == nil {
		return "none"
	}
	return fmt.Sprintf("%s %v by %s at %s from %v: %s %v of %s %s %d", c.FeedbackType, c.Complaint(), c.UserAgent, c.ReportedBy, c.Source, c.Sender, c.Recipients, c.MessageID,
		c.Incidents, c.Arrival.Unix())
}

func TestRead(t *testing.T) {
	for name, want := range map[string]string{
		"abuse":          "abuse true by Reporter/1.0 at mail.provider.test from 192.0.2.1: agent@sender.test [user@provider.test other@provider.test] of <order-1@sender.test>  1795608000",
		"headers-base64": "opt-out true by R/2 at  from invalid IP:  [] of <order-2@sender.test>  -62135596800",
		"auth-failure":   "auth-failure false by Reporter/1.0 at  from 2001:db8::1:  [] of  3 -62135596800",
	} {
		raw, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range [][]byte{raw, bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))} {
			if got := told(read(t, form)); got != want {
				t.Errorf("%s:\n got %s\nwant %s", name, got, want)
			}
		}
	}
}

func TestNoReport(t *testing.T) {
	for name, raw := range map[string]string{
		"plain":     "Subject: hi\n\nFeedback-Type: abuse\n",
		"no type":   "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nVersion: 1\n--b--\n",
		"forwarded": "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/report; boundary=c\n\n--c\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--c--\n--b--\n",
	} {
		if c := read(t, []byte(raw)); c != nil {
			t.Errorf("%s: %s", name, told(c))
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
		c := read(t, raw)
		if c == nil {
			return
		}
		if c.FeedbackType == "" || len(c.FeedbackType) > maxField+16 || len(c.Recipients) > maxRecipients || len(c.Header) > maxHeader || strings.ContainsAny(c.MessageID, "\r\n") {
			t.Errorf("%s", told(c))
		}
	})
}
