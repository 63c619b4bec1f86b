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
