package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of times in /proc (USER_HZ), which is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// watchCPU starts counting the CPU time of the server and of this program, and returns how to end it.
func (s *side) watchCPU() (end func() (server, client time.Duration, ok bool)) {
	serverBefore, clientBefore := cpuOf(s.pids()), ownCPU()
	return func() (server, client time.Duration, ok bool) {
		return cpuOf(s.pids()) - serverBefore, ownCPU() - clientBefore, s.pids() != nil
	}
}

// cpuOf adds up what the processes have used, with those of their children that have ended.
func cpuOf(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
			sum += parseCPU(string(stat))
		}
	}
	return sum
}

// parseCPU reads utime, stime, cutime and cstime, fields 14 to 17 of /proc/PID/stat (proc(5)).
func parseCPU(stat string) (sum time.Duration) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // the first of them is field 3
	if len(fields) < 15 {
		return 0
	}
	for _, f := range fields[11:15] {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rest waits until the server has done what it still had to do for what came before, for a minute at most: indexing,
// emptying its queue. That is not part of what is measured next.
func (s *side) rest(ctx context.Context) {
	const look = 300 * time.Millisecond
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; {
		before := cpuOf(s.pids())
		time.Sleep(look)
		if cpuOf(s.pids())-before <= look/20 {
			return
		}
	}
}

// quietEnough is the percentage of the machine that others may use without a figure being in doubt.
const quietEnough = 10

// busyNow watches the machine for a second, while we do nothing, and returns the percentage of its CPU that is used.
func busyNow() float64 {
	busyBefore, allBefore := cpuTotals()
	time.Sleep(time.Second)
	busy, all := cpuTotals()
	return 100 * float64(busy-busyBefore) / float64(max(1, all-allBefore))
}

// watchOthers starts counting the CPU time that neither the server nor this program uses, and returns how to end it,
// which gives the percentage of the machine. Figures from a machine that does other things say little.
func (s *side) watchOthers() (end func() (percent float64, ok bool)) {
	cpu := s.watchCPU()
	busyBefore, allBefore := cpuTotals()
	return func() (float64, bool) {
		server, client, ok := cpu()
		busy, all := cpuTotals()
		others := time.Duration(busy-busyBefore)*tick - server - client
		span := time.Duration(all-allBefore) * tick
		return 100 * float64(max(0, others)) / float64(max(1, span)), ok && span > time.Second // less is all rounding
	}
}

// cpuTotals reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal, and guest times,
// which are in user already.
func cpuTotals() (busy, all int64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(line) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i > 8 {
			continue // the name of the line
		}
		all += n
		if i != 4 && i != 5 {
			busy += n
		}
	}
	return busy, all
}
