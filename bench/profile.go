package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// The server has no door for profiling, and needs none: for -profile this file is laid over its source when it is
// built, and answers to us alone.
const profiler = `package main

import (
	"net/http"
	"os"
	"runtime/pprof"
)

func init() {
	var file *os.File
	mux := http.NewServeMux()
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		var err error
		if file, err = os.Create(r.FormValue("file")); err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/stop", func(w http.ResponseWriter, r *http.Request) {
		pprof.StopCPUProfile()
		file.Close()
		if heap, err := os.Create(r.FormValue("file")); err == nil {
			pprof.Lookup("allocs").WriteTo(heap, 0)
			heap.Close()
		}
	})
	if address := os.Getenv("BENCH_PROFILER"); address != "" {
		go http.ListenAndServe(address, mux)
	}
}
`

// overlay writes what go build needs to lay the profiler over the source, and returns its arguments.
func overlay(root, dir string) ([]string, error) {
	source, list := filepath.Join(dir, "profiler.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(source, []byte(profiler), 0o600); err != nil {
		return nil, err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "bench_profiler.go"): source}})
	if err != nil {
		return nil, err
	}
	return []string{"-overlay", list}, os.WriteFile(list, b, 0o600)
}

// profiled runs one measurement and leaves NAME.cpu.pprof and NAME.allocs.pprof (all since the start) in b.profile.
func (b *bench) profiled(s *side, name string, measure func() error) error {
	if s.profiler == "" {
		return measure()
	}
	ask := func(what, kind string) error {
		file, err := filepath.Abs(filepath.Join(b.profile, name+"."+kind+".pprof"))
		if err != nil {
			return err
		}
		r, err := http.NewRequestWithContext(context.WithoutCancel(b.ctx), http.MethodGet, "http://"+s.profiler+"/"+what+"?file="+url.QueryEscape(file), nil)
		if err != nil {
			return err
		}
		resp, err := s.api.http.Do(r)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("profiling: %s", resp.Status)
		}
		return nil
	}
	if err := ask("start", "cpu"); err != nil {
		return err
	}
	err := measure()
	if stopErr := ask("stop", "allocs"); err == nil {
		err = stopErr
	}
	return err
}
