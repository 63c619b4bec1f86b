package storage

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"podmail/mail"
	"podmail/storage/sqlite"
)

// TestMigrationsKeepRows takes a file of the first release, with a key in it, and reads the key with this one.
func TestMigrationsKeepRows(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "podmail.db")
	log := slog.New(slog.DiscardHandler)
	first, err := fs.ReadFile(migrationFiles, "migrations/0001_podmail.sql")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256([]byte("am_org_secret"))
	first = fmt.Appendf(first, `;INSERT INTO api_keys (id, public_id, name, prefix, hash, permissions, created_at, updated_at)
		VALUES (7, 'key', 'old', 'am_org_', x'%x', '{"inbox_read":true}', 1, 1);`, hash)
	if err := sqlite.Migrate(ctx, sqlite.Options{Path: path, Log: log}, fstest.MapFS{"0001_podmail.sql": {Data: first}}); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.System().Read(ctx, func(tx SystemTx) error {
		k, err := tx.FindAPIKeyByHash(hash[:])
		if k.Type != mail.APIKeyBearer || k.Name != "old" || !k.Permissions["inbox_read"] || k.Provable {
			t.Errorf("%+v", k)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = s.System().Write(ctx, func(tx SystemTx) error { // it is used, and can be proved from then on
		if err := tx.TouchAPIKey(7, time.Now(), []byte("verifier")); err != nil {
			return err
		}
		if err := tx.TouchAPIKey(7, time.Now(), nil); err != nil {
			return err
		}
		k, err := tx.FindAPIKeyByHash(hash[:])
		if !k.Provable {
			t.Errorf("%+v", k)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestMigrationsKeepDeliveries takes a file from before deliveries outlived their messages, and gives no id twice.
func TestMigrationsKeepDeliveries(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "podmail.db")
	log := slog.New(slog.DiscardHandler)
	before := fstest.MapFS{}
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "migrations/0031_gone_deliveries.sql" {
			break
		}
		before[filepath.Base(name)] = &fstest.MapFile{Data: text}
	}
	last := before["0030_queue_controls.sql"]
	last.Data = append(last.Data, `;INSERT INTO pods (id, public_id, name, is_default, created_at, updated_at) VALUES (3, 'p', 'p', 0, 1, 1);
		INSERT INTO inboxes (id, pod_id, address, uid_validity, created_at, updated_at) VALUES (5, 3, 'a@x.test', 1, 1, 1);
		INSERT INTO blobs (id, pod_id, hash, size, created_at, bytes) VALUES (7, 3, x'01', 2, 1, x'4869');
		INSERT INTO deliveries (id, pod_id, inbox_id, blob_id, gone_message_id, sender, recipient, destination, courier, state, trace_id, created_at, updated_at, envelope_id, return, require_tls, notify,
			original_recipient, urgent, purpose, origin, trace, held_by) VALUES (9, 3, 5, 7, '<1@x>', 'a@x.test', 'b@y.test', 'y.test', 'smtp', 'held', 't', 1, 2, 'e', 'HDRS', 1, 'NEVER', 'rfc822;b@y.test', 0, 'forward', '{"vouched":"authenticated"}', x'583a2079', 'pod');
		INSERT INTO deliveries (id, pod_id, inbox_id, blob_id, gone_message_id, sender, recipient, destination, courier, state, trace_id, created_at, updated_at) VALUES (20, 3, 5, 7, '<2@x>', '', 'b@y.test', 'y.test', 'smtp', 'queued', 't', 1, 2);
		DELETE FROM deliveries WHERE id = 20;`...)
	if err := sqlite.Migrate(ctx, sqlite.Options{Path: path, Log: log}, before); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Options{Path: path, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.For(mail.Scope{Pod: 3, Inbox: 5}).Write(ctx, func(tx Tx) error {
		want := mail.Delivery{ID: 9, Pod: 3, Inbox: 5, Purpose: mail.PurposeForward, MessageID: "<1@x>", Origin: mail.Origin{Vouched: mail.VouchedByChecks}, Sender: "a@x.test", Recipient: "b@y.test", Destination: "y.test",
			Courier: mail.CourierSMTP, State: mail.DeliveryHeld, HeldBy: mail.ScopePod, CreatedAt: time.UnixMicro(1).UTC(), UpdatedAt: time.UnixMicro(2).UTC(), TraceID: "t",
			Handling: mail.Handling{EnvelopeID: "e", Return: "HDRS", RequireTLS: true}, Reporting: mail.Reporting{Notify: "NEVER", OriginalRecipient: "rfc822;b@y.test"}}
		if d, err := tx.FindDelivery(9); err != nil || d != want {
			t.Errorf("%+v, %v, want %+v", d, err, want)
		}
		if raw, err := tx.FindCarried(9); err != nil || raw.Blob != 7 || string(raw.Trace) != "X: y" {
			t.Errorf("%+v, %v", raw, err)
		}
		if err := tx.InsertNotice(mail.Delivery{State: mail.DeliveryQueued, Courier: mail.CourierSMTP, CreatedAt: time.UnixMicro(3)}, 7, nil); err != nil {
			return err
		}
		if _, err := tx.FindDelivery(21); err != nil {
			t.Errorf("the next delivery has another id: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
