package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Podmail is a running installation in a folder of its own, on free ports.
type Podmail struct {
	t        *testing.T
	dir      string
	settings string
	process  *exec.Cmd
	exited   chan error
	output   *transcript // standard output
	log      *transcript // standard error

	Key        string // of the whole organization, as the first start printed it
	API        string // origin of the HTTP API, watched
	direct     string // the same, unwatched: for paths that /openapi.json cannot tell
	SMTP       string // host:port for mail from other servers
	Submission string // host:port for mail programs that send
	IMAP       string // host:port for mail programs that read
}

const freePorts = `
smtp.listen = "127.0.0.1:0"
smtp.submission = "127.0.0.1:0"
imap.listen = "127.0.0.1:0"
http.listen = "127.0.0.1:0"
`

// settingsOf are freePorts and a resolver, but for what the lines set, and the lines.
func settingsOf(lines []string) string {
	var settings strings.Builder
	for free := range strings.Lines(freePorts) {
		key, _, _ := strings.Cut(free, "=")
		if !slices.ContainsFunc(lines, func(l string) bool { return key != "" && strings.HasPrefix(l, key) }) {
			settings.WriteString(free)
		}
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "dns.resolver") }) {
		settings.WriteString(`dns.resolver = "127.0.0.1:1"` + "\n") // nobody answers there: tests ask nobody else
	}
	return settings.String() + strings.Join(lines, "\n")
}

// start runs `podmail serve` in a new folder, with further lines of configuration. It ends with the test, which fails
// if the server raced, panicked, or did not stop cleanly.
func start(t *testing.T, lines ...string) *Podmail {
	t.Helper()
	p := &Podmail{t: t, dir: t.TempDir(), settings: settingsOf(lines)}
	if err := os.WriteFile(p.path("podmail.toml"), []byte(p.settings), 0o600); err != nil {
		t.Fatal(err)
	}
	p.serve()
	t.Cleanup(func() {
		if p.process != nil {
			p.stop()
		}
	})
	eventually(t, "the first start prints a key", func() error { // what it prints may come later than what it logs
		if p.Key = regexp.MustCompile(`am_[\w-]+`).FindString(p.output.String()); p.Key == "" {
			return fmt.Errorf("it printed %q", p.output)
		}
		return nil
	})
	return p
}

func (p *Podmail) path(name string) string { return filepath.Join(p.dir, name) }

// serve starts the process and waits until it says where it listens.
func (p *Podmail) serve() {
	p.t.Helper()
	p.output, p.log = &transcript{}, &transcript{}
	p.process = p.command("serve")
	p.process.Stdout, p.process.Stderr = p.output, p.log
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.exited = make(chan error, 1)
	go func(process *exec.Cmd, exited chan<- error) { exited <- process.Wait() }(p.process, p.exited)
	p.awaitLog("the server is ready", "msg=ready")
	listening := regexp.MustCompile(`msg=listening setting=(\S+) address=(\S+)`)
	address := map[string]string{}
	for _, m := range listening.FindAllStringSubmatch(p.log.String(), -1) {
		address[m[1]] = m[2]
	}
	p.direct = "http://" + address["http.listen"]
	p.API, p.SMTP, p.Submission, p.IMAP = watched(p.t, p.direct), address["smtp.listen"], address["smtp.submission"], address["imap.listen"]
}

// awaitLog waits until the server has logged text.
func (p *Podmail) awaitLog(what, text string) {
	p.t.Helper()
	eventually(p.t, what, func() error {
		select {
		case err := <-p.exited:
			p.exited <- err
			p.t.Fatalf("podmail serve ended: %v\n%s", err, p.log)
		default:
		}
		if !strings.Contains(p.log.String(), text) {
			return fmt.Errorf("the log does not have %q:\n%s", text, p.log)
		}
		return nil
	})
}

// command is a podmail command on this installation.
func (p *Podmail) command(args ...string) *exec.Cmd {
	c := exec.Command(binary, append(args, "--config", "podmail.toml")...)
	c.Dir = p.dir
	return c
}

// podmail runs a podmail command that succeeds, and returns what it prints.
func (p *Podmail) podmail(args ...string) string {
	p.t.Helper()
	return run(p.t, p.command(args...))
}

// stop asks the server to stop, as systemd and Ctrl-C do, and wants it to go well.
func (p *Podmail) stop() {
	p.t.Helper()
	if err := p.end(syscall.SIGTERM); err != nil {
		p.t.Errorf("after SIGTERM: %v\n%s", err, p.log)
	}
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine "} {
		if strings.Contains(p.log.String(), bad) {
			p.t.Errorf("the log has %q:\n%s", bad, p.log)
		}
	}
}

// end sends a signal and waits until the process is gone.
func (p *Podmail) end(signal os.Signal) error {
	p.t.Helper()
	process := p.process
	p.process = nil
	if err := process.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-p.exited:
		return err
	case <-time.After(time.Minute):
		_ = process.Process.Kill()
		return fmt.Errorf("still running a minute after %v (%w)", signal, <-p.exited)
	}
}

// restart stops the server and starts it again on the same folder.
func (p *Podmail) restart() {
	p.t.Helper()
	p.stop()
	p.serve()
}

// run runs a program that succeeds, and returns its standard output without the last line break.
func run(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var errors bytes.Buffer
	c.Stderr = &errors
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(c.Args, " "), err, out, &errors)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited for: %s\n%v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// transcript gathers what a process writes while it runs.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
