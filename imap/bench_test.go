package imap_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The benchmarks of this file measure the door against the budgets of the design (section 9). They run by
// `go test -bench . ./imap`; ns/op is of one message, flag change or delivery.

const mailboxSize = 2000

func filled(b *testing.B) *wireClient {
	b.Helper()
	d := open(b)
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 10*1024/78)
	for i := range mailboxSize {
		d.Deliver(b, alice, fmt.Sprintf("From: Bob <bob@example.com>\r\nTo: alice@podmail.test\r\nSubject: Message %d\r\nDate: Fri, 2 Jan 2026 03:00:00 +0000\r\nMessage-ID: <%d@example.com>\r\n\r\n%s", i, i, body))
	}
	c := d.login(b)
	c.ask("a SELECT INBOX")
	c.r = bufio.NewReaderSize(c.Conn, 256*1024)
	return c
}

// drain reads up to the tagged response, stepping over literals.
func (c *wireClient) drain(tag string) int {
	n := 0
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if bytes.HasPrefix(line, []byte(tag+" ")) {
			return n
		}
		if bytes.HasSuffix(line, []byte("}\r\n")) {
			n++
			size, _ := strconv.Atoi(string(line[bytes.LastIndexByte(line, '{')+1 : len(line)-3]))
			_, _ = io.CopyN(io.Discard, c.r, int64(size))
		} else if bytes.HasPrefix(line, []byte("* ")) {
			n++
		}
	}
}

func benchmarkFetch(b *testing.B, items string) {
	c := filled(b)
	b.ResetTimer()
	n := 0
	began := time.Now()
	for n < b.N {
		c.send("a FETCH 1:* %s\r\n", items)
		n += c.drain("a")
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "msg/s")
}

func BenchmarkFetchWhole(b *testing.B)     { benchmarkFetch(b, "BODY.PEEK[]") }
func BenchmarkFetchEnvelopes(b *testing.B) { benchmarkFetch(b, "(UID FLAGS ENVELOPE)") }
func BenchmarkFetchHeaders(b *testing.B) {
	benchmarkFetch(b, "(UID BODY.PEEK[HEADER.FIELDS (From Subject)])")
}

func BenchmarkStore(b *testing.B) {
	c := filled(b)
	b.ResetTimer()
	for i := range b.N {
		op := "+"
		if i/mailboxSize%2 == 1 {
			op = "-"
		}
		c.send("a STORE %d %sFLAGS (\\Seen)\r\n", i%mailboxSize+1, op)
		c.drain("a")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "store/s")
}

func BenchmarkAppend(b *testing.B) {
	d := open(b)
	c := d.login(b)
	message := "Subject: x\r\n\r\n" + strings.Repeat("y", 10*1024)
	for b.Loop() {
		c.send("a APPEND INBOX {%d}\r\n", len(message))
		c.line()
		c.send("%s\r\n", message)
		c.drain("a")
	}
}

// BenchmarkIdle is the time from a delivery's commit to the moment that the last of 20 idle sessions has heard of it.
func BenchmarkIdle(b *testing.B) {
	d := open(b)
	var clients []*wireClient
	for range 20 {
		c := d.login(b)
		c.ask("a SELECT INBOX")
		c.send("b IDLE\r\n")
		c.line()
		clients = append(clients, c)
	}
	var all []time.Duration
	for b.Loop() {
		d.Deliver(b, alice, messages["plain"])
		began := time.Now()
		for _, c := range clients {
			c.line()
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdleMemory is what an idle session costs: heap and stacks, and the process as the system sees it.
func BenchmarkIdleMemory(b *testing.B) {
	d := open(b)
	d.Deliver(b, alice, messages["plain"])
	const n = 500
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	rss := resident()
	for range n {
		c := d.login(b)
		c.ask("a SELECT INBOX")
		c.send("b IDLE\r\n")
		c.line()
		c.r = nil // the client's own buffer is not what is measured
	}
	time.Sleep(100 * time.Millisecond)
	for range 6 { // a stack shrinks by half at each collection
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	for b.Loop() {
		runtime.Gosched()
	}
	b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/n/1024, "heap-KB/conn")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n/1024, "stack-KB/conn")
	b.ReportMetric(float64(resident()-rss)/n, "rss-KB/conn")
}

// resident is the process's memory in KB.
func resident() int {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	return 0
}
