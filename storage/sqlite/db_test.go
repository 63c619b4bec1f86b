package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"podmail/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testSchema = NewSchema(Tables{"items": {Pod: "pod_id", Inbox: "inbox_id"}})
	insertItem = testSchema.Compile(`INSERT INTO items (pod_id, inbox_id, name) VALUES ({pod}, {inbox}, ?)`)
	listItems  = testSchema.Compile(`SELECT i.name FROM items i WHERE {scope i} ORDER BY i.id`)
	countItems = testSchema.Compile(`SELECT count(*) FROM items i WHERE {scope i}`)
	renameItem = testSchema.Compile(`UPDATE items SET name = ? WHERE {scope items}`)
)

var migrations = fstest.MapFS{"0001_items.sql": {Data: []byte(`CREATE TABLE items (id INTEGER PRIMARY KEY, pod_id INTEGER NOT NULL, inbox_id INTEGER NOT NULL, name TEXT NOT NULL UNIQUE);`)}}

func open(t *testing.T, o Options) *DB {
	t.Helper()
	o.Path = filepath.Join(t.TempDir(), "test.db")
	o.Log = slog.New(slog.DiscardHandler)
	if err := Migrate(context.Background(), o, migrations); err != nil {
		t.Fatal(err)
	}
	db, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func inbox(pod, inbox int64) mail.Scope { return mail.Scope{Pod: pod, Inbox: inbox} }

func names(t *testing.T, db *DB, scope mail.Scope) (out []string) {
	t.Helper()
	err := db.Read(context.Background(), scope, func(tx Tx) error {
		return tx.Each(listItems, nil, func(r *Row) error {
			var n string
			out = append(out, "")
			err := r.Scan(&n)
			out[len(out)-1] = n
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(db *DB, scope mail.Scope, name string) error {
	return db.Write(context.Background(), scope, func(tx Tx) error {
		_, err := tx.Exec(insertItem, name)
		return err
	})
}

func TestScopesSeeTheirOwnRows(t *testing.T) {
	db := open(t, Options{})
	for _, s := range []mail.Scope{inbox(1, 1), inbox(1, 2), inbox(2, 3)} {
		if err := put(db, s, fmt.Sprint(s.Pod, s.Inbox)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		scope mail.Scope
		want  string
	}{
		{mail.Scope{}, "[1 1 1 2 2 3]"}, {mail.Scope{Pod: 1}, "[1 1 1 2]"}, {inbox(1, 2), "[1 2]"}, {inbox(2, 2), "[]"}, {mail.Scope{Pod: 9}, "[]"},
	} {
		if got := fmt.Sprint(names(t, db, c.scope)); got != c.want {
			t.Errorf("%+v sees %s, want %s", c.scope, got, c.want)
		}
	}
	err := db.Write(context.Background(), mail.Scope{Pod: 1}, func(tx Tx) error {
		_, err := tx.Exec(insertItem, "no inbox")
		return err
	})
	if err == nil {
		t.Error("a row without an inbox went in under a pod's handle")
	}
}

// TestAFailedWriteLeavesTheOthersOfItsGroup makes many writes wait for one, so that they share a transaction.
func TestAFailedWriteLeavesTheOthersOfItsGroup(t *testing.T) {
	db := open(t, Options{})
	release, running := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Write(context.Background(), inbox(1, 1), func(Tx) error { close(running); <-release; return nil })
	})
	<-running
	const n = 100
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			errs[i] = db.Write(context.Background(), inbox(1, 1), func(tx Tx) error {
				if _, err := tx.Exec(insertItem, fmt.Sprint(i)); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return errors.New("refused")
				case 2:
					panic("broken")
				case 3:
					_, err := tx.Exec(insertItem, fmt.Sprint(i)) // taken
					return err
				}
				return nil
			})
		})
	}
	for db.Waiting() < n {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	for i, err := range errs {
		if (err == nil) != (i%4 == 0) {
			t.Errorf("write %d: %v", i, err)
		}
		if i%4 == 3 && !errors.Is(err, ErrUnique) {
			t.Errorf("write %d: %v is not ErrUnique", i, err)
		}
	}
	if got := len(names(t, db, mail.Scope{})); got != n/4 {
		t.Errorf("%d rows, want %d", got, n/4)
	}
}

func TestAFailedCommitFailsTheWholeGroup(t *testing.T) {
	var broken atomic.Bool
	db := open(t, Options{CommitFault: func() error {
		if broken.Load() {
			return errors.New("disk on fire")
		}
		return nil
	}})
	if err := put(db, inbox(1, 1), "before"); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	if err := put(db, inbox(1, 1), "lost"); err == nil {
		t.Fatal("a write was answered positively though its commit failed")
	}
	broken.Store(false)
	if err := put(db, inbox(1, 1), "after"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names(t, db, mail.Scope{})); got != "[before after]" {
		t.Errorf("rows: %s", got)
	}
}

func TestTooManyWaitingWritesAreRefused(t *testing.T) {
	db := open(t, Options{Queue: 2})
	release, running := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		db.Write(context.Background(), inbox(1, 1), func(Tx) error { close(running); <-release; return nil })
	})
	<-running
	for i := range 2 {
		wg.Go(func() {
			if err := put(db, inbox(1, 1), fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	for db.Waiting() < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := put(db, inbox(1, 1), "too much"); !errors.Is(err, ErrOverloaded) {
		t.Errorf("the write got %v, want ErrOverloaded", err)
	}
	close(release)
	wg.Wait()
}

func TestReadersCannotWriteAndSeeASnapshot(t *testing.T) {
	db := open(t, Options{})
	if err := put(db, inbox(1, 1), "a"); err != nil {
		t.Fatal(err)
	}
	err := db.Read(context.Background(), inbox(1, 1), func(tx Tx) error {
		if _, err := tx.Exec(renameItem, "b"); err == nil {
			t.Error("a reader wrote")
		}
		count := func() (n int) {
			if err := tx.One(countItems, nil, &n); err != nil {
				t.Error(err)
			}
			return n
		}
		before := count()
		if err := put(db, inbox(1, 1), "c"); err != nil {
			t.Error(err)
		}
		if after := count(); after != before {
			t.Errorf("the snapshot went from %d to %d rows", before, after)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMigrationsCopyFirstAndRefuseNewerFiles(t *testing.T) {
	o := Options{Path: filepath.Join(t.TempDir(), "test.db"), Log: slog.New(slog.DiscardHandler)}
	ctx := context.Background()
	if err := Migrate(ctx, o, migrations); err != nil {
		t.Fatal(err)
	}
	asItIs := o
	asItIs.AsItIs = true
	if err := Migrate(ctx, asItIs, migrations); err != nil {
		t.Errorf("a file that needs no migration: %v", err)
	}
	two := fstest.MapFS{"0001_items.sql": migrations["0001_items.sql"], "0002_more.sql": {Data: []byte(`ALTER TABLE items ADD COLUMN more TEXT;`)}}
	if err := Migrate(ctx, asItIs, two); !errors.Is(err, ErrOlder) {
		t.Errorf("a file that must stay as it is got %v, want ErrOlder", err)
	}
	if err := Migrate(ctx, o, two); err != nil {
		t.Fatal(err)
	}
	if err := Migrate(ctx, Options{Path: o.Path + ".v1", Log: o.Log}, migrations); err != nil {
		t.Errorf("the copy made before migrating: %v", err)
	}
	if err := Migrate(ctx, o, migrations); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer file got %v, want ErrNewer", err)
	}
	bad := fstest.MapFS{"0001_items.sql": two["0001_items.sql"], "0002_more.sql": two["0002_more.sql"],
		"0003_bad.sql": {Data: []byte(`CREATE TABLE half (id INTEGER); SELECT nonsense;`)}}
	if err := Migrate(ctx, o, bad); err == nil {
		t.Error("a broken migration was taken")
	}
	if err := Migrate(ctx, o, two); err != nil {
		t.Errorf("after a broken migration the file is not what it was: %v", err)
	}
}

func TestAClosedFileRefuses(t *testing.T) {
	db := open(t, Options{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put(db, inbox(1, 1), "x"); !errors.Is(err, ErrClosed) {
		t.Errorf("a write after Close got %v", err)
	}
	if err := db.Read(context.Background(), mail.Scope{}, func(Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("a read after Close got %v", err)
	}
}
