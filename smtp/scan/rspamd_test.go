package scan_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/scan"
)

// rspamd starts Debian's rspamd without rules of its own and returns its worker's address.
func rspamd(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	conf := filepath.Join(dir, "rspamd.conf")
	text := fmt.Sprintf(`options { pidfile = "%[1]s/pid"; tempdir = "%[1]s"; filters = ""; enable_test_patterns = true; dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; } }
logging { type = "console"; }
worker "normal" { bind_socket = "%[2]s"; count = 1; }
metric { name = "default"; actions { reject = 15; add_header = 6; greylist = 4; } }
`, dir, address)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/usr/bin/rspamd", "-f", "--insecure", "-u", "root", "-c", conf)
	if err := c.Start(); err != nil {
		t.Fatalf("%v (.ci/tools installs it)", err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	})
	for range 600 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("rspamd does not answer")
	return ""
}

func opinion(t *testing.T, r *scan.Rspamd, message string) mail.FilterResult {
	t.Helper()
	o := r.Begin(t.Context(), scan.Sender{Remote: netip.MustParseAddr("192.0.2.1"), HELO: "mail.example.org", ReversePath: "joe@example.org", Recipients: []string{"alice@podmail.test", "bob@podmail.test"}})
	defer o.Close()
	for piece := range strings.SplitAfterSeq(message, "\n") {
		if n, err := o.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatal(n, err)
		}
	}
	return o.Finish()
}

func TestRspamd(t *testing.T) {
	r := scan.NewRspamd(rspamd(t))
	const head, gtube = "From: a@b.example\r\nSubject: x\r\n\r\n", "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
	for body, action := range map[string]string{"hello\r\n": "no action", "Y" + gtube: "add header", "X" + gtube: "reject", strings.Repeat("hello\r\n", 100_000): "no action"} {
		if got := opinion(t, r, head+body); got.Action != action || got.Failure != "" || (action != "no action") != (len(got.Symbols) > 0) {
			t.Errorf("%.20q: %+v, want %s", body, got, action)
		}
	}
}

func TestAnRspamdThatIsNotThereIsAFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if got := opinion(t, scan.NewRspamd(l.Addr().String()), strings.Repeat("hello\r\n", 100_000)); got.Failure == "" || got.Action != "" {
		t.Errorf("%+v", got)
	}
}
