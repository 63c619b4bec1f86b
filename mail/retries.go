package mail

import "time"

// QueueLife is how long a delivery is tried before it is given up (RFC 5321 4.5.4.1: four to five days).
const QueueLife = 5 * 24 * time.Hour

// NoticeAfter is how late a delivery is when its sender is told (RFC 3461 4.1: DELAY).
const NoticeAfter = 4 * time.Hour

// retrySteps is how long to wait after the first failure, the second, … of a kind; the last goes on for ever. A host that
// says "later" is often a greylist, which lets the same sender in after a few minutes; one that cannot be reached may be
// restarting; a name server that does not answer will not soon.
var retrySteps = map[TransferFailure][]time.Duration{
	TransferReply:      {5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
	TransferConnection: {2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
	TransferDNS:        {10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
	TransferTLS:        {15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
}

// RetryAfter is how long to wait before the next attempt, after so many (1, 2, …) of which the last failed like this.
// jitter, from 0 to 1, spreads attempts by a fifth either way, so that what failed together does not come back together.
func RetryAfter(failure TransferFailure, attempts int, jitter float64) time.Duration {
	steps := retrySteps[failure]
	if steps == nil {
		steps = retrySteps[TransferReply]
	}
	step := steps[min(max(attempts, 1), len(steps))-1]
	return time.Duration(float64(step) * (0.8 + 0.4*jitter))
}
