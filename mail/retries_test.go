package mail

import (
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		failure  TransferFailure
		attempts int
		jitter   float64
		want     time.Duration
	}{
		{TransferReply, 1, 0.5, 5 * time.Minute},
		{TransferReply, 1, 0, 4 * time.Minute},
		{TransferReply, 1, 1, 6 * time.Minute},
		{TransferReply, 2, 0.5, 10 * time.Minute},
		{TransferReply, 7, 0.5, 4 * time.Hour},
		{TransferReply, 1000, 0.5, 4 * time.Hour},
		{TransferConnection, 1, 0.5, 2 * time.Minute},
		{TransferDNS, 1, 0.5, 10 * time.Minute},
		{TransferTLS, 1, 0.5, 15 * time.Minute},
		{"", 0, 0.5, 5 * time.Minute},
	} {
		if got := RetryAfter(c.failure, c.attempts, c.jitter); got.Round(time.Second) != c.want {
			t.Errorf("%s, attempt %d, jitter %v: %v, want %v", c.failure, c.attempts, c.jitter, got, c.want)
		}
	}
}

// TestRetriesFillTheQueueLife walks a delivery that is never taken through its five days.
func TestRetriesFillTheQueueLife(t *testing.T) {
	for failure := range retrySteps {
		var at time.Duration
		attempts := 0
		for ; at < QueueLife; attempts++ {
			at += RetryAfter(failure, attempts+1, 0.5)
		}
		if attempts < 30 || attempts > 45 || at > QueueLife+5*time.Hour {
			t.Errorf("%s: %d attempts in %v", failure, attempts, at)
		}
	}
}
