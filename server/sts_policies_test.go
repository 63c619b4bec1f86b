package server_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podmail/mail/mtasts"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

func TestPoliciesAreRemembered(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	book := server.NewPolicyBook(w.Store, w.Clock, slog.New(slog.DiscardHandler))
	policy := func(domain, id string, days time.Duration) mtasts.Fetched {
		return mtasts.Fetched{Domain: domain, ID: id, FetchedAt: w.Clock.Now(), Policy: mtasts.Policy{Mode: mtasts.Enforce, MX: []string{"mx." + domain, "*.mx." + domain}, MaxAge: days * 24 * time.Hour}}
	}
	known := func(want ...mtasts.Fetched) {
		t.Helper()
		got, err := server.NewPolicyBook(w.Store, w.Clock, slog.New(slog.DiscardHandler)).Known(ctx)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	known()
	short, long := policy("short.test", "1", 1), policy("long.test", "1", 30)
	book.Keep(short)
	book.Keep(long)
	known(long, short)
	newer := policy("long.test", "2", 10)
	book.Keep(newer)
	known(newer, short)
	w.Clock.Step(25 * time.Hour)
	known(newer)
	book.Keep(newer)
	if err := w.Store.System().Read(ctx, func(sys storage.SystemTx) error {
		left, err := sys.ListPolicies(time.Unix(0, 0), 10)
		if len(left) != 1 {
			t.Errorf("what holds no more is kept: %+v", left)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
