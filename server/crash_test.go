package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/notify"
	"podmail/server/servertest"
	"podmail/storage"
)

const crashDir = "PODMAIL_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		writeUntilKilled(dir)
	}
	os.Exit(m.Run())
}

func openServer(dir string) (*server.Server, *storage.Store, error) {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	store, err := storage.Open(ctx, storage.Options{Path: filepath.Join(dir, "podmail.db"), Exclusive: true, Log: log})
	if err != nil {
		return nil, nil, err
	}
	s := server.New(server.Options{Store: store, Hub: notify.NewHub(), Clock: &servertest.Clock{}, Random: rand.Reader, Resolver: servertest.NewZone(), Log: log,
		Hostname: "mx.podmail.test", DefaultDomain: "podmail.test", MaxMessageSize: 10 << 20})
	_, err = s.Bootstrap(ctx)
	return s, store, err
}

// writeUntilKilled is the child: it delivers, sends, labels and deletes as fast as it can and says on stdout what was
// acknowledged.
func writeUntilKilled(dir string) {
	ctx := context.Background()
	s, _, err := openServer(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go s.Run(ctx)
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	for i := range 6 {
		go func() {
			address := fmt.Sprintf("crash%d@podmail.test", i)
			g, err := s.InInbox(ctx, s.Operator(), address)
			if mail.CodeOf(err) == mail.CodeNotFound {
				if _, err = s.CreateInbox(ctx, s.Operator(), server.NewInbox{Username: fmt.Sprintf("crash%d", i)}); err == nil {
					g, err = s.InInbox(ctx, s.Operator(), address)
				}
			}
			for n := 0; err == nil; n++ {
				size := 1000
				if n%7 == 0 {
					size = 600_000 // more than two chunks
				}
				id := fmt.Sprintf("<%d.%d.%d@example.org>", os.Getpid(), i, n)
				raw := "From: x@example.org\r\nMessage-ID: " + id + "\r\n\r\n" + strings.Repeat(id+"\r\n", size/len(id))
				if err = s.Deliver(ctx, server.Incoming{ReversePath: "x@example.org", Recipients: []string{address}, Body: strings.NewReader(raw)}); err == nil {
					say("%s %s %d", address, id, len(raw))
				}
				if n%3 == 0 && err == nil {
					_, err = s.UpdateMessage(ctx, g, id, []string{"seen"}, []string{"unread"})
				}
			}
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}()
	}
	select {}
}

// TestKilledInTheMiddleOfWritesLosesNothingAcknowledged kills a real process again and again, and opens and checks its
// file after each.
func TestKilledInTheMiddleOfWritesLosesNothingAcknowledged(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	acknowledged := map[string][]string{} // inbox to "id size"
	for round := range rounds {
		for _, line := range runAndKill(t, dir, time.Duration(50+mathrand.IntN(400))*time.Millisecond) {
			f := strings.Fields(line)
			acknowledged[f[0]] = append(acknowledged[f[0]], f[1]+" "+f[2])
		}
		checkFile(t, filepath.Join(dir, "podmail.db"))
		checkAcknowledged(t, dir, acknowledged, round)
	}
	if len(acknowledged) < 6 {
		t.Errorf("only %d inboxes got anything", len(acknowledged))
	}
}

// runAndKill starts the child, lets it write for a while after its first acknowledgement, and kills it.
func runAndKill(t *testing.T, dir string, after time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	first := true
	for sc.Scan() {
		lines = append(lines, sc.Text())
		if first {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
			first = false
		}
	}
	cmd.Wait()
	if stderr.Len() > 0 {
		t.Fatalf("child: %s", stderr.String())
	}
	return lines
}

func checkFile(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ok string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&ok); err != nil || ok != "ok" {
		t.Fatalf("integrity: %s %v", ok, err)
	}
	var broken int
	if err := db.QueryRow(`SELECT count(*) FROM pragma_foreign_key_check`).Scan(&broken); err != nil || broken > 0 {
		t.Fatalf("%d rows point nowhere: %v", broken, err)
	}
}

func checkAcknowledged(t *testing.T, dir string, acknowledged map[string][]string, round int) {
	t.Helper()
	ctx := context.Background()
	s, store, err := openServer(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for address, list := range acknowledged {
		g, err := s.InInbox(ctx, s.Operator(), address)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]int64{}
		for page := (mail.Page{Limit: 1000}); ; {
			messages, next, err := s.ListMessages(ctx, g, mail.MessageFilter{}, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				have[m.MessageID] = m.Size
			}
			if page.Token = next; next == "" {
				break
			}
		}
		for _, entry := range list {
			var id string
			var size int64
			fmt.Sscan(entry, &id, &size)
			if have[id] <= size { // our trace fields come on top
				t.Fatalf("round %d: %s was acknowledged with %d bytes and has %d", round, id, size, have[id])
			}
		}
	}
}
