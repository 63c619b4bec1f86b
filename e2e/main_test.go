// Package e2e drives the real binary with the programs that its users have: the official npm client, Python's imaplib
// and smtplib, swaks, curl, a Go IMAP client, and Postfix and Exim as other hosts. A test here reads like a page of the manual. It imports nothing of
// Podmail: what it knows, every user can know.
package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, built once with the race detector in it.
var binary string

func TestMain(m *testing.M) {
	if err := checkTools(); err != nil {
		fmt.Fprintf(os.Stderr, "e2e needs programs that are not here:\n%v\n", err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "podmail-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "podmail")
	build := exec.Command("go", "build", "-race", "-pgo=off", "-o", binary, "podmail")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "go build:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// checkTools names everything that is missing and how to get it. Nothing is skipped.
func checkTools() error {
	var missing []error
	for program, install := range map[string]string{
		"node": "apt-get install nodejs npm", "python3": "apt-get install python3", "swaks": "apt-get install swaks",
		"curl": "apt-get install curl", "bash": "apt-get install bash", "postfix": "apt-get install postfix", exim4: "make tools",
	} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, fmt.Errorf("  %s: %s", program, install))
		}
	}
	if _, err := os.Stat("sdk/node_modules/agentmail/package.json"); err != nil {
		missing = append(missing, errors.New("  the agentmail package: npm ci --prefix e2e/sdk"))
	}
	return errors.Join(missing...)
}
