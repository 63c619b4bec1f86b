package api_test

import (
	"fmt"
	"strconv"
	"testing"

	"podmail/web"
)

// TestRateLimit: a key that asks too often is told when to go on, and keeps nobody else waiting.
func TestRateLimit(t *testing.T) {
	d := openDoor(t, web.Limits{RequestsPerSecond: 20})
	n := d.tenantNamed(t, "alice")
	limited := func(key string) (got reply) {
		for range 500 {
			if got = d.call(t, key, "GET", "/v0/auth/me", ""); got.status == 429 {
				return got
			}
		}
		return got
	}
	got := limited(n.inboxKey)
	if got.status != 429 || got.get(t, "code") != "rate_limit_exceeded" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	got.wellFormed(t)
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 1 {
		t.Errorf("Retry-After: %q", got.header.Get("Retry-After"))
	}
	if got := d.call(t, n.podKey, "GET", "/v0/auth/me", ""); got.status != 200 {
		t.Errorf("another key: %d %s", got.status, got.body)
	}
}

// TestGuessingKeys: who tries keys is stopped; a good key of the same address is not.
func TestGuessingKeys(t *testing.T) {
	d := openDoor(t, web.Limits{})
	n := d.tenantNamed(t, "alice")
	last := 0
	for i := 0; i < 500 && last != 429; i++ {
		last = d.call(t, fmt.Sprint("am_org_guess", i), "GET", "/v0/auth/me", "").status
	}
	if last != 429 {
		t.Errorf("the last guess: %d", last)
	}
	if got := d.call(t, n.podKey, "GET", "/v0/auth/me", ""); got.status != 200 {
		t.Errorf("a good key: %d %s", got.status, got.body)
	}
}
