package mail

import (
	"testing"
	"time"
)

func TestNewPodsWarmUp(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		first int64
		age   time.Duration
		want  int64
	}{{100, 0, 100}, {100, day - 1, 100}, {100, day, 200}, {100, 5 * day, 3200}, {100, 14*day - 1, 819_200}, {100, 14 * day, 0}, {100, -time.Hour, 100}, {0, 0, 0}, {1_000_000_000, 13 * day, 1_000_000_000 << 13}} {
		if got := WarmUp(c.first, c.age); got != c.want {
			t.Errorf("%d after %v: %d, want %d", c.first, c.age, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sent := Sent{HourAt: at.Add(5 * time.Hour), InHour: 10, DayAt: at, InDay: 50}
	for _, c := range []struct {
		rate  Rate
		until time.Duration // from at; 0: it is not beyond
		least int64
	}{{Rate{}, 0, 0}, {Rate{10, 50}, 0, 10}, {Rate{9, 0}, 6 * time.Hour, 9}, {Rate{0, 49}, 24 * time.Hour, 49}, {Rate{9, 49}, 24 * time.Hour, 9}, {Rate{60, 50}, 0, 50}} {
		until, _, _, beyond := c.rate.Beyond(sent)
		if beyond != (c.until > 0) || beyond && !until.Equal(at.Add(c.until)) || c.rate.Least() != c.least {
			t.Errorf("%+v: %v %v, least %d", c.rate, beyond, until, c.rate.Least())
		}
	}
}
