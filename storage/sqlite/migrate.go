package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ErrNewer is returned for a file that a newer release has migrated.
var ErrNewer = errors.New("the file was written by a newer release")

// ErrOlder is returned for a file that would have to be migrated and must not be.
var ErrOlder = errors.New("the file was written by an older release")

// Migrate brings the file at o.Path up to the newest of the numbered migrations (0001_name.sql, …): forward only, each
// in one transaction. Before the first one touches a file that holds data it leaves a consistent copy beside it,
// named after the version that the copy has.
func Migrate(ctx context.Context, o Options, migrations fs.FS) error {
	steps, err := readMigrations(migrations)
	if err != nil {
		return err
	}
	db := &DB{opts: o}
	c, err := db.connect(writerPragmas)
	if err != nil {
		return fmt.Errorf("open %s: %w", o.Path, err)
	}
	defer c.close()
	version, err := c.ints("PRAGMA user_version")
	if err != nil {
		return fmt.Errorf("read the version of %s: %w", o.Path, err)
	}
	have, want := int(version[0]), len(steps)
	switch {
	case have == want:
		return nil
	case have > want:
		return fmt.Errorf("%s has version %d, this release knows %d: %w; run the newer release", o.Path, have, want, ErrNewer)
	case o.AsItIs:
		return fmt.Errorf("%s has version %d, this release works with %d: %w; restart the server with this release first", o.Path, have, want, ErrOlder)
	case have > 0:
		if err := c.copyTo(fmt.Sprintf("%s.v%d", o.Path, have)); err != nil {
			return fmt.Errorf("copy %s before migrating: %w", o.Path, err)
		}
	}
	for i := have; i < want; i++ {
		if err := c.migrate(steps[i], i+1); err != nil {
			return fmt.Errorf("migration %d of %s: %w", i+1, o.Path, err)
		}
		o.Log.Info("migrated", "file", o.Path, "version", i+1)
	}
	return nil
}

// readMigrations returns the texts in order and insists on numbers without gaps.
func readMigrations(migrations fs.FS) ([]string, error) {
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var steps []string
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s should be number %d", name, i+1)
		}
		b, err := fs.ReadFile(migrations, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(b))
	}
	return steps, nil
}

func (c *conn) migrate(sql string, version int) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	script := sql + fmt.Sprintf("\n;PRAGMA user_version = %d;", version)
	if _, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), script, nil); err != nil {
		return errors.Join(translate(err), c.exec("ROLLBACK"))
	}
	return c.exec("COMMIT")
}

// copyTo writes a consistent copy of the database; one that is there from an attempt before is replaced.
func (c *conn) copyTo(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := c.Conn.(driver.ExecerContext).ExecContext(context.Background(), "VACUUM INTO ?",
		[]driver.NamedValue{{Ordinal: 1, Value: path}})
	return translate(err)
}
