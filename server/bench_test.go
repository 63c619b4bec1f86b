package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"podmail/mail"
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

// BenchmarkSend is what limits cost a message that they let through.
func BenchmarkSend(b *testing.B) {
	most := mail.Rate{PerHour: 1 << 40, PerDay: 1 << 40}
	for name, limits := range map[string]server.SendingLimits{"unlimited": {}, "limited": {Inbox: most, Pod: most, Organization: most}} {
		b.Run(name, func(b *testing.B) {
			w := servertest.New(b, func(o *server.Options) { o.Sending = limits })
			alice := w.Inbox(b, w.Org, "alice")
			b.SetParallelism(10)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := w.Server.Send(context.Background(), alice, server.SendRequest{To: []string{"x@elsewhere.test"}, Subject: "Hello", Text: str("Hi.")}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkLocalSend is a message of 10 KiB from one inbox of ours to another, without the socket, until it has arrived:
// two stored messages and a row of the queue between them.
func BenchmarkLocalSend(b *testing.B) {
	ctx := context.Background()
	w := servertest.New(b)
	alice := w.Inbox(b, w.Org, "alice")
	w.Inbox(b, w.Org, "bob")
	text := strings.Repeat(strings.Repeat("x", 70)+"\n", 10<<10/71)
	b.SetParallelism(10)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := w.Server.Send(ctx, alice, server.SendRequest{To: []string{"bob@podmail.test"}, Subject: "hello there", Text: &text}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for waiting := []mail.Delivery{{}}; len(waiting) > 0; time.Sleep(5 * time.Millisecond) {
		var err error
		if waiting, _, err = w.Server.ListDeliveries(ctx, alice, mail.Page{Limit: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStoreLabels is IMAP's STORE of one flag of one message, without the socket.
func BenchmarkStoreLabels(b *testing.B) {
	ctx := context.Background()
	w := servertest.New(b)
	alice := w.Inbox(b, w.Org, "alice")
	const messages = 200
	for range messages {
		w.Deliver(b, "alice@podmail.test", "From: Sender <s@example.org>\r\nTo: alice@podmail.test\r\nSubject: hello there\r\n\r\nHello\r\n")
	}
	inbox, err := w.Server.SelectMailbox(ctx, alice, "INBOX")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		uid, change := inbox.UIDs[i%messages], mail.LabelChange{Add: []string{mail.LabelStarred}}
		if i/messages%2 == 1 {
			change = mail.LabelChange{Remove: []string{mail.LabelStarred}}
		}
		if _, err := w.Server.StoreLabels(ctx, alice, inbox.Mailbox.ID, []mail.UIDRange{{First: uid, Last: uid}}, change); err != nil {
			b.Fatal(err)
		}
	}
}
