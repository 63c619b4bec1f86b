package scan_test

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/smtp/scan"
)

// eicar is what every scanner takes for a virus, in two halves so that this file is none.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + `STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// daemon starts Debian's clamd over a database that knows eicar alone, and returns its socket.
func daemon(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "clamd") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	socket := filepath.Join(dir, "s")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(dir, "db"), 0o755)
	write("db/test.ndb", "Test.Eicar:0:*:"+hex.EncodeToString([]byte(eicar))+"\n")
	write("clamd.conf", fmt.Sprintf("Foreground yes\nLocalSocket %s\nDatabaseDirectory %s/db\nStreamMaxLength 2M\n", socket, dir))
	c := exec.Command("/usr/sbin/clamd", "-c", filepath.Join(dir, "clamd.conf"))
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatalf("%v (.ci/tools installs it)", err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	for range 600 {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return socket
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("clamd does not answer")
	return ""
}

func look(t *testing.T, address string, pieces ...string) mail.ScanResult {
	t.Helper()
	s := scan.New(address).Begin(t.Context())
	defer s.Close()
	for _, p := range pieces {
		if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	return s.Finish()
}

func TestClamAV(t *testing.T) {
	socket := daemon(t)
	attached := "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n" + eicar + "\r\n--b--\r\n"
	for _, c := range []struct {
		name    string
		pieces  []string
		verdict mail.ScanVerdict
	}{
		{"clean", []string{"From: a@b.example\r\n\r\nhello\r\n"}, mail.ScanClean},
		{"attached", []string{attached}, mail.ScanInfected},
		{"in pieces", strings.Split(attached, ""), mail.ScanInfected},
		{"large", []string{strings.Repeat("hello\r\n", 200_000)}, mail.ScanClean},
		{"too large", []string{strings.Repeat("hello\r\n", 600_000)}, mail.ScanTooLarge},
		{"nothing", nil, mail.ScanClean},
	} {
		if got := look(t, socket, c.pieces...); got.Verdict != c.verdict || (got.Verdict == mail.ScanInfected) != strings.Contains(got.Name, "Test.Eicar") {
			t.Errorf("%s: %+v, want %s", c.name, got, c.verdict)
		}
	}
}

// TestMessagesStream: a message of 32 MiB goes through with little memory, also if the daemon stops listening early.
func TestMessagesStream(t *testing.T) {
	clamav, filter := scan.New(daemon(t)), scan.NewRspamd(rspamd(t))
	piece := []byte(strings.Repeat("0123456789abcde\n", 256))
	for name, begin := range map[string]func() (io.Writer, func()){
		"ClamAV": func() (io.Writer, func()) {
			s := clamav.Begin(t.Context())
			return s, func() { s.Finish(); s.Close() }
		},
		"rspamd": func() (io.Writer, func()) {
			o := filter.Begin(t.Context(), scan.Sender{Remote: netip.MustParseAddr("192.0.2.1")})
			return o, func() { o.Finish(); o.Close() }
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w, finish := begin()
		for range 32 << 20 / len(piece) {
			if _, err := w.Write(piece); err != nil {
				t.Fatal(name, err)
			}
		}
		finish()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

func TestADaemonThatDoesNotAnswerIsAFailure(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	if got := look(t, l.Addr().String(), strings.Repeat("hello\r\n", 100_000)); got.Verdict != mail.ScanFailed || got.Reason == "" {
		t.Errorf("it hangs up: %+v", got)
	}
	l.Close()
	if got := look(t, l.Addr().String(), "hello\r\n"); got.Verdict != mail.ScanFailed || got.Reason == "" {
		t.Errorf("it is not there: %+v", got)
	}
}
