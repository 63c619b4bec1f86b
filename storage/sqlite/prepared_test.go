package sqlite

import (
	"context"
	"reflect"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// rePrepared is how often SQLite has prepared a statement anew. The driver keeps the number to itself.
func rePrepared(t *testing.T, tx Tx, s *Statement) int32 {
	t.Helper()
	st := reflect.ValueOf(tx.conn.prepared[s.forms[formOf(tx.scope)].sql]).Elem()
	handle, tls := st.FieldByName("pstmt").Uint(), (*libc.TLS)(unsafe.Pointer(st.FieldByName("c").Elem().FieldByName("tls").Pointer()))
	if handle == 0 {
		t.Fatalf("not kept prepared: %s", s)
	}
	return lib.Xsqlite3_stmt_status(tls, uintptr(handle), lib.SQLITE_STMTSTATUS_REPREPARE, 0)
}

func TestStatementsArePreparedOnceWhateverTheScope(t *testing.T) {
	db := open(t, Options{})
	paired := testSchema.Compile(`SELECT i.name FROM items i JOIN items j ON j.id = i.id AND {scope j} WHERE i.name >= ?1 AND {scope i} ORDER BY i.name LIMIT ?2`)
	err := db.Write(context.Background(), inbox(1, 1), func(tx Tx) error {
		for round := range 4 {
			for pod := range int64(3) {
				err := tx.Narrow(inbox(pod+1, int64(round+1))).Each(paired, []any{"", round}, func(*Row) error { return nil })
				if err != nil {
					return err
				}
			}
		}
		if n := rePrepared(t, tx, paired); n > 0 {
			t.Errorf("it was prepared anew %d times", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
