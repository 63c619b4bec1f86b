package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// installation is a Podmail that we made, in a folder of its own on free ports.
type installation struct {
	binary, config, log string
	ports               []string // SMTP, submission, IMAP, HTTP, and of the profiler
	server              *child
}

// install builds the program and starts it in dir, everything as a user who sets nothing would have it, but with further
// settings, and with a profiler if profile.
func install(ctx context.Context, dir string, profile bool, settings string) (*installation, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	i := &installation{binary: filepath.Join(dir, "podmail"), config: filepath.Join(dir, "podmail.toml"), log: filepath.Join(dir, "podmail.log")}
	build := []string{"go", "build", "-o", i.binary}
	if profile {
		extra, err := overlay(root, dir)
		if err != nil {
			return nil, err
		}
		build = append(build, extra...)
	}
	if _, err := run(ctx, root, append(build, ".")...); err != nil {
		return nil, fmt.Errorf("building podmail: %w", err)
	}
	if i.ports, err = freePorts(5); err != nil {
		return nil, err
	}
	settings += fmt.Sprintf("data_dir = %q\n[smtp]\nlisten = %q\nsubmission = %q\n[imap]\nlisten = %q\n[http]\nlisten = %q\n",
		filepath.Join(dir, "data"), i.ports[0], i.ports[1], i.ports[2], i.ports[3])
	if err := os.WriteFile(i.config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	return i, i.start()
}

// start starts the server and waits until it answers.
func (i *installation) start() (err error) {
	if i.server, err = startChild(i.log, []string{"BENCH_PROFILER=" + i.ports[4]}, i.binary, "serve", "--config", i.config); err != nil {
		return err
	}
	if err = i.server.answering(i.log, i.ports[0], i.ports[2]); err != nil {
		i.server.stop()
	}
	return err
}

// operate runs one of the operator's commands, and returns what it prints.
func (i *installation) operate(ctx context.Context, args ...string) (string, error) {
	out, err := run(ctx, filepath.Dir(i.config), append(append([]string{i.binary}, args...), "--config", i.config)...)
	return strings.TrimSpace(out), err
}

// side is the installation as what is measured.
func (i *installation) side(ctx context.Context, profile bool) (*side, error) {
	key, err := i.operate(ctx, "key", "create")
	if err != nil {
		i.server.stop()
		return nil, err
	}
	s := podmailAt(i.ports[0], i.ports[2], "http://"+i.ports[3], key)
	s.pids = func() []int { return []int{i.server.command.Process.Pid} }
	s.stop, s.log = func() { i.server.stop() }, i.log
	if profile {
		s.profiler = i.ports[4]
	}
	return s, nil
}

// startPodmail starts a new installation.
func startPodmail(ctx context.Context, dir string, profile bool) (*side, error) {
	i, err := install(ctx, dir, profile, "")
	if err != nil {
		return nil, err
	}
	return i.side(ctx, profile)
}

// podmailAt is a server that runs already.
func podmailAt(smtp, imap, origin, key string) *side {
	api := newAPI(origin, key)
	return &side{
		name: podmailName, smtp: smtp, imap: imap, api: api, fill: smtp,
		account: func(ctx context.Context, name string) (account, error) {
			address, err := api.createInbox(ctx, name)
			return account{address: address, password: key}, err
		},
		pids: func() []int { return nil },
		stop: func() {},
	}
}

// moduleRoot is where main.go is, wherever in the module we were started.
func moduleRoot(ctx context.Context) (string, error) {
	file, err := run(ctx, ".", "go", "env", "GOMOD")
	if file = strings.TrimSpace(file); err != nil || file == "" || file == os.DevNull {
		return "", errors.Join(errors.New("start this in Podmail's source: it builds the server that it measures"), err)
	}
	return filepath.Dir(file), nil
}

// run runs a program to its end and returns what it printed; what it complained of is in the error.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir = dir
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return string(out), err
}
