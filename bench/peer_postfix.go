package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// postfixMain is a Postfix of the distribution's defaults whose queue and settings are its own and which hands all mail
// to LMTP. The limit of sizes is the one budget of this file that a 50 MB message needs.
const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/state
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = %[1]s/postfix.log
maillog_file_prefixes = %[1]s
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = %[2]s
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:%[3]s
message_size_limit = 60000000
mailbox_size_limit = 0
`

// postfixMaster is the master.cf of the distribution, less what nothing here uses, on our port and without chroot,
// which would need a tree of copied files.
const postfixMaster = `%s inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// startPostfix starts a Postfix of its own in dir, listening on address, delivering to the LMTP server at lmtp. It
// returns how to find its processes and how to stop it.
func startPostfix(ctx context.Context, dir, address, lmtp string) (root func() int, stop func(), err error) {
	for name, text := range map[string]string{
		"main.cf": fmt.Sprintf(postfixMain, dir, peerDomain, lmtp), "master.cf": fmt.Sprintf(postfixMaster, address),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, nil, err
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "queue"), 0o755); err != nil {
		return nil, nil, err
	}
	if err := makeFor("postfix", filepath.Join(dir, "state")); err != nil {
		return nil, nil, err
	}
	if _, err := run(ctx, dir, "postfix", "-c", dir, "start"); err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, tail(filepath.Join(dir, "postfix.log")))
	}
	stop = func() {
		// Not with ctx: it must be stopped all the more when the run was cut short.
		if out, err := exec.Command("postfix", "-c", dir, "stop").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "stopping postfix: %v: %s\n", err, out)
		}
	}
	root = func() int {
		text, _ := os.ReadFile(filepath.Join(dir, "queue/pid/master.pid"))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return pid
	}
	return root, stop, nil
}
