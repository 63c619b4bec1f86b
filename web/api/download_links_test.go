package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"podmail/server"
	"podmail/web"
)

// link asks for a download_url and returns it as a path of the door.
func (d *door) link(t testing.TB, key, path string) string {
	t.Helper()
	u, err := url.Parse(d.call(t, key, "GET", path, "").get(t, "download_url"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

func TestDownloads(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alpha")
	raw := d.link(t, n.inboxKey, fill(t, "/v0/inboxes/:inbox_id/messages/:message_id/raw", n.ids))
	file := d.link(t, n.inboxKey, fill(t, "/v0/inboxes/:inbox_id/messages/:message_id/attachments/:attachment_id", n.ids))
	whole := d.call(t, "", "GET", raw, "")
	if whole.status != 200 || !strings.Contains(whole.body, "Message-ID: <alpha@example.org>\r\n") || whole.header.Get("Content-Type") != "message/rfc822" {
		t.Error(whole)
	}
	got := d.call(t, "", "GET", file, "")
	if got.status != 200 || got.body != "hello,world\n" {
		t.Error(got)
	}
	for name, want := range map[string]string{"Content-Type": "text/csv", "Content-Disposition": `attachment; filename="alpha.csv"; filename*=UTF-8''alpha.csv`,
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'", "Content-Length": "12", "Accept-Ranges": "bytes"} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
	for _, tc := range []struct {
		method, path, ranges string
		status               int
		body                 string
	}{
		{"GET", file, "bytes=6-10", 206, "world"},
		{"GET", file, "bytes=-6", 206, "world\n"},
		{"GET", file, "bytes=0-0,6-6", 200, "hello,world\n"}, // several at once are not served in parts
		{"GET", file, "bytes=99-", 416, ""},
		{"GET", raw, "bytes=0-7", 206, whole.body[:8]},
		{"HEAD", file, "", 200, ""},
		{"GET", file + "x", "", 403, ""},
		{"GET", strings.Replace(file, "/downloads/", "/downloads/x", 1), "", 403, ""},
		{"GET", "/downloads/none", "", 403, ""},
		{"GET", "/downloads/", "", 404, ""},
		{"HEAD", "/downloads/none", "", 403, ""},
		{"POST", file, "", 405, ""},
	} {
		r, err := http.NewRequest(tc.method, d.origin+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.ranges != "" {
			r.Header.Set("Range", tc.ranges)
		}
		if got := d.do(t, r); got.status != tc.status || got.status < 400 && got.body != tc.body {
			t.Errorf("%s %s %s: %v", tc.method, tc.path, tc.ranges, got)
		}
	}
	d.Clock.Step(2 * time.Hour)
	expired := d.call(t, "", "GET", file, "")
	if expired.status != 403 || expired.get(t, "code") != "forbidden" {
		t.Error(expired)
	}
	if strings.Contains(d.log.String(), strings.TrimPrefix(file, "/downloads/")) {
		t.Error("a token is in the log")
	}
}

// bigMessage delivers size bytes of base64 and returns a link to its raw form, its length and its digest.
func bigMessage(t *testing.T, d *door, n *tenant, size int) (path string, length int64, digest [32]byte) {
	t.Helper()
	line := []byte(strings.Repeat("QUJDREVG", 9) + "\r\n")
	header := "From: a@example.org\r\nTo: " + n.inbox.InboxID + "\r\nMessage-ID: <big@example.org>\r\nContent-Type: application/x-big; name=b\r\n" +
		"Content-Disposition: attachment; filename=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	body := io.MultiReader(strings.NewReader(header), io.LimitReader(&repeated{line: line}, int64(size/len(line)*len(line))))
	err := d.Server.Deliver(context.Background(), server.Incoming{ReversePath: "a@example.org", Recipients: []string{n.inbox.InboxID}, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	path = d.link(t, n.inboxKey, "/v0/inboxes/"+n.inbox.InboxID+"/messages/big@example.org/raw")
	resp, err := http.Get(d.origin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha256.New()
	length, err = io.Copy(sum, resp.Body)
	if err != nil || length < int64(size)*9/10 || length != resp.ContentLength {
		t.Fatal(length, resp.ContentLength, err)
	}
	return path, length, [32]byte(sum.Sum(nil))
}

type repeated struct {
	line []byte
	at   int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.line[r.at:])
		n, r.at = n+m, (r.at+m)%len(r.line)
	}
	return n, nil
}

// TestBigDownloadKeepsMemoryFlat fetches 50 MB several times at once.
func TestBigDownloadKeepsMemoryFlat(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alpha")
	path, length, digest := bigMessage(t, d, n, 50<<20)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, stop := make(chan uint64), make(chan bool)
	go func() {
		var most uint64
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapInuse)
			}
		}
	}()
	done := make(chan error)
	for range 2 {
		go func() {
			resp, err := http.Get(d.origin + path)
			if err == nil {
				sum := sha256.New()
				var got int64
				got, err = io.Copy(sum, resp.Body)
				resp.Body.Close()
				if err == nil && (got != length || !bytes.Equal(sum.Sum(nil), digest[:])) {
					err = io.ErrUnexpectedEOF
				}
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if most := <-peak; most > before.HeapInuse+24<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before.HeapInuse, most)
	}
}

// TestSlowDownloads: a peer that takes a little at a time gets all of it, though it takes longer than any request may
// take to arrive; one that stops is let go.
func TestSlowDownloads(t *testing.T) {
	d := openDoor(t, web.Limits{StallTimeout: 400 * time.Millisecond, BodyTimeout: 100 * time.Millisecond})
	n := d.tenantNamed(t, "alpha")
	path, length, digest := bigMessage(t, d, n, 12<<20)
	fetch := func(pauses int, pause time.Duration) (int64, [32]byte) {
		c, err := net.Dial("tcp", strings.TrimPrefix(d.origin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.0\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		got, body, b := int64(0), false, make([]byte, 1<<20)
		for {
			m, err := io.ReadAtLeast(c, b, len(b))
			chunk := b[:m]
			if !body {
				_, chunk, body = bytes.Cut(chunk, []byte("\r\n\r\n"))
			}
			sum.Write(chunk)
			got += int64(len(chunk))
			if err != nil {
				return got, [32]byte(sum.Sum(nil))
			}
			if pauses--; pauses >= 0 {
				time.Sleep(pause)
			}
		}
	}
	start := time.Now()
	if got, sum := fetch(100, 150*time.Millisecond); got != length || sum != digest {
		t.Errorf("the slow peer got %d of %d bytes", got, length)
	}
	if took := time.Since(start); took < time.Second {
		t.Fatal("that was not slow:", took)
	}
	if got, _ := fetch(1, 1500*time.Millisecond); got == length {
		t.Error("the dead peer was waited for")
	}
}
