package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"podmail/mail"
)

// A group ends when it has this many jobs or has taken this long, so that those who came first do not wait for ever.
const (
	maxGroup     = 256
	maxGroupTime = 20 * time.Millisecond
)

type job struct {
	ctx   context.Context
	scope mail.Scope
	fn    func(Tx) error
	err   error
	done  chan error
}

// writeLoop owns the one connection that writes.
type writeLoop struct {
	db      *DB
	conn    *conn
	restart chan struct{} // the checkpointer asks to start the WAL over
}

// run serves jobs until the channel is closed and empty: as many as wait are one transaction.
func (w *writeLoop) run() {
	defer w.conn.close()
	for {
		select {
		case j, ok := <-w.db.jobs:
			if !ok {
				return
			}
			w.group(j)
		case <-w.restart:
			w.restartWAL()
		}
	}
}

// group runs first and whatever waits behind it in one transaction, commits, and only then answers all.
func (w *writeLoop) group(first *job) {
	began := time.Now()
	if err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		w.answer([]*job{first}, fmt.Errorf("begin: %w", err))
		return
	}
	// The first needs no savepoint: if it fails there is nothing yet that must stay.
	if first.err = w.call(first); first.err != nil {
		w.rollback()
		w.answer([]*job{first}, nil)
		return
	}
	group := []*job{first}
	var broken error
	for broken == nil && len(group) < maxGroup && time.Since(began) < maxGroupTime {
		var next *job
		select {
		case next = <-w.db.jobs: // nil once closed and empty
		default:
		}
		if next == nil {
			break
		}
		group = append(group, next)
		broken = w.savepoint(next)
	}
	if broken == nil {
		broken = w.commit()
	}
	if broken != nil {
		w.rollback()
	}
	w.answer(group, broken)
}

// rollback gives up the transaction. SQLite does that by itself on a full disk or an I/O error; then there is nothing
// left to roll back.
func (w *writeLoop) rollback() {
	if err := w.conn.exec("ROLLBACK"); err != nil {
		w.db.opts.Log.Debug("rollback", "error", err)
	}
}

func (w *writeLoop) commit() error {
	if f := w.db.opts.CommitFault; f != nil {
		if err := f(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
	}
	if err := w.conn.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// savepoint runs one job so that its failure leaves the others of the group alone. It returns an error only if the
// whole transaction is lost.
func (w *writeLoop) savepoint(j *job) error {
	if err := w.conn.exec("SAVEPOINT job"); err != nil {
		return err
	}
	if j.err = w.call(j); j.err != nil {
		if err := w.conn.exec("ROLLBACK TO job"); err != nil {
			return errors.Join(err, j.err)
		}
	}
	return w.conn.exec("RELEASE job")
}

// call runs a job, unless whoever asked for it has given up. A panic fails the job and not the server.
func (w *writeLoop) call(j *job) (err error) {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return j.fn(Tx{conn: w.conn, scope: j.scope})
}

func (w *writeLoop) answer(group []*job, broken error) {
	for _, j := range group {
		if j.err == nil {
			j.err = broken
		}
		j.done <- j.err
	}
}

// restartWAL starts the WAL file over. It is short because a passive checkpoint has just copied nearly all of it, and
// it gives up rather than wait for a reader that still needs the old WAL: it will be asked again.
func (w *writeLoop) restartWAL() {
	for _, p := range []string{"PRAGMA busy_timeout=0", "PRAGMA wal_checkpoint(RESTART)", "PRAGMA busy_timeout=10000"} {
		if _, err := w.conn.ints(p); err != nil {
			w.db.opts.Log.Warn("restarting the WAL failed; it is tried again", "statement", p, "error", err)
		}
	}
}
