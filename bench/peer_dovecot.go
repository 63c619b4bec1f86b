package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// peerDomain and peerPassword are those of every inbox of the peer.
const (
	peerDomain   = "podmail.localhost"
	peerPassword = "bench"
	peerUser     = "nobody" // owns the peer's mail files
)

// dovecotSettings is Dovecot 2.3 as the distribution has it (mail_fsync = optimized, which syncs deliveries), with
// any user let in and the connections of one address not counted, for there is only one address here.
const dovecotSettings = `base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = %[2]s:%[1]s/mail/%%n
mail_uid = %[3]s
mail_gid = %[4]s
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 1000
passdb {
  driver = static
  args = password=%[5]s
}
userdb {
  driver = static
  args = uid=%[3]s gid=%[4]s home=%[1]s/mail/%%n allow_all_users=yes
}
namespace inbox {
  inbox = yes
}
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = %[6]s
  }
  inet_listener imaps {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[7]s
  }
}
`

// startDovecot starts a Dovecot of its own in dir.
func startDovecot(ctx context.Context, dir, imap, lmtp, format string) (*child, error) {
	version, err := run(ctx, dir, "dovecot", "--version")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(version, "2.3.") {
		return nil, fmt.Errorf("this knows the settings of Dovecot 2.3, not of %s", strings.TrimSpace(version))
	}
	owner, err := user.Lookup(peerUser)
	if err != nil {
		return nil, err
	}
	if err := makeFor(peerUser, filepath.Join(dir, "mail")); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf(dovecotSettings, dir, format, owner.Uid, owner.Gid, peerPassword, portOf(imap), portOf(lmtp))
	file, log := filepath.Join(dir, "dovecot.conf"), filepath.Join(dir, "dovecot.out")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return nil, err
	}
	server, err := startChild(log, nil, "dovecot", "-F", "-c", file)
	if err != nil {
		return nil, err
	}
	if err := server.answering(filepath.Join(dir, "dovecot.log"), imap, lmtp); err != nil {
		server.stop()
		return nil, err
	}
	return server, nil
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// makeFor makes a folder that belongs to a user.
func makeFor(name, dir string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}
