package deliver_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// realHost is Debian's mail server, with settings and mailboxes of its own.
type realHost struct {
	name  string
	dir   string
	log   string // file
	takes string // how it says yes
	waits string // and not yet
}

// freePort finds a port that is free at all of the addresses.
func freePort(t testing.TB, addresses ...string) string {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", addresses[0]+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		free := true
		for _, a := range addresses[1:] {
			other, err := net.Listen("tcp", a+":"+port)
			if free = free && err == nil; err == nil {
				other.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free everywhere")
	return ""
}

// hostFolder makes a folder that a host's own user can work in, with a certificate.
func hostFolder(t testing.TB, owner string, config *tls.Config, folders ...string) string {
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
		command(t, "chown", owner, filepath.Join(dir, f))
	}
	var chain []byte
	for _, der := range config.Certificates[0].Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "cert.pem"), string(chain))
	put(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	return dir
}

func put(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// mailbox waits for so many messages in a mailbox and returns them, with CRLF.
func (h *realHost) mailbox(t testing.TB, user string, n int) (messages []string) {
	t.Helper()
	for range 6000 { // a minute, against hanging for ever
		files, err := filepath.Glob(filepath.Join(h.dir, "boxes", user, "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) >= n {
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				messages = append(messages, strings.ReplaceAll(string(text), "\n", "\r\n"))
			}
			return messages
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(h.log)
	t.Fatalf("%s has no %d messages for %s:\n%s", h.name, n, user, text)
	return nil
}

// postfix starts a Postfix that takes mail for example.org at an address.
func postfix(t testing.TB, address, port string, config *tls.Config) *realHost {
	t.Helper()
	dir := hostFolder(t, "postfix", config, "state")
	h := &realHost{name: "Postfix", dir: dir, log: filepath.Join(dir, "postfix.log"), takes: "taken 250 2.0.0", waits: "reply temporary 450 4.7.1"}
	for _, f := range []string{"queue", "boxes"} {
		if err := os.Mkdir(filepath.Join(dir, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "chown", "nobody", filepath.Join(dir, "boxes"))
	put(t, filepath.Join(dir, "access"), "grey@example.org 450 4.7.1 greylisted, come back\ngone@example.org 550 5.1.1 there is no such user\n")
	put(t, filepath.Join(dir, "boxes.map"), "bob@example.org bob/\ncarol@example.org carol/\n")
	put(t, filepath.Join(dir, "main.cf"), fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/state
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/postfix.log
maillog_file_prefixes = %[1]s
myhostname = mx.example.org
mydestination =
inet_interfaces = all
inet_protocols = ipv4
mynetworks =
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_base = %[1]s/boxes
virtual_mailbox_maps = texthash:%[1]s/boxes.map
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = check_recipient_access texthash:%[1]s/access, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_cert_file = %[1]s/cert.pem
smtpd_tls_key_file = %[1]s/key.pem
smtputf8_enable = yes
message_size_limit = 10000000
`, dir))
	put(t, filepath.Join(dir, "master.cf"), address+":"+port+` inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`)
	command(t, "postfix", "-c", dir, "start")
	t.Cleanup(func() { command(t, "postfix", "-c", dir, "stop") })
	return h
}

// exim4 is where .ci/tools unpacks Debian's Exim, which cannot be installed beside Postfix.
const exim4 = "../../e2e/exim/usr/sbin/exim4"

// exim starts an Exim that takes mail for example.org at an address.
func exim(t testing.TB, address, port string, config *tls.Config) *realHost {
	t.Helper()
	dir := hostFolder(t, "nobody", config, "spool", "log", "boxes")
	h := &realHost{name: "Exim", dir: dir, log: filepath.Join(dir, "log/main"), takes: "taken 250 ", waits: "reply temporary 451 4.7.1"}
	program := filepath.Join(dir, "exim4")
	command(t, "install", "-m", "4755", exim4, program) // it starts itself anew for each delivery
	command(t, "chown", "nobody", filepath.Join(dir, "key.pem"))
	settings := filepath.Join(dir, "exim.conf")
	put(t, settings, fmt.Sprintf(`exim_path = %[1]s/exim4
exim_user = nobody
exim_group = nogroup
primary_hostname = mx.example.org
spool_directory = %[1]s/spool
log_file_path = %[1]s/log/%%s
pid_file_path = %[1]s/spool/exim.pid
local_interfaces = %[2]s.%[3]s
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
accept_8bitmime = true
message_size_limit = 10M
keep_environment =
tls_advertise_hosts = *
tls_certificate = %[1]s/cert.pem
tls_privatekey = %[1]s/key.pem
never_users =
begin acl
rcpt:
  defer local_parts = grey
    message = 4.7.1 greylisted, come back
  deny local_parts = gone
    message = 5.1.1 there is no such user
  accept
accept:
  accept
begin routers
here:
  driver = accept
  local_parts = bob : carol
  transport = box
begin transports
box:
  driver = appendfile
  directory = %[1]s/boxes/$local_part_data
  maildir_format
  user = nobody
  group = nogroup
  return_path_add
begin retry
* * F,1h,1s
`, dir, address, port))
	daemon := exec.Command(program, "-C", settings, "-bdf", "-q1m")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill() // it stops no other way in the foreground
		daemon.Wait()
	})
	for range 6000 {
		if c, err := net.Dial("tcp", address+":"+port); err == nil {
			c.Close()
			return h
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(h.log)
	t.Fatalf("Exim does not listen: %s", text)
	return nil
}
