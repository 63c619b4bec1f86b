package storage

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// What callers can tell apart; server chooses the codes.
var (
	ErrNotFound   = errors.New("no such row")
	ErrTaken      = errors.New("taken already")
	ErrGone       = errors.New("what the row belongs to is gone")
	ErrOverloaded = sqlite.ErrOverloaded
	ErrFull       = sqlite.ErrFull
	ErrClosed     = sqlite.ErrClosed
	ErrInUse      = errors.New("another process serves this data")
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// tables says what binds each table to a pod and to an inbox. organization holds a single row, search carries its scope
// inside (see search.go), sts_policies are of domains of the world, and unheard holds ids alone; the statements over
// them need no mark.
var tables = sqlite.NewSchema(sqlite.Tables{
	"organization":       {},
	"search":             {},
	"search_parts":       {},
	"sts_policies":       {},
	"unheard":            {},
	"inbox_words":        {Pod: "pod_id", Inbox: "inbox_id"},
	"pods":               {Pod: "id"},
	"domains":            {Pod: "pod_id"},
	"domain_reports":     {Pod: "pod_id"},
	"inboxes":            {Pod: "pod_id", Inbox: "id"},
	"api_keys":           {Pod: "pod_id", Inbox: "inbox_id"},
	"mailboxes":          {Pod: "pod_id", Inbox: "inbox_id"},
	"blobs":              {Pod: "pod_id"},
	"blob_chunks":        {Pod: "pod_id"},
	"threads":            {Pod: "pod_id", Inbox: "inbox_id"},
	"thread_labels":      {Pod: "pod_id", Inbox: "inbox_id"},
	"thread_references":  {Pod: "pod_id", Inbox: "inbox_id"},
	"messages":           {Pod: "pod_id", Inbox: "inbox_id"},
	"message_labels":     {Pod: "pod_id", Inbox: "inbox_id"},
	"drafts":             {Pod: "pod_id", Inbox: "inbox_id"},
	"idempotency_keys":   {Pod: "pod_id", Inbox: "inbox_id"},
	"list_entries":       {Pod: "pod_id", Inbox: "inbox_id"},
	"dmarc_counts":       {Pod: "pod_id"},
	"tls_counts":         {Pod: "pod_id"},
	"tls_reports":        {Pod: "pod_id"},
	"greylist":           {Pod: "pod_id", Inbox: "inbox_id"},
	"spam_tokens":        {Pod: "pod_id"},
	"spam_lessons":       {Pod: "pod_id", Inbox: "inbox_id"},
	"expunges":           {Pod: "pod_id", Inbox: "inbox_id"},
	"delivery_attempts":  {Pod: "pod_id", Inbox: "inbox_id"},
	"queue_pauses":       {Pod: "pod_id"},
	"queue_controls":     {Pod: "pod_id"},
	"routes":             {Pod: "pod_id"},
	"sending_counts":     {Pod: "pod_id", Inbox: "inbox_id"},
	"deliveries":         {Pod: "pod_id", Inbox: "inbox_id"},
	"webhooks":           {Pod: "pod_id", Inbox: "inbox_id"},
	"webhook_deliveries": {Pod: "pod_id", Inbox: "inbox_id"},
	"webhook_attempts":   {Pod: "pod_id", Inbox: "inbox_id"},
	"events":             {Pod: "pod_id", Inbox: "inbox_id"},
	"agent_sign_ups":     {Pod: "pod_id"},
	"metrics":            {Pod: "pod_id", Inbox: "inbox_id"},
	"usage_changes":      {Pod: "pod_id", Inbox: "inbox_id"},
})

// Options is how the store is opened.
type Options struct {
	Path      string // of podmail.db; its folder must exist
	Exclusive bool   // refuse to open if another process has it open exclusively: one server per file
	AsItIs    bool   // refuse to open instead of migrating: beside a server of another release
	Log       *slog.Logger
	// CommitFault, if set, is asked before every commit; its error makes the commit fail. For tests of disk errors.
	CommitFault func() error
}

// Store is the open file. It is safe for concurrent use.
type Store struct {
	db     *sqlite.DB
	lock   *os.File
	writes atomic.Uint64 // that somebody waited for
}

// Open opens or creates the file and migrates it. ErrInUse if it is served by another process already.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{}
	if o.Exclusive {
		lock, err := lockFile(o.Path + ".lock")
		if err != nil {
			return nil, err
		}
		s.lock = lock
	}
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	so := sqlite.Options{Path: o.Path, Log: o.Log, CommitFault: o.CommitFault}
	so.AsItIs = o.AsItIs
	if err := sqlite.Migrate(ctx, so, migrations); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	if s.db, err = sqlite.Open(ctx, so); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	return s, nil
}

// Close finishes the waiting writes and closes the file.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.unlock()) }

// Writes counts the writes that somebody waits for, so that work which is in no hurry can see when it is quiet.
func (s *Store) Writes() uint64 { return s.writes.Load() }

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%s is locked)", ErrInUse, path), f.Close())
	}
	return f, nil
}

func (s *Store) unlock() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// Handle gives transactions of one scope.
type Handle struct {
	db     *sqlite.DB
	scope  mail.Scope
	writes *atomic.Uint64 // nil: nobody waits for what this handle writes
}

// For returns the handle of a scope.
func (s *Store) For(scope mail.Scope) Handle {
	return Handle{db: s.db, scope: scope, writes: &s.writes}
}

// Tx is the only way to rows: in a transaction, bound to a scope, until the function it was given to returns.
type Tx struct{ tx sqlite.Tx }

// Scope is what the handle is bound to.
func (tx Tx) Scope() mail.Scope { return tx.tx.Scope() }

// Read runs fn on a snapshot.
func (h Handle) Read(ctx context.Context, fn func(Tx) error) error {
	return translate(h.db.Read(ctx, h.scope, func(tx sqlite.Tx) error { return fn(Tx{tx}) }))
}

// Write runs fn in a transaction and returns when it is committed and synced, or has failed. fn must be SQL only.
func (h Handle) Write(ctx context.Context, fn func(Tx) error) error {
	if h.writes != nil {
		h.writes.Add(1)
	}
	return translate(h.db.Write(ctx, h.scope, func(tx sqlite.Tx) error { return fn(Tx{tx}) }))
}

// translate gives the engine's errors this package's names.
func translate(err error) error {
	switch {
	case errors.Is(err, sqlite.ErrNoRows):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, sqlite.ErrUnique):
		return fmt.Errorf("%w: %w", ErrTaken, err)
	case errors.Is(err, sqlite.ErrForeignKey):
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// one is Tx.One with this package's errors, for callers that act on ErrNotFound inside a transaction.
func (tx Tx) one(s *sqlite.Statement, args []any, dest ...any) error {
	return translate(tx.tx.One(s, args, dest...))
}
