package api_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"podmail/web"
)

// hammer calls do b.N times from many clients at once and reports the rate and the 99th percentile.
func hammer(b *testing.B, clients int, do func(c *http.Client, i int64)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([]time.Duration, b.N)
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer c.CloseIdleConnections()
	b.ResetTimer()
	for range clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				start := time.Now()
				do(c, i)
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
}

func (d *door) post(b *testing.B, c *http.Client, key, method, path, body string) {
	r, err := http.NewRequest(method, d.origin+path, strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	r.Header.Set("Authorization", "Bearer "+key)
	resp, err := c.Do(r)
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode >= 300 {
		b.Error(resp.Status, n, err)
	}
}

func BenchmarkCreateInbox(b *testing.B) {
	d := openDoor(b, web.Limits{})
	key := d.Key(b, d.Org)
	hammer(b, 50, func(c *http.Client, i int64) { d.post(b, c, key, "POST", "/v0/inboxes", `{"display_name":"Bench"}`) })
}

func BenchmarkSend(b *testing.B) {
	d := openDoor(b, web.Limits{})
	key := d.Key(b, d.Org)
	from := d.Inbox(b, d.Org, "bench")
	body := `{"to":"someone@elsewhere.test","subject":"Bench","text":"` + strings.Repeat("0123456789 ", 900) + `"}`
	hammer(b, 50, func(c *http.Client, i int64) {
		d.post(b, c, key, "POST", "/v0/inboxes/"+from.InboxID+"/messages/send", body)
	})
}

func BenchmarkListThreads(b *testing.B) {
	d := openDoor(b, web.Limits{})
	key := d.Key(b, d.Org)
	to := d.Inbox(b, d.Org, "bench")
	for i := range 2000 {
		d.Deliver(b, to.InboxID, fmt.Sprintf("From: a%d@example.org\nTo: %s\nSubject: s %d\nMessage-ID: <%d@example.org>\n\nhello\n", i, to.InboxID, i, i))
	}
	hammer(b, 2, func(c *http.Client, i int64) { d.post(b, c, key, "GET", "/v0/threads?limit=100", "") })
}

func BenchmarkMe(b *testing.B) {
	d := openDoor(b, web.Limits{})
	key := d.Key(b, d.Org)
	hammer(b, 8, func(c *http.Client, i int64) { d.post(b, c, key, "GET", "/v0/auth/me", "") })
}
