package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// child is a server process that we started.
type child struct {
	command *exec.Cmd
	exited  chan struct{}
}

// startChild runs a program in a process group of its own, so that all of it can be ended, writing to a log file.
func startChild(logFile string, environment []string, args ...string) (*child, error) {
	out, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	c := &child{command: exec.Command(args[0], args[1:]...), exited: make(chan struct{})}
	c.command.Stdout, c.command.Stderr = out, out
	c.command.Env = append(os.Environ(), environment...)
	c.command.Dir = filepath.Dir(logFile)
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = c.command.Wait() // how it ended is in the log
		close(c.exited)
	}()
	return c, nil
}

// stop asks, and after a while insists.
func (c *child) stop() {
	pid := c.command.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(15 * time.Second):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-c.exited
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL) // what it left behind in its group
}

// answering waits until every address greets. A connection alone means little: the kernel takes them as soon as the
// port is open, and the server may still be making its files.
func (c *child) answering(logFile string, addresses ...string) error {
	deadline := time.Now().Add(20 * time.Second)
	for _, address := range addresses {
		for {
			if greeted(address) {
				break
			}
			select {
			case <-c.exited:
				return fmt.Errorf("%s ended at once: %s", filepath.Base(c.command.Path), tail(logFile))
			case <-time.After(50 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("nothing answers on %s: %s", address, tail(logFile))
			}
		}
	}
	return nil
}

// greeted tells whether a server speaks first, as SMTP, LMTP and IMAP servers do.
func greeted(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 1))
	return n == 1 && err == nil
}

// tail returns the end of a log, for an error.
func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-1500):]))
}

// freePorts finds n loopback addresses that are free now.
func freePorts(n int) ([]string, error) {
	var addresses []string
	var errs []error
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			errs = append(errs, err)
			continue
		}
		defer l.Close() // only when all are found, so that they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, errors.Join(errs...)
}

// descendants are the processes themselves and all below them.
func descendants(roots ...int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return roots
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		if parent, ok := parentOf(string(stat)); ok {
			children[parent] = append(children[parent], pid)
		}
	}
	all := append([]int(nil), roots...)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// parentOf reads the parent from /proc/PID/stat. The name before it is in parentheses and may hold anything.
func parentOf(stat string) (int, bool) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, err == nil
}
