package e2e

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What every scanner takes for a virus, and every spam filter for spam; in halves, so that this file is neither.
const (
	eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + `STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`
	gtube = "JS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
)

// clamd is Debian's ClamAV over a database that knows eicar alone.
type clamd struct {
	t       *testing.T
	dir     string
	socket  string
	process *exec.Cmd
}

func startClamd(t *testing.T, settings ...string) *clamd {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "clamd") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	c := &clamd{t: t, dir: dir, socket: filepath.Join(dir, "s")}
	t.Cleanup(func() {
		c.stop()
		os.RemoveAll(dir)
	})
	for name, text := range map[string]string{
		"test.ndb":   "Test.Eicar:0:*:" + hex.EncodeToString([]byte(eicar)) + "\n",
		"clamd.conf": fmt.Sprintf("Foreground yes\nLocalSocket %s\nDatabaseDirectory %s\n%s\n", c.socket, dir, strings.Join(settings, "\n")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the daemon is another user
		t.Fatal(err)
	}
	c.start()
	return c
}

func (c *clamd) start() {
	c.t.Helper()
	c.process = daemon(c.t, "unix", c.socket, "/usr/sbin/clamd", "-c", filepath.Join(c.dir, "clamd.conf"))
}

func (c *clamd) stop() { end(c.process, c.socket) }

// rspamd is Debian's rspamd without rules of its own but for its test patterns.
type rspamd struct {
	t       *testing.T
	conf    string
	address string
	process *exec.Cmd
}

func startRspamd(t *testing.T) *rspamd {
	t.Helper()
	dir := t.TempDir()
	r := &rspamd{t: t, conf: filepath.Join(dir, "rspamd.conf"), address: "127.0.0.1:" + freePort(t, "127.0.0.1")}
	text := fmt.Sprintf(`options { pidfile = "%[1]s/pid"; tempdir = "%[1]s"; filters = ""; enable_test_patterns = true; dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; } }
logging { type = "console"; }
worker "normal" { bind_socket = "%[2]s"; count = 1; }
metric { name = "default"; actions { reject = 15; add_header = 6; greylist = 4; } }
`, dir, r.address)
	if err := os.WriteFile(r.conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r.start()
	t.Cleanup(r.stop)
	return r
}

func (r *rspamd) start() {
	r.t.Helper()
	r.process = daemon(r.t, "tcp", r.address, "/usr/bin/rspamd", "-f", "--insecure", "-u", "root", "-c", r.conf)
}

func (r *rspamd) stop() { end(r.process, "") }

// daemon runs a program until it answers.
func daemon(t *testing.T, network, address, program string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(program, args...)
	var said transcript
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatalf("%v (.ci/tools installs it)", err)
	}
	eventually(t, program+" answers", func() error {
		conn, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, &said)
		}
		return conn.Close()
	})
	return c
}

// end kills a daemon, and removes its socket.
func end(c *exec.Cmd, socket string) {
	if c.ProcessState != nil {
		return
	}
	_ = c.Process.Signal(os.Interrupt) // rspamd's other processes follow this one only then
	over := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
	_ = c.Wait()
	over.Stop()
	if socket != "" {
		_ = os.Remove(socket)
	}
}

// scanned is an installation that asks others about what comes in.
type scanned struct {
	*Podmail
	inbox string
}

func startScanned(t *testing.T, settings ...string) *scanned {
	t.Helper()
	names := serveDNS(t)
	names.publish(`example.org. 60 IN TXT "v=spf1 ip4:127.0.0.1 -all"` + "\n")
	p := start(t, append(settings, names.setting(), `smtp.trusted = ""`, `smtp.max_message_size = "60MiB"`)...)
	var inbox Inbox
	p.sdk(p.Key).call("inboxes.create", &inbox, arg{"username": "alice"})
	return &scanned{p, inbox.InboxID}
}

// bring is a whole session of another server; the error is what it was answered with.
func (s *scanned) bring(id, body string) error {
	return smtp.SendMail(s.SMTP, nil, "joe@example.org", []string{s.inbox},
		[]byte("From: Joe <joe@example.org>\r\nTo: "+s.inbox+"\r\nSubject: "+id+"\r\nDate: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <"+id+"@example.org>\r\n\r\n"+body+"\r\n"))
}

