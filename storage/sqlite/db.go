package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"database/sql/driver"

	"podmail/mail"

	modernc "modernc.org/sqlite"
)

// Options is how a file is opened.
type Options struct {
	Path    string
	Readers int  // connections for reading; default 8
	Queue   int  // writes that may wait before further ones are refused; default 1024
	AsItIs  bool // Migrate refuses a file that it would have to change
	Log     *slog.Logger
	// CommitFault, if set, is asked before every commit; its error makes the commit fail. For tests of disk errors.
	CommitFault func() error
}

// DB is one open file.
type DB struct {
	opts    Options
	jobs    chan *job
	readers chan *conn // idle ones; a nil stands for one not opened yet
	closing chan struct{}
	loops   sync.WaitGroup
	closed  sync.RWMutex // held for reading while a job is handed in
	isDone  bool
}

// Open opens or creates the file. Close it.
func Open(ctx context.Context, o Options) (*DB, error) {
	o.Readers = orDefault(o.Readers, 8)
	o.Queue = orDefault(o.Queue, 1024)
	db := &DB{opts: o, jobs: make(chan *job, o.Queue), readers: make(chan *conn, o.Readers), closing: make(chan struct{})}
	writer, err := db.connect(writerPragmas)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	checkpointer, err := db.connect(writerPragmas)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.Path, err), writer.close())
	}
	for range o.Readers {
		db.readers <- nil
	}
	w := &writeLoop{db: db, conn: writer, restart: make(chan struct{}, 1)}
	db.loops.Go(w.run)
	db.loops.Go(func() { checkpoints(db, checkpointer, w.restart) })
	return db, nil
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

const pageSize = 4096

// Pragmas are per connection. synchronous=FULL is not a setting: a positive answer means synced.
var (
	commonPragmas = []string{"busy_timeout=10000", "foreign_keys=ON", "temp_store=MEMORY"}
	writerPragmas = append([]string{fmt.Sprintf("page_size=%d", pageSize), "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0",
		"journal_size_limit=67108864", "cache_size=-4096"}, commonPragmas...)
	readerPragmas = append([]string{"query_only=ON", "cache_size=-1024"}, commonPragmas...)
)

func (db *DB) connect(pragmas []string) (*conn, error) {
	dsn := "file:" + (&url.URL{Path: db.opts.Path}).EscapedPath() + "?_txlock=immediate"
	dc, err := (&modernc.Driver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: dc, prepared: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := pragma(dc, p); err != nil {
			return nil, errors.Join(fmt.Errorf("pragma %s: %w", p, err), c.close())
		}
	}
	return c, nil
}

func pragma(dc driver.Conn, p string) error {
	_, err := dc.(driver.ExecerContext).ExecContext(context.Background(), "PRAGMA "+p, nil)
	return err
}

// Read runs fn on a snapshot, under scope. fn's handle cannot write.
func (db *DB) Read(ctx context.Context, scope mail.Scope, fn func(Tx) error) (err error) {
	var c *conn
	select {
	case c = <-db.readers:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return ErrClosed
	}
	defer func() { db.readers <- c }()
	if c == nil {
		if c, err = db.connect(readerPragmas); err != nil {
			c = nil
			return err
		}
	}
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.exec("ROLLBACK")) }()
	return fn(Tx{conn: c, scope: scope})
}

// Write runs fn in the writer's transaction, under scope, and returns once that is committed and synced, or fn or the
// commit failed. fn is SQL only: no clock, no network, no waiting. ErrOverloaded when too many writes wait already.
func (db *DB) Write(ctx context.Context, scope mail.Scope, fn func(Tx) error) error {
	j := &job{ctx: ctx, scope: scope, fn: fn, done: make(chan error, 1)}
	db.closed.RLock()
	if db.isDone {
		db.closed.RUnlock()
		return ErrClosed
	}
	select {
	case db.jobs <- j:
		db.closed.RUnlock()
	default:
		db.closed.RUnlock()
		return ErrOverloaded
	}
	return <-j.done
}

// Waiting is how many writes wait at the moment.
func (db *DB) Waiting() int { return len(db.jobs) }

// Close lets the waiting writes finish, then closes the file. Reads must have ended.
func (db *DB) Close() error {
	db.closed.Lock()
	if db.isDone {
		db.closed.Unlock()
		return nil
	}
	db.isDone = true
	close(db.jobs)
	close(db.closing)
	db.closed.Unlock()
	db.loops.Wait()
	var errs []error
	timeout := time.After(5 * time.Second)
	for range db.opts.Readers {
		select {
		case c := <-db.readers:
			if c != nil {
				errs = append(errs, c.close())
			}
		case <-timeout:
			return errors.Join(append(errs, errors.New("a read did not end: its connection was left open"))...)
		}
	}
	return errors.Join(errs...)
}
