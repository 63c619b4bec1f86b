package server_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// bytesOf are where the only message of an inbox under a label is, and what it holds below our trace fields.
func bytesOf(t *testing.T, w *servertest.World, g mail.Grant, label string) (raw storage.RawMessage, body string) {
	t.Helper()
	ctx := context.Background()
	list, _, err := w.Server.ListMessages(ctx, g, mail.MessageFilter{Labels: []string{label}}, mail.Page{Limit: 2})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d messages, %v", len(list), err)
	}
	at := w.Store.For(g.Scope)
	if err := at.Read(ctx, func(tx storage.Tx) (err error) {
		raw, err = tx.FindRaw(list[0].ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(at.Reader(ctx, raw), int64(len(raw.Trace)), raw.Size))
	if err != nil {
		t.Fatal(err)
	}
	return raw, string(b)
}

func TestLocalMailIsNotCopiedWithinItsPod(t *testing.T) {
	for size, text := range map[string]string{"small": "Hello.\n", "large": strings.Repeat("Hello, hello.\n", 50_000)} {
		t.Run(size, func(t *testing.T) {
			w := servertest.New(t)
			other := w.Pod(t, "other")
			alice, bob, carol := w.Inbox(t, w.Org, "alice"), w.Inbox(t, w.Org, "bob"), w.Inbox(t, other, "carol")
			if _, err := w.Server.Send(context.Background(), alice, server.SendRequest{To: []string{"bob@podmail.test", "carol@podmail.test"}, Subject: "Hello", Text: &text}); err != nil {
				t.Fatal(err)
			}
			for _, g := range []mail.Grant{bob, carol} {
				eventually(t, "the message arrives", func() bool {
					list, _, err := w.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 1})
					return err == nil && len(list) == 1
				})
			}
			sent, want := bytesOf(t, w, alice, mail.LabelSent)
			within, got := bytesOf(t, w, bob, mail.LabelReceived)
			if got != want || within.Blob != sent.Blob || len(within.Trace) == 0 {
				t.Errorf("in the pod: same bytes %v, of blob %d and not %d, trace %q", got == want, within.Blob, sent.Blob, within.Trace)
			}
			// Numbers of blobs are never given out twice, so none was begun in between.
			beyond, got := bytesOf(t, w, carol, mail.LabelReceived)
			if got != want || beyond.Blob != sent.Blob+1 {
				t.Errorf("in another pod: same bytes %v, of blob %d, which follows %d", got == want, beyond.Blob, sent.Blob)
			}
		})
	}
}

func TestLocalMailDoesNotSpeakInOurName(t *testing.T) {
	w := servertest.New(t)
	alice, bob := w.Inbox(t, w.Org, "alice"), w.Inbox(t, w.Org, "bob")
	raw := "Authentication-Results: mx.podmail.test; dmarc=pass\r\nFrom: alice@podmail.test\r\nTo: bob@podmail.test\r\nSubject: Hello\r\n\r\nHello.\r\n"
	if _, err := w.Server.Submit(context.Background(), alice, server.Incoming{ReversePath: "alice@podmail.test", Recipients: []string{"bob@podmail.test"}, Body: strings.NewReader(raw)}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message arrives", func() bool {
		list, _, err := w.Server.ListMessages(context.Background(), bob, mail.MessageFilter{}, mail.Page{Limit: 1})
		return err == nil && len(list) == 1
	})
	if _, got := bytesOf(t, w, bob, mail.LabelReceived); strings.Contains(got, "dmarc=pass") || !strings.HasSuffix(got, "Hello.\r\n") {
		t.Errorf("it holds %q", got)
	}
}
