package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// peerPackages is how to get what we compare with.
const peerPackages = "apt-get install -y postfix dovecot-imapd dovecot-lmtpd"

// peerMissing says why Postfix and Dovecot cannot be run here; nil if they can.
func peerMissing() error {
	for _, file := range []string{"postfix", "dovecot", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp"} {
		if _, err := exec.LookPath(file); err != nil {
			return fmt.Errorf("%s is not installed; %s", filepath.Base(file), peerPackages)
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("only root can start Postfix and Dovecot, which change users")
	}
	return nil
}

// startPeer starts Postfix, delivering by LMTP to Dovecot, with settings, queue and mail in dir; those of the machine
// are neither read nor touched.
func startPeer(ctx context.Context, dir, format string) (*side, error) {
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	smtp, imap, lmtp := ports[0], ports[1], ports[2]
	postfixDir, dovecotDir := filepath.Join(dir, "postfix"), filepath.Join(dir, "dovecot")
	for _, d := range []string{postfixDir, dovecotDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	dovecot, err := startDovecot(ctx, dovecotDir, imap, lmtp, format)
	if err != nil {
		return nil, err
	}
	master, stopPostfix, err := startPostfix(ctx, postfixDir, smtp, lmtp)
	if err != nil {
		dovecot.stop()
		return nil, err
	}
	return &side{
		name: peerName, smtp: smtp, imap: imap,
		fill: lmtp, fillLMTP: true,
		account: func(_ context.Context, name string) (account, error) {
			return account{address: name + "@" + peerDomain, password: peerPassword}, nil
		},
		pids: func() []int { return descendants(master(), dovecot.command.Process.Pid) },
		stop: func() { stopPostfix(); dovecot.stop() },
		log:  filepath.Join(dovecotDir, "dovecot.log") + ", " + filepath.Join(postfixDir, "postfix.log"),
	}, nil
}
