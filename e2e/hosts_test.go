package e2e

import (
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mailHost is another mail server of the world: Debian's own, with settings and a queue of its own, at an address of its
// own, that hands all mail on to one place.
type mailHost struct {
	name    string
	listens string // where it takes mail to hand on
	dir     string // of Postfix: its folder
	log     func() string
}

// hostDir makes a folder that the host's own user can reach.
func hostDir(t *testing.T, owner string, folders ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "podmail-host")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if err := os.Mkdir(filepath.Join(dir, f), 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, exec.Command("chown", owner, filepath.Join(dir, f)))
	}
	return dir
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// postfix starts a Postfix at 127.0.0.2 that hands everything on to address, under TLS.
func postfix(t *testing.T, address string) *mailHost {
	t.Helper()
	return postfixAt(t, "127.0.0.2:"+freePort(t, "127.0.0.2"), "relayhost = [127.0.0.1]:"+port(address), "smtp_tls_security_level = encrypt")
}

// postfixAt starts a Postfix at an address of 127.0.0.0/8, with further settings. It has a folder, mail, for what it
// delivers itself.
func postfixAt(t *testing.T, address string, settings ...string) *mailHost {
	t.Helper()
	h := &mailHost{name: "postfix.example.org", listens: address}
	dir := hostDir(t, "postfix", "state", "mail")
	h.dir = dir
	h.log = func() string { text, _ := os.ReadFile(filepath.Join(dir, "postfix.log")); return string(text) }
	if err := os.Mkdir(filepath.Join(dir, "queue"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "main.cf"), fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/state
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/postfix.log
maillog_file_prefixes = %[1]s
myhostname = %[2]s
mydestination =
inet_interfaces = all
inet_protocols = ipv4
smtp_bind_address = %[3]s
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
message_size_limit = 80000000
mailbox_size_limit = 0
default_destination_recipient_limit = 1000
default_destination_concurrency_limit = 20
smtpd_recipient_limit = 2000
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
queue_run_delay = 1s
minimal_backoff_time = 3s
maximal_backoff_time = 3s
smtp_destination_concurrency_failed_cohort_limit = 0
smtp_destination_concurrency_negative_feedback = 0
smtp_skip_5xx_greeting = no
%[4]s
`, dir, h.name, strings.TrimSuffix(address, ":"+port(address)), strings.Join(settings, "\n")))
	writeFile(t, filepath.Join(dir, "master.cf"), h.listens+` inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`)
	if out, err := exec.Command("postfix", "-c", dir, "start").CombinedOutput(); err != nil {
		t.Fatalf("postfix start: %v: %s\n%s", err, out, h.log())
	}
	t.Cleanup(func() {
		if out, err := exec.Command("postfix", "-c", dir, "stop").CombinedOutput(); err != nil {
			t.Errorf("postfix stop: %v: %s", err, out)
		}
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", tailOf(h.log()))
		}
	})
	return h
}

// exim4 is where .ci/tools unpacks Debian's Exim, which cannot be installed beside Postfix.
const exim4 = "exim/usr/sbin/exim4"

// exim starts an Exim at 127.0.0.3 that hands everything on to address, under TLS, in chunks.
func exim(t *testing.T, address string) *mailHost {
	t.Helper()
	h := &mailHost{name: "exim.example.org", listens: "127.0.0.3:" + freePort(t, "127.0.0.3")}
	dir := hostDir(t, "nobody", "spool", "log")
	h.log = func() string { text, _ := os.ReadFile(filepath.Join(dir, "log/main")); return string(text) }
	program := filepath.Join(dir, "exim4")
	run(t, exec.Command("install", "-m", "4755", exim4, program)) // it starts itself anew for each delivery
	settings := filepath.Join(dir, "exim.conf")
	writeFile(t, settings, fmt.Sprintf(`exim_path = %[5]s
exim_user = nobody
exim_group = nogroup
primary_hostname = %[2]s
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%s
pid_file_path = %[1]s/spool/exim.pid
local_interfaces = %[3]s
acl_smtp_rcpt = accept
acl_smtp_data = accept
smtputf8_advertise_hosts = *
chunking_advertise_hosts =
message_size_limit = 80M
recipients_max = 2000
smtp_accept_max = 0
keep_environment =
tls_advertise_hosts =
never_users =
begin acl
accept:
  accept
begin routers
onwards:
  driver = manualroute
  route_list = * 127.0.0.1::%[4]s byname
  self = send
  transport = smtp
begin transports
smtp:
  driver = smtp
  interface = 127.0.0.3
  hosts_require_tls = *
  tls_verify_certificates =
  tls_try_verify_hosts =
  hosts_try_chunking = *
  max_rcpt = 1000
begin retry
* * F,1h,1s
`, dir, h.name, strings.Replace(h.listens, ":", ".", 1), port(address), program))
	daemon := exec.Command(program, "-C", settings, "-bdf", "-q2s")
	output := &transcript{}
	daemon.Stdout, daemon.Stderr = output, output
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill() // it stops no other way in the foreground
		_ = daemon.Wait()
		if t.Failed() {
			t.Logf("Exim's log:\n%s\n%s", tailOf(h.log()), output)
		}
	})
	eventually(t, "Exim listens", func() error {
		c, err := net.Dial("tcp", h.listens)
		if err == nil {
			c.Close()
		}
		return err
	})
	return h
}

func tailOf(log string) string { return log[max(0, len(log)-6000):] }

// hand gives the host a message to hand on.
func (h *mailHost) hand(t *testing.T, from, message string, to ...string) {
	t.Helper()
	var err error
	eventually(t, h.name+" takes mail", func() error {
		var c *smtp.Client
		if c, err = smtp.Dial(h.listens); err != nil {
			return err
		}
		return c.Close()
	})
	if err := smtp.SendMail(h.listens, nil, from, to, []byte(message)); err != nil {
		t.Fatalf("%s: %v", h.name, err)
	}
}
