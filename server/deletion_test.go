package server_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
)

// TestDeletedThingsLeaveNothingBehind empties pods, and looks into the file for rows that are left.
func TestDeletedThingsLeaveNothingBehind(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s, store, err := openServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := s.CreatePod(ctx, s.Operator(), server.NewPod{Name: "gone", ClientID: "customer-1"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.InPod(ctx, s.Operator(), "customer-1")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := s.CreateInbox(ctx, g, server.NewInbox{Username: "alice", ClientID: "inbox-1"})
	if err != nil {
		t.Fatal(err)
	}
	ig, err := s.InInbox(ctx, g, "inbox-1")
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.CreateAPIKey(ctx, ig, server.NewAPIKey{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 450 { // more than one batch of the sweeper
		raw := fmt.Sprintf("From: x@example.org\r\nMessage-ID: <%d@x>\r\nReferences: <missing%d@x>\r\n\r\nbody %d", i, i, i)
		if err := s.Deliver(ctx, server.Incoming{Recipients: []string{inbox.Address}, Body: strings.NewReader(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Deliver(ctx, server.Incoming{Recipients: []string{inbox.Address}, Body: strings.NewReader("Subject: big\r\n\r\n" + strings.Repeat("x", 600_000))}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(ctx, ig, server.SendRequest{To: []string{"far@example.net"}, Text: str("queued")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Send(ctx, ig, server.SendRequest{To: []string{inbox.Address}, Text: str("delivered")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DeliverDue(ctx); err != nil {
		t.Fatal(err)
	}
	sent, _, err := s.ListMessages(ctx, ig, mail.MessageFilter{Labels: []string{mail.LabelSent, mail.LabelDelivered}}, mail.Page{Limit: 10})
	if err != nil || len(sent) != 2 {
		t.Fatal(sent, err)
	}
	if err := s.DeleteMessage(ctx, ig, sent[0].MessageID); err != nil { // what became of it is remembered
		t.Fatal(err)
	}
	if _, err := s.IndexMessages(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.DeletePod(ctx, s.Operator(), pod.PodID); mail.CodeOf(err) != mail.CodeForbidden || !strings.Contains(err.Error(), "1 inbox and 0 domains") {
		t.Fatalf("a pod with an inbox: %v", err)
	}
	if err := s.DeleteInbox(ctx, g, inbox.Address); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(ctx, secret); mail.CodeOf(err) != mail.CodeUnauthenticated {
		t.Errorf("the inbox's key still works: %v", err)
	}
	if _, err := s.Recipient(ctx, "", inbox.Address); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("the address still takes mail: %v", err)
	}
	if _, _, err := s.ListMessages(ctx, ig, mail.MessageFilter{}, mail.Page{Limit: 1}); err != nil && mail.CodeOf(err) != mail.CodeNotFound {
		t.Error(err)
	}
	again, err := s.CreateInbox(ctx, s.Operator(), server.NewInbox{Username: "alice"})
	if err != nil || again.UIDValidity <= inbox.UIDValidity || again.PodID == inbox.PodID {
		t.Fatalf("the address again: %+v %v", again, err)
	}
	if err := s.DeletePod(ctx, s.Operator(), "customer-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetPod(ctx, s.Operator(), pod.PodID); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("the pod is still there: %v", err)
	}
	for more := true; more; {
		if more, err = s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	checkNoRows(t, filepath.Join(dir, "podmail.db"), pod.ID)
}

func checkNoRows(t *testing.T, path string, pod int64) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range []string{"pods", "inboxes", "mailboxes", "messages", "message_labels", "threads", "thread_labels", "thread_references", "blobs", "blob_chunks",
		"events", "deliveries", "delivery_attempts", "expunges", "api_keys", "domains"} {
		column := "pod_id"
		if table == "pods" {
			column = "id"
		}
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM `+table+` WHERE `+column+` = ?`, pod).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d rows of %s are left: %v", n, table, err)
		}
	}
	for _, index := range []string{"search", "search_parts"} {
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM ` + index + `_docsize WHERE id NOT IN (SELECT id FROM messages)`).Scan(&n); err != nil || n > 0 {
			t.Errorf("%d messages are left in the index %s: %v", n, index, err)
		}
	}
}
