package server_test

import (
	"context"
	"strings"
	"testing"

	"podmail/server"
	"podmail/server/servertest"
)

// BenchmarkDeliver is the hot path of mail coming in, without the socket: 20 peers, 10 KiB.
func BenchmarkDeliver(b *testing.B) {
	ctx := context.Background()
	w := servertest.New(b)
	w.Inbox(b, w.Org, "alice")
	body := strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10<<10/72)
	raw := "From: Sender <s@example.org>\r\nTo: alice@podmail.test\r\nSubject: hello there\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\n\r\n" + body
	b.SetParallelism(10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := w.Server.Deliver(ctx, server.Incoming{ReversePath: "s@example.org", Recipients: []string{"alice@podmail.test"},
				Session: server.Session{HELO: "mail.example.org", Protocol: "ESMTP"}, Body: strings.NewReader(raw)})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
