package server

import (
	"sync"
	"time"

	"podmail/storage"
)

// QueueLimits bounds how much of the mail to other hosts is on its way at a time. Zeros have the defaults named beside
// them.
type QueueLimits struct {
	Transfers      int // 100 in all; one pod takes half of them at most, so that there is always room for another
	PerDestination int // 20 to one destination
	PerMinute      int // recipients at one destination in any minute of the clock; 0: no limit
}

func (l QueueLimits) withDefaults() QueueLimits {
	if l.Transfers == 0 {
		l.Transfers = 100
	}
	if l.PerDestination == 0 {
		l.PerDestination = 20
	}
	return l
}

// turns knows which transfers are on their way, and which destinations are better left alone for a while. It is
// memory only: after a restart everything that is queued is tried when it is due.
type turns struct {
	limits QueueLimits

	step            sync.Mutex       // of who looks for the next transfers, alone
	lastPod         int64            // whose turn was last
	lastDestination map[int64]string // of each pod that was looked at

	mu           sync.Mutex
	carried      map[int64]bool // deliveries on their way
	pods         map[int64]int  // transfers of each pod
	destinations map[string]*destination
	total        int
}

// destination is what is known of one.
type destination struct {
	pods       map[int64]int // transfers to it, of each pod
	total      int
	deliveries int       // on their way to it
	failures   int       // in a row
	until      time.Time // left alone before this
	minute     time.Time // in which recipients are counted
	recipients int
}

func newTurns(l QueueLimits) *turns {
	return &turns{limits: l.withDefaults(), carried: map[int64]bool{}, pods: map[int64]int{}, destinations: map[string]*destination{}, lastDestination: map[int64]string{}}
}

// full tells whether no further transfer may begin.
func (t *turns) full() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total >= t.limits.Transfers
}

// underWay is how many transfers there are.
func (t *turns) underWay() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// resting is how many destinations are left alone.
func (t *turns) resting(now time.Time) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.destinations {
		if d.until.After(now) {
			n++
		}
	}
	return n
}

// mayServe tells whether another transfer of the pod may begin.
func (t *turns) mayServe(pod int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total < t.limits.Transfers && t.pods[pod] < (t.limits.Transfers+1)/2
}

// mayReach tells whether another transfer of the pod to the destination may begin. A pod takes three quarters of a
// destination's places at most.
func (t *turns) mayReach(name string, pod int64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.destinations[name]
	return d == nil || !d.until.After(now) && !t.spent(d, now) && d.total < t.limits.PerDestination && d.pods[pod] < max(1, t.limits.PerDestination*3/4)
}

// spent tells whether a destination has got all that it may within this minute.
func (t *turns) spent(d *destination, now time.Time) bool {
	return t.limits.PerMinute > 0 && d.recipients >= t.limits.PerMinute && d.minute.Equal(now.Truncate(time.Minute))
}

// free leaves out the deliveries that are on their way.
func (t *turns) free(jobs []storage.Job) (free []storage.Job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range jobs {
		if !t.carried[j.ID] {
			free = append(free, j)
		}
	}
	return free
}

// carrying counts how many deliveries are on their way to a destination.
func (t *turns) carrying(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.destinations[name]; d != nil {
		return d.deliveries
	}
	return 0
}

// begin notes a transfer.
func (t *turns) begin(pod int64, name string, jobs []storage.Job, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range jobs {
		t.carried[j.ID] = true
	}
	d := t.destinations[name]
	if d == nil {
		d = &destination{pods: map[int64]int{}}
		t.destinations[name] = d
	}
	if minute := now.Truncate(time.Minute); !d.minute.Equal(minute) {
		d.minute, d.recipients = minute, 0
	}
	d.recipients += len(jobs)
	d.total++
	d.deliveries += len(jobs)
	d.pods[pod]++
	t.pods[pod]++
	t.total++
}

// giveBack takes back recipients that were counted and then not carried: somebody else had done so.
func (t *turns) giveBack(name string, recipients int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.destinations[name]; d != nil {
		d.recipients = max(0, d.recipients-recipients)
	}
}

// end takes a transfer back.
func (t *turns) end(pod int64, name string, jobs []storage.Job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range jobs {
		delete(t.carried, j.ID)
	}
	d := t.destinations[name]
	d.deliveries -= len(jobs)
	if d.total--; d.total == 0 && d.failures == 0 && (t.limits.PerMinute == 0 || len(t.destinations) > maxTroubled) {
		delete(t.destinations, name)
	}
	if d.pods[pod]--; d.pods[pod] == 0 {
		delete(d.pods, pod)
	}
	if t.pods[pod]--; t.pods[pod] == 0 {
		delete(t.pods, pod)
	}
	t.total--
}

const (
	leaveAlone       = 30 * time.Second // after the first failure in a row of a destination, doubled each time …
	leaveAloneAtMost = 30 * time.Minute // … up to this
	maxTroubled      = 10_000           // destinations that are remembered for their failures
)

// trouble leaves a destination alone for a while: it does not answer, or asks for less.
func (t *turns) trouble(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.destinations[name]
	if d == nil || d.until.After(now) { // those that failed together count once
		return
	}
	d.failures++
	d.until = now.Add(min(leaveAlone<<min(d.failures-1, 10), leaveAloneAtMost))
	if len(t.destinations) > maxTroubled {
		t.forget(now)
	}
}

// forget drops destinations whose time of rest is over.
func (t *turns) forget(now time.Time) {
	for name, d := range t.destinations {
		if d.total == 0 && !d.until.After(now) {
			delete(t.destinations, name)
		}
	}
}

// well forgets a destination's failures: it has taken something.
func (t *turns) well(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.destinations[name]; d != nil {
		d.failures, d.until = 0, time.Time{}
	}
}
