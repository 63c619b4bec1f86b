package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// memory returns what the processes occupy: of one process its resident set, of several what is left when pages that
// they share are counted once (proportional set size).
func memory(pids []int) (int64, error) {
	if len(pids) == 0 {
		return 0, errors.New("the server's processes are not known")
	}
	if len(pids) == 1 {
		return field(fmt.Sprintf("/proc/%d/status", pids[0]), "VmRSS:")
	}
	var sum int64
	for _, pid := range pids {
		n, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
		if err != nil {
			continue // it has ended meanwhile
		}
		sum += n
	}
	return sum, nil
}

// field reads a "Name:  123 kB" line of a file in /proc, in bytes.
func field(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return parseField(b, name)
}

func parseField(status []byte, name string) (int64, error) {
	for line := range bytes.Lines(status) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
		return n << 10, err
	}
	return 0, fmt.Errorf("no %s", name)
}

// peakDuring returns by how much memory grew at its highest while do ran. Of one process the kernel keeps the peak; of
// several we look often.
func (s *side) peakDuring(do func() error) (growth int64, err error) {
	before, err := s.settledMemory() // what earlier connections used is given back only after a while
	if err != nil {
		return 0, err
	}
	if pids := s.pids(); len(pids) == 1 {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pids[0]), []byte("5"), 0); err != nil {
			return 0, err
		}
		if err := do(); err != nil {
			return 0, err
		}
		peak, err := field(fmt.Sprintf("/proc/%d/status", pids[0]), "VmHWM:")
		return max(0, peak-before), err
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		highest := before
		for {
			select {
			case <-stop:
				peak <- highest
				return
			case <-time.After(30 * time.Millisecond):
				if n, err := memory(s.pids()); err == nil {
					highest = max(highest, n)
				}
			}
		}
	}()
	err = do()
	close(stop)
	return <-peak - before, err
}

// settledMemory is the lowest of some looks: garbage that is about to be collected is not what a connection costs.
func (s *side) settledMemory() (int64, error) {
	var lowest int64
	for i := range 8 {
		n, err := memory(s.pids())
		if err != nil {
			return 0, err
		}
		if i == 0 || n < lowest {
			lowest = n
		}
		time.Sleep(400 * time.Millisecond)
	}
	return lowest, nil
}
