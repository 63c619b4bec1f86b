package server

import (
	"context"
	"slices"
	"time"

	"podmail/mail"
	"podmail/storage"
)

// The limits of metrics (contract: semantics.md, Metrics).
const (
	metricsLife     = 90 * 24 * time.Hour
	metricsDefault  = 24 * time.Hour
	maxUsagePoints  = 1000
	maxEventBuckets = 10_000  // of one type, in one answer
	maxReadings     = 100_000 // that are looked at for one answer
	maxPeriods      = 50_000  // in which something happened, whatever it was; it takes two look-ups each
	meterBatch      = 250
	clockTolerance  = time.Minute // that a caller's clock may be behind when it asks for all there is
)

// MetricsQuery asks for series. Zero fields have the contract's defaults.
type MetricsQuery struct {
	Start, End time.Time
	Period     time.Duration
	Limit      int // points of each series
	Descending bool
}

// until is the first moment that is not asked for.
func (q *MetricsQuery) until() time.Time { return q.End.Add(time.Millisecond) }

// QueryEvents counts what happened in the grant's scope, by type: in buckets of a period, of which those in which
// nothing happened are left out, or in one for each event. No types: all.
func (s *Server) QueryEvents(ctx context.Context, g mail.Grant, types []mail.EventType, q MetricsQuery) (map[mail.EventType][]mail.MetricPoint, error) {
	if err := g.Require(mail.MetricsRead); err != nil {
		return nil, err
	}
	if err := s.checkRange(&q); err != nil {
		return nil, err
	}
	if len(types) == 0 {
		types = mail.MetricEventTypes()
	}
	types = slices.DeleteFunc(types, func(t mail.EventType) bool { return !t.CountedAt(g.Scope.Type()) })
	if err := s.catchUp(ctx); err != nil {
		return nil, coded(err, "Metrics")
	}
	series := map[mail.EventType][]mail.MetricPoint{}
	for _, t := range types {
		series[t] = []mail.MetricPoint{}
	}
	err := s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		count := countEach
		if q.Period > 0 {
			count = countPeriods
		}
		return count(tx, q, func(at time.Time, before, after mail.Totals) error {
			for _, t := range types {
				n := *after.Events(t) - *before.Events(t)
				if q.Period > 0 && n > 0 {
					series[t] = append(series[t], mail.MetricPoint{At: at, Value: n})
				}
				for ; q.Period == 0 && n > 0; n-- {
					series[t] = append(series[t], mail.MetricPoint{At: at, Value: 1})
				}
				if len(series[t]) > maxEventBuckets {
					return tooWide("That is more than %d buckets of %s.", maxEventBuckets, t)
				}
			}
			return nil
		})
	})
	return ordered(series, q), coded(err, "Metrics")
}

// countEach tells of every moment at which something happened, and what the totals were before and after it.
func countEach(tx storage.Tx, q MetricsQuery, tell func(at time.Time, before, after mail.Totals) error) error {
	before, err := tx.FindTotals(q.Start)
	if err != nil {
		return err
	}
	readings, err := tx.ListReadings(q.Start, q.until(), maxReadings+1)
	if err != nil {
		return err
	}
	if len(readings) > maxReadings {
		return tooWide("More than %d things happened in that time.", maxReadings)
	}
	for _, r := range readings {
		if err := tell(r.At, before, r.Totals); err != nil {
			return err
		}
		before = r.Totals
	}
	return nil
}

// countPeriods tells of every period in which something happened. It looks at two readings of each, however much it was.
func countPeriods(tx storage.Tx, q MetricsQuery, tell func(at time.Time, before, after mail.Totals) error) error {
	before, err := tx.FindTotals(q.Start)
	if err != nil {
		return err
	}
	for from, looked := q.Start, 0; ; looked++ {
		first, err := tx.ListReadings(from, q.until(), 1)
		if err != nil || len(first) == 0 {
			return err
		}
		if looked == maxPeriods {
			return tooWide("Something happened in more than %d periods of that time.", maxPeriods)
		}
		at := q.Start.Add(first[0].At.Sub(q.Start).Truncate(q.Period))
		if at.Equal(q.End) { // the last moment of the last period
			at = at.Add(-q.Period)
		}
		if from = at.Add(q.Period); !from.Before(q.End) {
			from = q.until()
		}
		after, err := tx.FindTotals(from)
		if err != nil {
			return err
		}
		if err := tell(at, before, after); err != nil {
			return err
		}
		before = after
	}
}

// QueryUsage tells how much there was in the grant's scope at the end of every period, by type. No types: all that the
// scope has.
func (s *Server) QueryUsage(ctx context.Context, g mail.Grant, types []mail.UsageType, q MetricsQuery) (map[mail.UsageType][]mail.MetricPoint, error) {
	if err := g.Require(mail.MetricsRead); err != nil {
		return nil, err
	}
	if err := s.checkRange(&q); err != nil {
		return nil, err
	}
	if q.Period == 0 {
		q.Period = time.Hour
		if q.End.Sub(q.Start) > maxUsagePoints*time.Hour {
			q.Period = 24 * time.Hour
		}
	}
	if q.End.Sub(q.Start) > maxUsagePoints*q.Period {
		return nil, tooWide("That is more than %d points.", maxUsagePoints)
	}
	if len(types) == 0 {
		types = mail.UsageTypes()
	}
	types = slices.DeleteFunc(types, func(t mail.UsageType) bool { return !t.MeasuredAt(g.Scope.Type()) })
	if err := s.catchUp(ctx); err != nil {
		return nil, coded(err, "Metrics")
	}
	series := map[mail.UsageType][]mail.MetricPoint{}
	err := s.store.For(g.Scope).Read(ctx, func(tx storage.Tx) error {
		for at := q.Start; at.Before(q.End); {
			at = earlier(at.Add(q.Period), q.End)
			totals, err := tx.FindTotals(at.Add(time.Millisecond))
			if err != nil {
				return err
			}
			for _, t := range types {
				series[t] = append(series[t], mail.MetricPoint{At: at, Value: *totals.Usage(t)})
			}
		}
		return nil
	})
	return ordered(series, q), coded(err, "Metrics")
}

// checkRange fills in what the query leaves open, and refuses what cannot be told. Callers know times by their
// milliseconds: that of the end belongs to what they ask for.
func (s *Server) checkRange(q *MetricsQuery) error {
	now := s.clock.Now()
	if q.End.IsZero() || q.End.After(now) {
		q.End = now
	}
	if q.Start.IsZero() {
		q.Start = q.End.Add(-metricsDefault)
	}
	q.Start, q.End = q.Start.Truncate(time.Millisecond), q.End.Truncate(time.Millisecond)
	if q.Start.Before(now.Add(-metricsLife - clockTolerance)) {
		return mail.Invalid("start", "is more than 90 days ago").WithFix("Metrics are kept for 90 days: ask for a later start.")
	}
	if !q.Start.Before(q.End) {
		return mail.Invalid("start", "is not before end")
	}
	return nil
}

func tooWide(format string, args ...any) error {
	return mail.Errorf(mail.CodeInvalid, format, args...).WithReason(mail.ReasonRangeTooWide).
		WithFix("Ask for a shorter time between start and end, or for a longer period.")
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ordered turns series round if they are asked for newest first, and cuts them to the limit.
func ordered[T comparable](series map[T][]mail.MetricPoint, q MetricsQuery) map[T][]mail.MetricPoint {
	for t, points := range series {
		if q.Descending {
			slices.Reverse(points)
		}
		if q.Limit > 0 && len(points) > q.Limit {
			series[t] = points[:q.Limit]
		}
	}
	return series
}
