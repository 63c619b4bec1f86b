// Command bench measures Podmail from outside, by SMTP, IMAP and its API, beside Postfix and Dovecot on the same
// machine in the same run, and prints what was reached against what must be reached.
//
// It builds the podmail of the source tree it is started in, runs it in a temporary folder on free loopback ports,
// measures, stops it, and then does the same with a Postfix and a Dovecot of its own, so that the two never share the
// machine. What it starts it stops, and what it made it removes.
//
//	go run ./bench                       everything; some eight minutes
//	go run ./bench -quick -peer=false    a look at Podmail alone; about a minute
//	go run ./bench -only smtp,store -peer=false -profile /tmp/p    where the time goes
//	go run ./bench -only queue -peer=false    mail to other hosts; some two minutes
//	go run ./bench -quiet 1m -json FILE  figures to keep, from a machine that others use too
//	go run ./bench -list 1000000 -inboxes 1000000 -timeout 2h      in a large file
//
// One file per measurement (measure_….go) over three small clients (smtp.go, imap.go, api.go); what must be reached
// stands in budgets.go. The clients do as little as the protocols allow: on a small machine whatever they use is
// taken from the server that is measured.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	o, err := parseOptions(os.Args[1:])
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer release()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	context.AfterFunc(ctx, release) // a second signal ends us on the spot
	if err := measureAll(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measurement is one of the things that -only can name. They run in this order: memory needs a fresh server.
type measurement struct {
	name string
	run  func(*bench, *side) error
}

var measurements = []measurement{
	{"memory", measureMemory}, {"smtp", measureSMTP}, {"fetch", measureFetch}, {"store", measureStore},
	{"append", measureAppend}, {"idle", measureIdle}, {"api", measureAPI}, {"send", measureSend}, {"queue", measureQueue},
}

// bench is one run.
type bench struct {
	options
	ctx     context.Context
	mail    *messages
	filled  map[*side]account
	results results
}

func measureAll(ctx context.Context, o options) error {
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "podmail-bench-")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(os.Stderr, "files are kept in", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // the peer's processes run as several users
		return err
	}
	b := &bench{options: o, ctx: ctx, mail: newMessages(), filled: map[*side]account{}}
	b.results.Machine = describeMachine(ctx, dir)
	b.results.Settings = settings{o.quick, o.messages, o.mailbox, o.listed, o.inboxes, o.queued, o.backlog, o.peerStore}
	starts := []func(context.Context, string) (*side, error){b.startPodmail}
	if o.peer {
		if err := peerMissing(); err != nil {
			b.say("going on without Postfix and Dovecot: %v", err)
		} else {
			starts = append(starts, func(ctx context.Context, dir string) (*side, error) { return startPeer(ctx, dir, o.peerStore) })
		}
	}
	var failed []error
	for i, start := range starts {
		if ctx.Err() != nil {
			break // one side has said so
		}
		failed = append(failed, b.measureSide(start, fmt.Sprintf("%s/%d", dir, i)))
	}
	b.results.print(os.Stdout)
	if o.jsonFile != "" {
		failed = append(failed, b.results.write(o.jsonFile))
	}
	return errors.Join(failed...)
}

func (b *bench) startPodmail(ctx context.Context, dir string) (*side, error) {
	if b.key == "" {
		return startPodmail(ctx, dir, b.profile != "")
	}
	s := podmailAt(b.smtp, b.imap, b.api, b.key)
	if b.pid != 0 {
		s.pids = func() []int { return []int{b.pid} }
	}
	return s, nil
}

// measureSide starts one side, measures it and stops it. A measurement that fails does not keep the others from
// running.
func (b *bench) measureSide(start func(context.Context, string) (*side, error), dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s, err := start(b.ctx, dir)
	if err != nil {
		return err
	}
	defer s.stop()
	b.say("measuring %s", s.name)
	if err := b.grow(s); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	var failed []error
	for _, m := range measurements {
		if len(b.only) > 0 && !slices.Contains(b.only, m.name) {
			continue
		}
		s.rest(b.ctx)
		b.waitForQuiet()
		b.say("%s: %s", s.name, m.name)
		others := s.watchOthers()
		err := b.profiled(s, m.name, func() error { return m.run(b, s) })
		if share, ok := others(); ok && m.name != "queue" { // which knows itself, having a server of its own
			b.record(s, "others."+m.name, share, 1)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %s: %w", s.name, m.name, err))
			b.say("%v", failed[len(failed)-1])
		}
		if err := b.ctx.Err(); err != nil {
			return errors.Join(append(failed, fmt.Errorf("stopped early: %w", err))...)
		}
	}
	if pids := s.pids(); pids != nil {
		if after, err := s.settledMemory(); err == nil {
			b.record(s, "memory.after", float64(after)/megabyte, 1)
		}
	}
	return errors.Join(failed...)
}

// waitForQuiet waits, if that was asked for, until nobody else uses the machine.
func (b *bench) waitForQuiet() {
	for end := time.Now().Add(b.quiet); time.Now().Before(end) && b.ctx.Err() == nil; {
		if busy := busyNow(); busy < quietEnough {
			return
		}
	}
}

// grow makes inboxes that nothing else uses, to see whether figures hold in a large file.
func (b *bench) grow(s *side) error {
	if b.inboxes == 0 || s.api == nil {
		return nil
	}
	b.say("making %d inboxes", b.inboxes)
	name := b.name("grown")
	_, err := inParallel(b.ctx, b.inboxes, apiClients, func(ctx context.Context, i int) error {
		_, err := s.api.createInbox(ctx, fmt.Sprintf("%s-%d", name, i))
		return err
	})
	return err
}

// name makes a user name that no earlier run against the same server has used.
func (b *bench) name(what string) string { return what + "-" + b.mail.run }

// record notes a figure, and how many samples it stands on.
func (b *bench) record(s *side, id string, value float64, samples int) {
	b.results.add(s.name, id, value, samples)
	b.say("  %-24s %s", id, number(value))
}

// say tells of progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
