package storage

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// opened makes a migrated file and returns its path, closed again.
func opened(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "podmail.db")
	s, err := Open(context.Background(), Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func query(t *testing.T, db *sql.DB, q string, args ...any) (rows [][]any) {
	t.Helper()
	r, err := db.Query(q, args...)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer r.Close()
	cols, _ := r.Columns()
	for r.Next() {
		row, ptr := make([]any, len(cols)), make([]any, len(cols))
		for i := range row {
			ptr[i] = &row[i]
		}
		if err := r.Scan(ptr...); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestEveryTableIsBoundToAPod reads the schema itself.
func TestEveryTableIsBoundToAPod(t *testing.T) {
	db, err := sql.Open("sqlite", opened(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// organization is one row; pods are the pods; search carries its scope in a column that every query asks for.
	// sts_policies are what domains of the world publish, to everybody; unheard are messages' ids alone, which may be in several.
	exempt := []string{"organization", "pods", "search", "sts_policies", "unheard", "sqlite_sequence"}
	// Led by something else than the pod, because they serve look-ups that have no pod yet or the organization's lists.
	wider := []string{"inboxes_of_all_by_time", "inboxes_deleted", "inboxes_forwarding", "api_keys_of_all_by_time", "api_keys_by_client_id", "drafts_of_all_by_time", "drafts_due", "dmarc_counts_by_day", "tls_counts_by_day", "tls_reports_due", "greylist_expiring", "inbox_words_of_all", "list_entries_by_entry", "list_entries_expiring", "idempotency_keys_by_key", "idempotency_keys_by_time", "threads_of_all_by_time", "thread_labels_by_label",
		"deliveries_due", "deliveries_urgent", "deliveries_gone_by_age", "queue_pauses_by_name", "routes_by_name", "sending_counts_by_sender", "sending_counts_by_age", "webhooks_of_all_by_time", "webhooks_by_client_id", "webhooks_deleted",
		"webhook_deliveries_by_webhook", "webhook_deliveries_by_lane", "webhook_deliveries_due", "webhook_deliveries_by_age",
		"webhook_attempts_by_delivery", "webhook_attempts_by_webhook", "webhook_attempts_by_age", "blobs_staged", "pods_by_time",
		"domains_of_all_by_time", "domain_reports_by_report", "domain_reports_by_time", "domain_reports_by_age", "domains_due", "domains_deleted", "inboxes_by_domain"}
	for _, row := range query(t, db, `SELECT name FROM sqlite_master WHERE type = 'table'`) {
		table := row[0].(string)
		if slices.Contains(exempt, table) || strings.HasPrefix(table, "search_") {
			continue
		}
		columns := map[string]bool{}
		for _, c := range query(t, db, `SELECT name FROM pragma_table_info(?)`, table) {
			columns[c[0].(string)] = true
		}
		if !columns["pod_id"] {
			t.Errorf("table %s has no pod_id", table)
		}
		if !tables.Declares(table) {
			t.Errorf("table %s is not declared with its scope columns", table)
		}
		fks := map[int64][][2]string{}
		for _, fk := range query(t, db, `SELECT id, "from", "table" FROM pragma_foreign_key_list(?)`, table) {
			fks[fk[0].(int64)] = append(fks[fk[0].(int64)], [2]string{fk[1].(string), fk[2].(string)})
		}
		if len(fks) == 0 {
			t.Errorf("table %s has no foreign key: its rows could belong to no pod", table)
		}
		for _, fk := range fks {
			if fk[0][0] != "pod_id" {
				t.Errorf("a foreign key of %s to %s does not begin with pod_id: a row could point into another pod", table, fk[0][1])
			}
		}
		for _, ix := range query(t, db, `SELECT name, origin FROM pragma_index_list(?)`, table) {
			name := ix[0].(string)
			first := query(t, db, `SELECT name FROM pragma_index_info(?) WHERE seqno = 0`, name)[0][0]
			single := ix[1].(string) == "u" && len(query(t, db, `SELECT name FROM pragma_index_info(?)`, name)) == 1 // public ids: looked up before the pod is known
			if first != "pod_id" && !single && !slices.Contains(wider, name) {
				t.Errorf("index %s of %s is led by %v, not by pod_id", name, table, first)
			}
		}
	}
}

// TestNoScopedStatementScansATable looks at the plan of every statement's pod and inbox form.
func TestNoScopedStatementScansATable(t *testing.T) {
	db, err := sql.Open("sqlite", opened(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n := 0
	for _, s := range tables.Statements() {
		for scope, text := range s.Forms() {
			plan := explain(t, db, text)
			n++
			for _, step := range plan {
				if strings.HasPrefix(step, "SCAN ") && !allowedScan(step) {
					t.Errorf("%s form scans: %s\n  %s", scope, step, s)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d forms were looked at", n)
	}
}

// allowedScan lets through what is no table of ours or has one row.
func allowedScan(step string) bool {
	for _, ok := range []string{"SCAN j", "SCAN CONSTANT ROW", "SCAN 2-ROW VALUES CLAUSE", "SCAN 6-ROW VALUES CLAUSE", "SCAN (subquery", "SCAN organization", "SCAN search VIRTUAL TABLE", "SCAN search_parts VIRTUAL TABLE", "SCAN destinations",
		"SCAN waiting"} {
		if strings.HasPrefix(step, ok) {
			return true
		}
	}
	return false
}

func explain(t *testing.T, db *sql.DB, text string) (steps []string) {
	t.Helper()
	args := make([]any, strings.Count(text, "?")+4)
	for i := range args {
		args[i] = int64(1)
	}
	rows := query(t, db, "EXPLAIN QUERY PLAN "+text, args...)
	for _, r := range rows {
		steps = append(steps, r[3].(string))
	}
	return steps
}

func TestStatementsThatReachOverTheBorderDoNotCompile(t *testing.T) {
	for _, text := range []string{
		`SELECT m.id FROM messages m WHERE m.id = ?`,
		`SELECT m.id FROM messages m JOIN threads t ON t.id = m.thread_id WHERE {scope m}`,
		`SELECT m.id FROM messages m, threads t WHERE {scope m} AND {scope t}`,
		`UPDATE messages SET labels = ? WHERE id = ?`,
		`DELETE FROM messages WHERE id = ?`,
		`INSERT INTO events (pod_id, type) VALUES (?, ?)`,
		`SELECT x.id FROM unknown x WHERE {scope x}`,
		`SELECT m.id FROM messages m WHERE {scope t}`,
		`SELECT search.rowid FROM search JOIN messages m ON m.id = search.rowid WHERE search MATCH ?`,
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("compiles: %s", text)
				}
			}()
			tables.Compile(text)
		}()
	}
}

// TestTheQueueIsReadByItsIndexes: what a step of the queue reads must not grow with what waits beside it.
func TestTheQueueIsReadByItsIndexes(t *testing.T) {
	db, err := sql.Open("sqlite", opened(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for name, c := range map[string]struct {
		statement *sqlite.Statement
		index     string
	}{
		"listDueWith": {listDueWith, "deliveries_by_message (pod_id=? AND message_id=?"},
		"isDelayed":   {isDelayed, "deliveries_by_message (pod_id=? AND message_id=?"},
		"listDueTo":   {listDueTo, "deliveries_by_destination (pod_id=? AND destination=? AND next_attempt_at<?)"},
		"hasDue":      {hasDue, "deliveries_due_of_pod (pod_id=? AND next_attempt_at<?)"},
	} {
		plan := strings.Join(explain(t, db, c.statement.Forms()[mail.ScopePod]), "\n")
		if !strings.Contains(plan, c.index) || strings.Contains(plan, "TEMP B-TREE") && name == "listDueTo" {
			t.Errorf("%s: %s", name, plan)
		}
	}
}
