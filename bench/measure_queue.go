package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	quietEvery     = 150 * time.Millisecond // the quiet pod sends
	quietMessages  = 20                     // for a figure that has no flood to last as long as
	backlogPerMail = 50                     // recipients of each message of the backlog
)

// outgoing is a server of its own that sends to a world of ours: the queue is looked at beside the rest, since its
// server has another resolver, and is started anew.
type outgoing struct {
	b     *bench
	on    *side // under whose name figures are recorded
	world *world
	*installation
	*side
	flood, quiet string // inboxes
	floodPod     string
	asked        int // messages of the quiet pod
}

// measureQueue sends mail to 50 destinations. A pod is stopped while its flood is queued, so that what is measured then is
// delivery alone; another one sends a message now and then.
func measureQueue(b *bench, s *side) error {
	if b.key != "" || s.api == nil {
		b.say("queue: skipped, it needs a Podmail of our own")
		return nil
	}
	o, err := newOutgoing(b, s)
	if err != nil {
		return err
	}
	defer o.world.close()
	defer o.side.stop()
	alone, err := o.ask(quietMessages, nil)
	if err != nil {
		return err
	}
	b.record(s, "queue.alone.p50", milliseconds(alone.percentile(50)), len(alone))
	if err := o.measureFlood(); err != nil {
		return err
	}
	return o.measureBacklog()
}

