package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// What callers can tell apart. Everything else is a failure of the machine or of the program.
var (
	ErrNoRows     = errors.New("no rows")
	ErrUnique     = errors.New("unique constraint failed")
	ErrForeignKey = errors.New("foreign key constraint failed")
	ErrOverloaded = errors.New("too many writes are waiting")
	ErrFull       = errors.New("the disk or the file is full")
	ErrClosed     = errors.New("the database is closed")
)

// translate turns the driver's constraint numbers into this package's errors: the one place that knows them.
func translate(err error) error {
	e, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return err
	}
	switch e.Code() {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY, lib.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", ErrUnique, err)
	case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", ErrForeignKey, err)
	case lib.SQLITE_FULL:
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