// refuses wants a message to be refused like this, and not to be there.
func (s *scanned) refuses(id, body string, code int, text string) {
	s.t.Helper()
	err := s.bring(id, body)
	if answer, ok := errors.AsType[*textproto.Error](err); !ok || answer.Code != code || !strings.HasPrefix(answer.Msg, text) {
		s.t.Errorf("%s: answered with %v, want %d %s", id, err, code, text)
	}
	if status, text := s.explanation(id); status != 404 {
		s.t.Errorf("%s: refused, and kept: %d %s", id, status, text)
	}
}

// takes wants a message to be taken, and the API and the operator's command to tell these things of it.
func (s *scanned) takes(id, body string, api, command []string) {
	s.t.Helper()
	if err := s.bring(id, body); err != nil {
		s.t.Errorf("%s: %v", id, err)
		return
	}
	status, text := s.explanation(id)
	for _, want := range api {
		if status != 200 || !strings.Contains(text, want) {
			s.t.Errorf("%s: the API does not tell %s: %d %s", id, want, status, text)
		}
	}
	told := s.podmail("explain", id+"@example.org")
	for _, want := range command {
		if !strings.Contains(told, want) {
			s.t.Errorf("%s: podmail explain does not tell %q:\n%s", id, want, told)
		}
	}
}

func (s *scanned) explanation(id string) (status int, text string) {
	s.t.Helper()
	return s.curl("GET", "/v0/inboxes/"+s.inbox+"/messages/"+url.PathEscape("<"+id+"@example.org>")+"/authentication", s.Key, "")
}

// TestRspamdDecidesInTheSession: what it rejects is refused, what it marks is spam, what it finds nothing in is not; and
// while it is away mail comes in all the same.
func TestRspamdDecidesInTheSession(t *testing.T) {
	t.Parallel()
	filter := startRspamd(t)
	podmail := startScanned(t, `smtp.rspamd = "`+filter.address+`"`)
	clean := func(id, body string) {
		t.Helper()
		podmail.takes(id, body, []string{`"placement":"received"`, `"rspamd":{"action":"no action","score":0,"required":15}`, `"spf":{"result":"pass"`},
			[]string{"rspamd       no action, 0.0 of 15.0"})
	}
	clean("wanted", "hello")
	clean("large", strings.Repeat(strings.Repeat("x", 76)+"\r\n", 100_000))
	podmail.takes("marked", "Y"+gtube, []string{`"placement":"spam"`, `"action":"add header"`, `"symbols":["GTUBE"]`, "asks to add header"},
		[]string{"received spam unread", "rspamd       add header, ", " GTUBE\n"})
	podmail.refuses("rejected", "X"+gtube, 550, "5.7.1 ")

	filter.stop()
	podmail.takes("without", "X"+gtube, []string{`"placement":"received"`, `"failure":"`}, []string{"rspamd       no answer: "})
	if !strings.Contains(podmail.log.String(), "rspamd did not answer, and a message was taken without it") {
		t.Errorf("the log does not tell:\n%s", podmail.log)
	}
	filter.start()
	clean("again", "hello")
}

// TestClamAVDecidesInTheSession: viruses are refused, mail is put off while nobody can look at it, and what is too large
// to be looked at is taken and says so.
func TestClamAVDecidesInTheSession(t *testing.T) {
	t.Parallel()
	scanner := startClamd(t, "StreamMaxLength 25M")
	podmail := startScanned(t, `smtp.clamav = "`+scanner.socket+`"`)
	clean := func(id, body string) {
		t.Helper()
		podmail.takes(id, body, []string{`"placement":"received"`, `"virus_scan":{"verdict":"clean"}`}, []string{"virus scan   clean"})
	}
	clean("wanted", "hello")
	podmail.refuses("infected", eicar, 550, "5.7.1 The message holds a virus: Test.Eicar")
	podmail.refuses("deep", strings.Repeat(strings.Repeat("x", 76)+"\r\n", 250_000)+eicar, 550, "5.7.1 ") // 19.5 MB before it
	podmail.takes("huge", strings.Repeat(strings.Repeat("x", 76)+"\r\n", 350_000), []string{`"placement":"received"`, `"verdict":"too_large"`},
		[]string{"virus scan   too_large"})

	scanner.stop()
	podmail.refuses("postponed", "hello", 451, "4.3.0 ")
	scanner.start()
	clean("postponed", "hello") // its sender comes again
}
