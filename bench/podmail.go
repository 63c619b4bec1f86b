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

// startPodmail builds the program and starts it in dir on free ports, everything else as a user who sets nothing
// would have it, but with a profiler if profile.
func startPodmail(ctx context.Context, dir string, profile bool) (*side, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(dir, "podmail")
	build := []string{"go", "build", "-o", binary}
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
	ports, err := freePorts(5)
	if err != nil {
		return nil, err
	}
	data, config, log := filepath.Join(dir, "data"), filepath.Join(dir, "podmail.toml"), filepath.Join(dir, "podmail.log")
	settings := fmt.Sprintf("data_dir = %q\n[smtp]\nlisten = %q\nsubmission = %q\n[imap]\nlisten = %q\n[http]\nlisten = %q\n",
		data, ports[0], ports[1], ports[2], ports[3])
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	server, err := startChild(log, []string{"BENCH_PROFILER=" + ports[4]}, binary, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	key, err := "", server.answering(log, ports[0], ports[2])
	if err == nil {
		key, err = run(ctx, dir, binary, "key", "create", "--data", data)
	}
	if err != nil {
		server.stop()
		return nil, err
	}
	s := podmailAt(ports[0], ports[2], "http://"+ports[3], strings.TrimSpace(key))
	s.pids = func() []int { return []int{server.command.Process.Pid} }
	s.stop, s.log = server.stop, log
	if profile {
		s.profiler = ports[4]
	}
	return s, nil
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
