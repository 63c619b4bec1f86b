package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one number, and how many samples it stands on.
type figure struct {
	Value   float64 `json:"value"`
	Samples int     `json:"samples"`
}

// results is everything that one run found out.
type results struct {
	Machine  machine                      `json:"machine"`
	Settings settings                     `json:"settings"`
	Figures  map[string]map[string]figure `json:"figures"`  // side → id → figure
	Verdicts map[string]string            `json:"verdicts"` // id → verdict, of what has a budget
}

// settings are those that the figures depend on.
type settings struct {
	Quick     bool   `json:"quick,omitempty"`
	Messages  int    `json:"messages"`
	Mailbox   int    `json:"mailbox"`
	Listed    int    `json:"listed"`
	Inboxes   int    `json:"inboxes"`
	Queued    int    `json:"queued"`
	Backlog   int    `json:"backlog"`
	PeerStore string `json:"peer_store"`
}

func (r *results) add(side, id string, value float64, samples int) {
	if r.Figures == nil {
		r.Figures = map[string]map[string]figure{}
	}
	if r.Figures[side] == nil {
		r.Figures[side] = map[string]figure{}
	}
	r.Figures[side][id] = figure{value, samples}
}

// print writes the table; rows that nothing was measured for are left out.
func (r *results) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "what\tbudget\t%s\t%s\tverdict\n", podmailName, peerName)
	fmt.Fprintf(t, "----\t------\t%s\t%s\t-------\n", strings.Repeat("-", len(podmailName)), strings.Repeat("-", len(peerName)))
	for _, row := range rows {
		ours, measured := r.Figures[podmailName][row.id]
		peer, compared := r.Figures[peerName][row.id]
		if !measured && !compared {
			continue
		}
		cell := func(f figure, ok bool) string {
			if !ok {
				return "–"
			}
			return number(f.Value) + " " + row.unit
		}
		verdict := ""
		if measured {
			verdict = row.verdict(ours, peer, compared)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", row.what, row.budget(), cell(ours, measured), cell(peer, compared), verdict)
	}
	t.Flush()
	fmt.Fprintf(w, notes, r.Settings.PeerStore)
	r.doubts(w)
}

// doubts names the measurements during which other programs used the machine.
func (r *results) doubts(w io.Writer) {
	for _, side := range []string{podmailName, peerName} {
		for _, m := range measurements {
			if f, ok := r.Figures[side]["others."+m.name]; ok && f.Value >= quietEnough {
				fmt.Fprintf(w, "In doubt: %s of %s: other programs (or the kernel for them) used %s %% of the machine meanwhile.\n", m.name, side, number(f.Value))
			}
		}
	}
}

// notes say what a reader would otherwise have to ask.
const notes = `
Every message has 10 KiB and a connection of its own stays open for all that a client sends. Podmail's answers mean
synced everywhere. Postfix's 250 means synced in its queue; Dovecot (%s) syncs what is delivered and appended, not
flags. In parentheses: how many times better than Postfix and Dovecot. Their memory is proportional set size.
`

// verdict says whether the budget is met, and how we stand beside the peer.
func (r row) verdict(ours, peer figure, compared bool) string {
	var parts []string
	if r.limit > 0 || r.times > 0 {
		if r.met(ours.Value, peer, compared) {
			parts = append(parts, "met")
		} else {
			parts = append(parts, "MISSED")
		}
	}
	if compared {
		if factor := r.better(ours.Value, peer.Value); factor > 0 {
			parts = append(parts, fmt.Sprintf("(%s×)", number(factor)))
		}
	}
	return strings.Join(parts, " ")
}

// write puts the raw numbers into a file.
func (r *results) write(file string) error {
	r.Verdicts = map[string]string{}
	for _, row := range rows {
		if ours, ok := r.Figures[podmailName][row.id]; ok && row.budget() != "" {
			peer, compared := r.Figures[peerName][row.id]
			r.Verdicts[row.id] = row.verdict(ours, peer, compared)
		}
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// number is short: what stands behind three digits is noise.
func number(v float64) string {
	switch {
	case v >= 100 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// machine is where the numbers are from; without it they mean little.
type machine struct {
	Time     time.Time `json:"time"`
	Cores    int       `json:"cores"`
	CPU      string    `json:"cpu"`
	Go       string    `json:"go"`
	Revision string    `json:"revision,omitempty"`
	Sync     float64   `json:"sync_ms"` // median of writing and syncing 12 KiB where the servers store
}

// String implements fmt.Stringer.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s, revision %s, a synced write of 12 KiB takes %s ms",
		m.Time.Format("2006-01-02 15:04"), m.Cores, m.CPU, m.Go, m.Revision, number(m.Sync))
}

func describeMachine(ctx context.Context, dir string) machine {
	m := machine{Time: time.Now(), Cores: runtime.NumCPU(), CPU: "unknown CPU", Go: runtime.Version(), Sync: syncTime(dir)}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	if root, err := moduleRoot(ctx); err == nil {
		if out, err := run(ctx, root, "git", "describe", "--always", "--dirty", "--abbrev=10"); err == nil {
			m.Revision = strings.TrimSpace(out)
		}
	}
	return m
}

// syncTime is what the disk allows: nobody can answer one client faster than this and be honest.
func syncTime(dir string) float64 {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 12<<10)
	var took []float64
	for range 200 {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		took = append(took, milliseconds(time.Since(start)))
	}
	return median(took)
}
