package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBounceThatComesBackLater writes to a host that takes everything and then sends it back: Debian's Exim.
func TestBounceThatComesBackLater(t *testing.T) {
	t.Parallel()
	names := serveDNS(t)
	port := freePort(t, "127.0.0.2", "127.0.0.3")
	here := start(t, names.setting(), `hostname = "mx.here.example"`, `default_domain = "here.example"`, "delivery.mx_port = "+port, `smtp.listen = "127.0.0.2:`+port+`"`)
	names.publish(`
here.example. 60 IN MX 10 mx.here.example.
mx.here.example. 60 IN A 127.0.0.2
far.example. 60 IN MX 10 mx.far.example.
mx.far.example. 60 IN A 127.0.0.3
`)
	takesAndBounces(t, "127.0.0.3", "127.0.0.2", port)
	alice := here.sdk(here.Key)
	alice.call("inboxes.create", nil, arg{"username": "alice"})
	var sent Sent
	alice.call("inboxes.messages.send", &sent, "alice@here.example", arg{"to": []string{"gone@far.example"}, "subject": "Your order", "text": "It has shipped."})
	eventually(t, "the bounce comes back", func() error {
		var m Message
		alice.call("inboxes.messages.get", &m, "alice@here.example", sent.MessageID)
		if !slices.Contains(m.Labels, "bounced") || slices.Contains(m.Labels, "delivered") {
			return fmt.Errorf("labels %q", m.Labels)
		}
		return nil
	})
	var thread Thread
	alice.call("inboxes.threads.get", &thread, "alice@here.example", sent.ThreadID)
	if len(thread.Messages) != 2 || !slices.Contains(thread.Messages[1].Labels, "automatic") {
		t.Errorf("the thread: %+v", thread.Messages)
	}
	status, refusal := here.curl("POST", "/v0/inboxes/alice@here.example/messages/send", here.Key, `{"to": "gone@far.example", "text": "And again?"}`)
	if status != 403 || !strings.Contains(refusal, `"message_rejected"`) || !strings.Contains(refusal, "hard bounce: ") || !strings.Contains(refusal, "No such person") {
		t.Errorf("written to again: %d %s", status, refusal)
	}
}

// takesAndBounces starts an Exim at one address that takes all mail, and sends that for far.example back to where mail of
// everybody else is taken.
func takesAndBounces(t *testing.T, at, others, port string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "podmail-exim")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, step := range [][]string{{"chmod", "755", dir}, {"mkdir", dir + "/spool", dir + "/log"}, {"chown", "nobody", dir + "/spool", dir + "/log"},
		{"install", "-m", "4755", "exim/usr/sbin/exim4", dir + "/exim4"}} { // it starts itself anew for each delivery
		if out, err := exec.Command(step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", step, err, out)
		}
	}
	settings := filepath.Join(dir, "exim.conf")
	text := strings.NewReplacer("DIR", dir, "AT", at, "PORT", port, "OTHERS", others).Replace(`exim_path = DIR/exim4
exim_user = nobody
exim_group = nogroup
primary_hostname = mx.far.example
spool_directory = DIR/spool
log_file_path = DIR/log/%s
pid_file_path = DIR/spool/exim.pid
local_interfaces = AT.PORT
acl_smtp_rcpt = accept
acl_smtp_data = accept
keep_environment =
tls_advertise_hosts =
never_users =
begin acl
accept:
  accept
begin routers
nobody:
  driver = redirect
  domains = far.example
  allow_fail
  data = :fail: 550 5.1.1 No such person
back:
  driver = manualroute
  route_list = * OTHERS::PORT byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  interface = AT
  tls_verify_certificates =
  tls_try_verify_hosts =
begin retry
* * F,1h,1s
`)
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(filepath.Join(dir, "exim4"), "-C", settings, "-bdf", "-q2s")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill() // it stops no other way in the foreground
		_ = daemon.Wait()
		if log, _ := os.ReadFile(dir + "/log/main"); t.Failed() {
			t.Logf("Exim's log:\n%s", log)
		}
	})
	eventually(t, "Exim listens", func() error {
		c, err := net.Dial("tcp", at+":"+port)
		if err == nil {
			c.Close()
		}
		return err
	})
}
