package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// durations are samples of one kind.
type durations []time.Duration

// percentile returns the smallest sample that p percent of all do not exceed (nearest rank); zero of none.
func (d durations) percentile(p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	rank := int(p/100*float64(len(sorted))+0.9999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// median of numbers; zero of none.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Clone(of)
	slices.Sort(sorted)
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// errEnough ends a measurement early without being an error.
var errEnough = errors.New("enough measured")

// inParallel calls do for 0 … n-1 from workers at once and returns how long each call took. The first error ends it.
func inParallel(ctx context.Context, n, workers int, do func(ctx context.Context, i int) error) (durations, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var all durations
	work, ctx := errgroup.WithContext(ctx)
	for range workers {
		work.Go(func() error {
			var mine durations
			defer func() {
				mu.Lock()
				all = append(all, mine...)
				mu.Unlock()
			}()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				start := time.Now()
				if err := do(ctx, i); errors.Is(err, errEnough) {
					return nil
				} else if err != nil {
					return err
				}
				mine = append(mine, time.Since(start))
			}
		})
	}
	err := work.Wait()
	return all, err
}
