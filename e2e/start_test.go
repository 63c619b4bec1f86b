package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestFirstStartNeedsNothing: in an empty folder, without a file, the server makes what it needs and prints a key and
// a line to paste; the next start prints nothing.
func TestFirstStartNeedsNothing(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	output := podmail.output.String()
	if strings.Count(output, podmail.Key) != 2 {
		t.Errorf("the key should stand there once alone and once in the line to paste:\n%s", output)
	}
	if info, err := os.Stat(podmail.path("data")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data: %v %v", info.Mode(), err)
	}
	line := regexp.MustCompile(`curl .*`).FindString(output)
	paste := exec.Command("bash", "-c", line+" --silent --show-error --fail")
	if answer := run(t, paste); !strings.Contains(answer, `"inbox_id":"hello@podmail.localhost"`) {
		t.Errorf("%s\nanswers %s", line, answer)
	}
	podmail.restart()
	if podmail.output.String() != "" {
		t.Errorf("the second start prints %q", podmail.output)
	}
	if status, body := podmail.curl("GET", "/v0/inboxes/hello@podmail.localhost", podmail.Key, ""); status != 200 {
		t.Errorf("after the restart: %d %s", status, body)
	}
}

// TestStartSaysWhatIsWrong: a start that cannot be ends with a line that tells what to change, and leaves nothing.
func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	running := start(t)
	for _, c := range []struct {
		name, file string
		environ    []string
		args       []string
		want       string
	}{
		{name: "port taken", file: freePorts, environ: []string{"PODMAIL_IMAP_LISTEN=" + running.IMAP}, want: "PODMAIL_IMAP_LISTEN: listen tcp " + running.IMAP + ": bind: address already in use"},
		{name: "port taken, from the file", file: strings.Replace(freePorts, "127.0.0.1:0", running.SMTP, 1), want: "podmail.toml:2: smtp.listen: listen tcp " + running.SMTP},
		{name: "file in use", file: freePorts, args: []string{"--data", running.path("data")}, want: "another process serves this data"},
		{name: "unknown key", file: "[smtp]\nport = 25", want: "podmail.toml:2: there is no setting smtp.port; [smtp] has "},
		{name: "bad variable", file: freePorts, environ: []string{"PODMAIL_SMTP_MAX_MESSAGE_SIZE=huge"}, want: "PODMAIL_SMTP_MAX_MESSAGE_SIZE must be a size"},
		{name: "no certificate there", file: freePorts + "tls = { cert = \"a.pem\", key = \"b.pem\" }", want: "podmail.toml:6: tls.cert and tls.key: open a.pem: no such file"},
		{name: "no file", args: []string{"--config", "absent.toml"}, want: "configuration: open absent.toml: no such file"},
		{name: "unknown command", args: []string{"doctor"}, want: "podmail --help"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append([]string{"serve"}, c.args...)
			if c.file != "" {
				if err := os.WriteFile(dir+"/podmail.toml", []byte(c.file), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--config", "podmail.toml")
			}
			serve := exec.Command(binary, args...)
			serve.Dir, serve.Env = dir, append(os.Environ(), c.environ...)
			out, err := serve.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v: %s\nwant %s", err, out, c.want)
			}
			if _, err := os.Stat(dir + "/data"); err == nil {
				t.Error("it made a data folder all the same")
			}
		})
	}
}
