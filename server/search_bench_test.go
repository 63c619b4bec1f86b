package server_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"podmail/server"
	"podmail/server/servertest"
)

// BenchmarkSearch searches an inbox of PODMAIL_SEARCHED messages (2,000 if it is not set; 100,000 is what the budget
// speaks of, and takes some minutes to fill).
func BenchmarkSearch(b *testing.B) {
	ctx := context.Background()
	n, err := strconv.Atoi(os.Getenv("PODMAIL_SEARCHED"))
	if err != nil {
		n = 2000
	}
	w := servertest.New(b)
	g := w.Inbox(b, w.Org, "alice")
	for i := range n {
		filler := "an ordinary text with a few words that all have and "
		for k := range 500 {
			filler += fmt.Sprintf("word%d ", (i*7919+k*k)%20000)
		}
		w.Deliver(b, "alice@podmail.test", fmt.Sprintf("From: Writer %d <writer%d@example.org>\nTo: alice@podmail.test\nSubject: Report %d of the day\nMessage-ID: <%d@example.org>\n\nrare%d %s\n",
			i%1000, i%1000, i, i, i%5000, filler))
	}
	for {
		if _, _, err := w.Server.SearchMessages(ctx, g, server.SearchRequest{Query: "warm up", Limit: 1}); err == nil {
			break
		}
	}
	for name, query := range map[string]string{"rare word": "rare77", "rare address": "writer77@", "every subject": "report", "every body": "ordinary", "nothing": "xylophone", "two letters": "zq"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := w.Server.SearchMessages(ctx, g, server.SearchRequest{Query: query, Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