func newOutgoing(b *bench, s *side) (*outgoing, error) {
	dir, err := os.MkdirTemp("", "podmail-bench-queue-")
	if err != nil {
		return nil, err
	}
	o := &outgoing{b: b, on: s}
	if o.world, err = newWorld(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if o.installation, err = install(b.ctx, dir, b.profile != "", o.world.settings()); err == nil {
		o.side, err = o.installation.side(b.ctx, b.profile != "")
	}
	if err != nil {
		o.world.close()
		os.RemoveAll(dir)
		return nil, err
	}
	stop := o.side.stop
	o.side.stop = func() {
		stop()
		if !b.keep {
			os.RemoveAll(dir)
		}
	}
	if o.floodPod, o.flood, err = o.pod("flood"); err == nil {
		_, o.quiet, err = o.pod("quiet")
	}
	if err != nil {
		o.side.stop()
		o.world.close()
	}
	return o, err
}

// pod makes a pod with an inbox.
func (o *outgoing) pod(name string) (pod, inbox string, err error) {
	var made struct {
		PodID   string `json:"pod_id"`
		InboxID string `json:"inbox_id"`
	}
	if err = o.api.call(o.b.ctx, "POST", "/v0/pods", map[string]string{"name": name}, &made); err == nil {
		err = o.api.call(o.b.ctx, "POST", "/v0/pods/"+made.PodID+"/inboxes", map[string]string{"username": o.b.name(name)}, &made)
	}
	return made.PodID, made.InboxID, err
}

// ask has the quiet pod send n messages, one after the other, or as many as it can until enough is closed, and returns how
// long each took from the request until its host had said 250.
func (o *outgoing) ask(n int, enough <-chan struct{}) (took durations, err error) {
	for range n {
		select {
		case <-enough:
			return took, nil
		case <-time.After(quietEvery):
		}
		o.asked++
		to := fmt.Sprintf("quiet%d@%s", o.asked, destination(o.asked))
		taken := o.world.watch(to)
		start := time.Now()
		if err := o.api.send(o.b.ctx, o.quiet, to, "Quiet", "One message."); err != nil {
			return took, err
		}
		select {
		case at := <-taken:
			took = append(took, at.Sub(start))
		case <-time.After(time.Minute):
			return took, fmt.Errorf("the quiet pod's message to %s was not taken within a minute", to)
		}
	}
	return took, nil
}

// queue has the flooding pod send n messages to so many recipients each, which wait: the pod is stopped.
func (o *outgoing) queue(n, recipients int) error {
	if _, err := o.operate(o.b.ctx, "queue", "pause", "--pod", o.floodPod); err != nil {
		return err
	}
	bodies := o.b.mail.bodies
	_, err := inParallel(o.b.ctx, n, apiClients, func(ctx context.Context, i int) error {
		var to []string
		for r := range recipients {
			to = append(to, fmt.Sprintf("u%d.%d@%s", i, r, destination(i+r)))
		}
		return o.api.call(ctx, "POST", inboxPath(o.flood)+"/messages/send", map[string]any{"to": to, "subject": fmt.Sprint("Flood ", i), "text": string(bodies[i%len(bodies)])}, nil)
	})
	return err
}

// restart stops the server, starts it again, and returns how long it took until it answered.
func (o *outgoing) restart() (time.Duration, error) {
	o.server.stop()
	start := time.Now()
	err := o.start()
	return time.Since(start), err
}

// measureFlood queues the flood, starts the server with it, and lets it go.
func (o *outgoing) measureFlood() error {
	b, n := o.b, o.b.queued
	b.say("  queueing %d messages", n)
	if err := o.queue(n, 1); err != nil {
		return err
	}
	took, err := o.restart()
	if err != nil {
		return err
	}
	b.record(o.on, "queue.restart", milliseconds(took), 1)
	o.side.rest(b.ctx)
	before := o.world.taken.Load()
	done := make(chan struct{})
	var quiet durations
	asked := make(chan error, 1)
	others, cpu := o.side.watchOthers(), o.side.watchCPU()
	var first, last time.Time
	err = b.profiled(o.side, "queue.flood", func() error {
		if _, err := o.operate(b.ctx, "queue", "resume", "--pod", o.floodPod); err != nil {
			return err
		}
		if err := o.world.await(before+1, time.Minute); err != nil { // the server looks every few seconds
			return err
		}
		first = time.Now()
		go func() {
			var err error
			quiet, err = o.ask(n, done)
			asked <- err
		}()
		err := o.world.await(before+int64(n), 10*time.Minute)
		last = time.Now()
		close(done)
		if askErr := <-asked; err == nil {
			err = askErr
		}
		return err
	})
	if err != nil {
		return err
	}
	if share, ok := others(); ok {
		b.record(o.on, "others.queue", share, 1)
	}
	b.record(o.on, "queue.rate", float64(n)/last.Sub(first).Seconds(), n)
	if server, _, ok := cpu(); ok {
		b.record(o.on, "queue.cpu", milliseconds(server)/float64(n), n)
	}
	if peak, err := field(fmt.Sprintf("/proc/%d/status", o.side.pids()[0]), "VmHWM:"); err == nil {
		b.record(o.on, "queue.memory", float64(peak)/megabyte, 1)
	}
	b.record(o.on, "queue.quiet.p50", milliseconds(quiet.percentile(50)), len(quiet))
	b.record(o.on, "queue.quiet.max", milliseconds(quiet.percentile(100)), len(quiet))
	return nil
}

// measureBacklog starts the server with a queue that goes on waiting, and has the quiet pod send beside it.
func (o *outgoing) measureBacklog() error {
	b := o.b
	b.say("  queueing %d recipients", b.backlog)
	if err := o.queue(max(1, b.backlog/backlogPerMail), backlogPerMail); err != nil {
		return err
	}
	took, err := o.restart()
	if err != nil {
		return err
	}
	b.record(o.on, "queue.backlog.restart", milliseconds(took), 1)
	if _, err := o.operate(b.ctx, "queue", "resume", "--pod", o.floodPod); err != nil {
		return err
	}
	before := o.world.taken.Load()
	if err := o.world.await(before+1, time.Minute); err != nil {
		return err
	}
	start := time.Now()
	var quiet durations
	err = b.profiled(o.side, "queue.backlog", func() (err error) {
		quiet, err = o.ask(quietMessages, nil)
		return err
	})
	if err != nil {
		return err
	}
	b.record(o.on, "queue.backlog.rate", float64(o.world.taken.Load()-before)/time.Since(start).Seconds(), 1)
	b.record(o.on, "queue.backlog.quiet", milliseconds(quiet.percentile(50)), len(quiet))
	if database, err := os.Stat(filepath.Join(filepath.Dir(o.config), "data", "podmail.db")); err == nil {
		b.say("  the file has %d MiB", database.Size()/megabyte)
	}
	return nil
}
