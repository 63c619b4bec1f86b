package parse_test

import (
	"strings"
	"testing"

	"podmail/mail/parse"
)

func TestReceivedIDs(t *testing.T) {
	header := strings.ReplaceAll(`Received: from a.example ([192.0.2.1])
	by MX.example with ESMTPS (TLS 1.3 id none)
	id one
	for <id@b.example>; Mon, 02 Mar 2026 10:00:00 +0000
Received: from mx.example by other.example with ESMTP id two; Mon, 02 Mar 2026 10:00:00 +0000
received : by mx.example id three
Received: by mx.example with ESMTP; Mon, 02 Mar 2026 10:00:00 +0000 id four
Received: id five by mx.example
Received: (by mx.example id six) by mx.example with id seven
Received: by
Received: by mx.example id
X-Received: by mx.example id eight
Subject: by mx.example id nine
`, "\n", "\r\n")
	if got := strings.Join(parse.ReceivedIDs([]byte(header), "mx.example"), " "); got != "one three seven" {
		t.Error(got)
	}
	if got := parse.ReceivedIDs([]byte(header), "mx.test"); got != nil {
		t.Error(got)
	}
}

func FuzzReceivedIDs(f *testing.F) {
	f.Add("Received: from x by mx.example (y) with ESMTP\r\n\tid one; now\r\n")
	f.Add("Received: by ((mx.example id\\) id by id")
	f.Fuzz(func(t *testing.T, header string) {
		for _, id := range parse.ReceivedIDs([]byte(header), "mx.example") {
			if id == "" || strings.ContainsAny(id, " \t\n;(") {
				t.Errorf("%q from %q", id, header)
			}
		}
	})
}
