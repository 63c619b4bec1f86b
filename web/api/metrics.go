package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

type metricBucket struct {
	Timestamp timestamp `json:"timestamp"`
	Count     int64     `json:"count"`
}

type usagePoint struct {
	Timestamp timestamp `json:"timestamp"`
	Value     int64     `json:"value"`
}

func (a *API) queryEvents(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	types, m := someOf(q, "event_types", mail.MetricEventTypes()), q.metrics(maxEventBuckets)
	if err := q.err(); err != nil {
		return err
	}
	series, err := a.server.QueryEvents(c.Request().Context(), g, types, m)
	if err != nil {
		return err
	}
	return answer(c, points(series, func(p *mail.MetricPoint) metricBucket { return metricBucket{timestamp(p.At), p.Value} }))
}

func (a *API) queryUsage(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	types, m := someOf(q, "usage_types", mail.UsageTypes()), q.metrics(maxUsagePoints)
	if err := q.err(); err != nil {
		return err
	}
	series, err := a.server.QueryUsage(c.Request().Context(), g, types, m)
	if err != nil {
		return err
	}
	return answer(c, points(series, func(p *mail.MetricPoint) usagePoint { return usagePoint{timestamp(p.At), p.Value} }))
}

func points[T ~string, W any](series map[T][]mail.MetricPoint, render func(*mail.MetricPoint) W) map[T][]W {
	out := make(map[T][]W, len(series))
	for t, p := range series {
		out[t] = each(p, render)
	}
	return out
}

// someOf is a parameter of several values out of those that there are, each once.
func someOf[T ~string](q *query, name string, known []T) (out []T) {
	for _, v := range q.list(name) {
		t := T(v)
		if !slices.Contains(known, t) {
			q.problems.add("invalid_value", "", strconv.Quote(v)+" is not among the types", name)
		} else if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// metrics reads what the queries of metrics have in common.
func (q *query) metrics(most int) server.MetricsQuery {
	m := server.MetricsQuery{Start: q.moment("start"), End: q.moment("end"), Descending: q.flag("descending")}
	if q.text("limit") != "" {
		m.Limit = q.limit(most)
	}
	m.Period = time.Duration(q.whole("period", 1, maxPeriod, 0)) * time.Second
	return m
}
