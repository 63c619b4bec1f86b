package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"podmail/mail"
)

// conn is one connection with the statements prepared on it. It is used by one goroutine at a time.
type conn struct {
	driver.Conn
	prepared map[string]driver.Stmt
	args     []driver.NamedValue // reused between statements
}

func (c *conn) prepare(sql string) (driver.Stmt, error) {
	if st := c.prepared[sql]; st != nil {
		return st, nil
	}
	st, err := c.Conn.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", sql, err)
	}
	c.prepared[sql] = st
	return st, nil
}

// exec runs one statement text without a scope: pragmas and transaction control.
func (c *conn) exec(sql string) error {
	st, err := c.prepare(sql)
	if err != nil {
		return err
	}
	_, err = st.(driver.StmtExecContext).ExecContext(context.Background(), nil)
	return translate(err)
}

// ints runs a pragma and returns its first row, which holds integers only.
func (c *conn) ints(sql string) ([]int64, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), nil)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	vals := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(vals); err != nil {
		return nil, err
	}
	out := make([]int64, len(vals))
	for i, v := range vals {
		out[i], _ = v.(int64)
	}
	return out, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.prepared {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, c.Conn.Close())...)
}

// Tx is a handle in a transaction, bound to a scope. It is valid until the function it was given to returns.
type Tx struct {
	conn  *conn
	scope mail.Scope
}

// Scope is what the handle is bound to.
func (tx Tx) Scope() mail.Scope { return tx.scope }

// Narrow returns a handle in the same transaction, bound to a scope. Storage decides who may call it.
func (tx Tx) Narrow(scope mail.Scope) Tx { return Tx{conn: tx.conn, scope: scope} }

// bind picks the form of s for the handle's scope, with args and the scope's ids as its arguments.
func (tx Tx) bind(s *Statement, args []any) (driver.Stmt, []driver.NamedValue, error) {
	f := &s.forms[formOf(tx.scope)]
	if f.err != nil {
		return nil, nil, f.err
	}
	if len(args) != s.params {
		return nil, nil, fmt.Errorf("%d arguments for %d parameters in: %s", len(args), s.params, s.text)
	}
	st, err := tx.conn.prepare(f.sql)
	if err != nil {
		return nil, nil, err
	}
	named := tx.conn.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, nil, fmt.Errorf("argument %d of %s: %w", i+1, s.text, err)
		}
		named = append(named, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	if f.bound > 0 {
		named = append(named, driver.NamedValue{Ordinal: len(named) + 1, Value: tx.scope.Pod})
	}
	if f.bound > 1 {
		named = append(named, driver.NamedValue{Ordinal: len(named) + 1, Value: tx.scope.Inbox})
	}
	tx.conn.args = named
	return st, named, nil
}

// Exec runs a statement and returns how many rows it changed.
func (tx Tx) Exec(s *Statement, args ...any) (int64, error) {
	res, err := tx.run(s, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Insert runs an INSERT and returns the new row's id.
func (tx Tx) Insert(s *Statement, args ...any) (int64, error) {
	res, err := tx.run(s, args)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func (tx Tx) run(s *Statement, args []any) (driver.Result, error) {
	st, named, err := tx.bind(s, args)
	if err != nil {
		return nil, err
	}
	res, err := st.(driver.StmtExecContext).ExecContext(context.Background(), named)
	if err != nil {
		return nil, fmt.Errorf("%w in: %s", translate(err), s.text)
	}
	return res, nil
}

// Each calls fn for every row. An error of fn ends it.
func (tx Tx) Each(s *Statement, args []any, fn func(*Row) error) (err error) {
	st, named, err := tx.bind(s, args)
	if err != nil {
		return err
	}
	rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), named)
	if err != nil {
		return fmt.Errorf("%w in: %s", translate(err), s.text)
	}
	defer func() { err = errors.Join(err, translate(rows.Close())) }()
	r := Row{vals: make([]driver.Value, len(rows.Columns()))}
	for {
		if err := rows.Next(r.vals); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w in: %s", translate(err), s.text)
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
}

var errStop = errors.New("stop")

// One scans the first row into dest, or returns ErrNoRows.
func (tx Tx) One(s *Statement, args []any, dest ...any) error {
	err := tx.Each(s, args, func(r *Row) error {
		if err := r.Scan(dest...); err != nil {
			return err
		}
		return errStop
	})
	if errors.Is(err, errStop) {
		return nil
	}
	if err == nil {
		return ErrNoRows
	}
	return err
}

// value turns an argument into what the driver takes. Times become microseconds, a zero time becomes NULL; a zero
// mail id stays zero: say Null(id) where zero means none.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, float64, bool, []byte, string:
		return v, nil
	case int:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint8:
		return int64(v), nil
	case time.Time:
		if v.IsZero() {
			return nil, nil
		}
		return v.UnixMicro(), nil
	}
	return nil, fmt.Errorf("type %T is not for SQL", a)
}

// Null is v, or NULL if v is the zero value.
func Null[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// Row is one row of an answer.
type Row struct{ vals []driver.Value }

// Scan copies the row's columns into dest: pointers to int64, int, uint32, bool, string, []byte or time.Time. NULL
// becomes the zero value.
func (r *Row) Scan(dest ...any) error {
	if len(dest) != len(r.vals) {
		return fmt.Errorf("scan: %d columns into %d variables", len(r.vals), len(dest))
	}
	for i, d := range dest {
		if !scan(r.vals[i], d) {
			return fmt.Errorf("scan: column %d: %T into %T", i+1, r.vals[i], d)
		}
	}
	return nil
}

func scan(v driver.Value, dest any) bool {
	switch d := dest.(type) {
	case *string:
		s, ok := v.(string)
		*d = s
		return ok || v == nil
	case *[]byte:
		b, ok := v.([]byte)
		*d = b
		return ok || v == nil
	}
	n, ok := v.(int64)
	switch d := dest.(type) {
	case *int64:
		*d = n
	case *int:
		*d = int(n)
	case *uint32:
		*d = uint32(n)
	case *bool:
		*d = n != 0
	case *time.Time:
		*d = time.Time{}
		if ok {
			*d = time.UnixMicro(n).UTC()
		}
	default:
		return false
	}
	return ok || v == nil
}
