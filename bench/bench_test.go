package main

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred durations
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, c := range []struct {
		of   durations
		p    float64
		want time.Duration
	}{{nil, 99, 0}, {durations{7}, 50, 7}, {durations{7}, 99, 7}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred, 99.5, 100}, {hundred, 0, 1}} {
		if got := c.of.percentile(c.p); got != c.want {
			t.Errorf("percentile %v of %d samples = %d, want %d", c.p, len(c.of), got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{3, 1}, 2}, {[]float64{9, 1, 2}, 2}} {
		if got := median(c.of); got != c.want {
			t.Errorf("median of %v = %v, want %v", c.of, got, c.want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for line, want := range map[string]int{
		"* 1 FETCH (BODY[] {10240}": 10240, "* 1 FETCH (BODY[] {0}": 0,
		"* 1 FETCH (FLAGS ())": -1, "": -1, "}": -1, "{x}": -1, "{-1}": -1, "a {5} b": -1,
	} {
		got, ok := literal([]byte(line))
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("literal(%q) = %d, want %d", line, got, want)
		}
	}
}

func TestUntagged(t *testing.T) {
	for line, want := range map[string]struct {
		n    int
		name string
		ok   bool
	}{
		"* 12 EXISTS":           {12, "EXISTS", true},
		"* 3 FETCH (FLAGS ())":  {3, "FETCH", true},
		"* OK still here":       {},
		"* STATUS x (MESSAGES)": {},
		"a1 OK done":            {},
		"*":                     {},
	} {
		if n, name, ok := untagged([]byte(line)); n != want.n || name != want.name || ok != want.ok {
			t.Errorf("untagged(%q) = %d, %q, %v, want %v", line, n, name, ok, want)
		}
	}
}

func TestReplyLine(t *testing.T) {
	for line, want := range map[string]struct {
		code int
		last bool
		bad  bool
	}{"250 ok\r\n": {250, true, false}, "250-SIZE\r\n": {250, false, false}, "354\r\n": {354, true, false}, "x": {0, false, true}, "abc d": {0, false, true}} {
		if code, last, err := replyLine(line); (err != nil) != want.bad || err == nil && (code != want.code || last != want.last) {
			t.Errorf("replyLine(%q) = %d, %v, %v, want %v", line, code, last, err, want)
		}
	}
}

// A process may call itself anything.
const oddStat = `42 (a) b) (c) S 7 1 1 0 -1 4194560 1 2 3 4 100 50 25 25 20 0 1 0 9 9 9`

func TestProc(t *testing.T) {
	if parent, ok := parentOf(oddStat); !ok || parent != 7 {
		t.Errorf("parent %d, %v", parent, ok)
	}
	if used := parseCPU(oddStat); used != 2*time.Second {
		t.Errorf("CPU time %s", used)
	}
	if n, err := parseField([]byte("VmPeak:\t 1 kB\nVmRSS:\t   2048 kB\n"), "VmRSS:"); n != 2<<20 || err != nil {
		t.Errorf("resident %d, %v", n, err)
	}
	if _, err := parseField([]byte("VmPeak: 1 kB\n"), "VmRSS:"); err == nil {
		t.Error("a field that is not there was read")
	}
}

func TestMessagesAreAsLargeAsTheyShould(t *testing.T) {
	m := newMessages()
	for range 3 {
		header, body := m.make("inbox-20@podmail.localhost")
		if n := len(header) + len(body); n < messageSize*97/100 || n > messageSize*103/100 {
			t.Errorf("%d bytes", n)
		}
		for line := range bytes.Lines(body) {
			if !bytes.HasSuffix(line, []byte("\r\n")) || bytes.HasPrefix(line, []byte(".")) || len(line) > 1000 {
				t.Fatalf("line %q cannot be sent as it is", line)
			}
		}
	}
}

func TestTailHash(t *testing.T) {
	h := newTailHash(10, 4)
	for _, piece := range []string{"01", "23456", "7", "89"} {
		if n, err := h.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := sha256.Sum256([]byte("6789")); !bytes.Equal(h.Sum(nil), want[:]) {
		t.Error("not the hash of the last four bytes")
	}
}

func TestShare(t *testing.T) {
	sum := 0
	for i := range 7 {
		sum += share(100, 7, i)
	}
	if sum != 100 {
		t.Errorf("7 shares of 100 make %d", sum)
	}
}

func TestVerdict(t *testing.T) {
	rate := row{limit: 2000, times: 5}
	latency := row{limit: 60, lower: true}
	for _, c := range []struct {
		row        row
		ours, peer float64
		compared   bool
		want       string
	}{
		{rate, 2000, 400, true, "met (5×)"},
		{rate, 2000, 500, true, "MISSED (4×)"},
		{rate, 1999, 100, true, "MISSED (20.0×)"},
		{rate, 2000, 0, false, "met"},
		{latency, 59, 118, true, "met (2×)"},
		{latency, 60, 0, false, "MISSED"},
		{row{}, 1, 0, false, ""},
	} {
		if got := c.row.verdict(figure{Value: c.ours}, figure{Value: c.peer}, c.compared); got != c.want {
			t.Errorf("%v beside %v: %q, want %q", c.ours, c.peer, got, c.want)
		}
	}
}

func TestEveryRowHasItsOwnFigure(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.id] {
			t.Errorf("two rows for %s", r.id)
		}
		seen[r.id] = true
	}
}
