package server_test

import (
	"cmp"
	"errors"
	"io"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// TestOneMessageToManyPods: its bytes are there once in each pod, what it is to an inbox is that inbox's own, and no pod
// sees anything of another.
func TestOneMessageToManyPods(t *testing.T) {
	ctx := t.Context()
	w := servertest.New(t)
	a, b := w.Pod(t, "a"), w.Pod(t, "b")
	alice, anne, bob := w.Inbox(t, a, "alice"), w.Inbox(t, a, "anne"), w.Inbox(t, b, "bob")
	if _, err := w.Server.CreateListEntry(ctx, anne, server.List{Direction: mail.DirectionReceive, Type: mail.ListBlock}, server.NewListEntry{Entry: "example.org"}); err != nil {
		t.Fatal(err)
	}
	large := "X-Pad: " + strings.Repeat("x", 900) + "\n" + hello + strings.Repeat(strings.Repeat("y", 70)+"\n", 10_000)
	for _, c := range []struct{ id, raw string }{{"<1@example.org>", hello}, {"<2@example.org>", strings.Replace(large, "<1@", "<2@", 1)}} {
		if err := arriveFiltered(w, []string{"alice@podmail.test", "anne@podmail.test", "bob@podmail.test", "Bob+x@podmail.test"}, c.raw, nil, ""); err != nil {
			t.Fatal(err)
		}
		blobs := map[string]int64{}
		messages := map[string]int64{}
		for _, g := range []mail.Grant{alice, anne, bob} {
			m, _, err := w.Server.GetMessage(ctx, g, c.id)
			want := map[string]string{"anne@podmail.test": "blocked received unread"}[g.InboxID]
			if err != nil || strings.Join(m.Labels, " ") != cmp.Or(want, "received unread") {
				t.Fatalf("%s: %v, %v", g.InboxID, m.Labels, err)
			}
			var raw storage.RawMessage
			at := w.Store.For(g.Scope)
			err = at.Read(ctx, func(tx storage.Tx) (err error) {
				raw, err = tx.FindRaw(m.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			bytes, err := io.ReadAll(io.NewSectionReader(at.Reader(ctx, raw), 0, raw.Size))
			if err != nil || !strings.HasSuffix(string(bytes), strings.ReplaceAll(c.raw, "\n", "\r\n")) || strings.Contains(string(bytes[:len(bytes)-len(c.raw)]), "podmail.test>") {
				t.Errorf("%s: the bytes are not as they came, or name a recipient: %v", g.InboxID, err)
			}
			blobs[g.InboxID], messages[g.InboxID] = raw.Blob, m.ID
		}
		if blobs["alice@podmail.test"] != blobs["anne@podmail.test"] || blobs["alice@podmail.test"] == blobs["bob@podmail.test"] {
			t.Errorf("the bytes: %v", blobs)
		}
		for other, scope := range map[string]mail.Scope{"alice@podmail.test": bob.Scope, "anne@podmail.test": b.Scope, "bob@podmail.test": a.Scope} {
			err := w.Store.For(scope).Read(ctx, func(tx storage.Tx) error {
				_, err := tx.FindRaw(messages[other])
				return err
			})
			if !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("another pod finds the message of %s: %v", other, err)
			}
		}
	}
	for g, want := range map[*mail.Grant]int{&a: 2, &b: 2} { // what is blocked is listed to nobody who does not ask
		if all, _, err := w.Server.ListMessages(ctx, *g, mail.MessageFilter{}, mail.Page{Limit: 10}); err != nil || len(all) != want {
			t.Errorf("%d messages are listed, %v", len(all), err)
		}
	}
}

// TestADomainInAnotherScript is the one that is registered in ASCII (RFC 5891), in whatever form mail names it.
func TestADomainInAnotherScript(t *testing.T) {
	w := servertest.New(t)
	pod := w.Pod(t, "a")
	w.Verified(t, pod, server.NewDomain{Name: "xn--bcher-kva.example"})
	if _, err := w.Server.CreateInbox(t.Context(), pod, server.NewInbox{Username: "info", Domain: "xn--bcher-kva.example"}); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"info@xn--bcher-kva.example", "Info@XN--BCHER-KVA.example", "info@bücher.example", "INFO+x@BÜCHER.EXAMPLE", "info@bu\u0308cher.example", "info@bücher。example"} {
		inbox, err := w.Server.Recipient(t.Context(), "joe@example.org", address)
		if err != nil || inbox.Address != "info@xn--bcher-kva.example" {
			t.Errorf("%s: %s, %v", address, inbox.Address, err)
		}
	}
	if _, err := w.Server.Recipient(t.Context(), "joe@example.org", "info@bücher.test"); mail.CodeOf(err) != mail.CodeForbidden {
		t.Errorf("of another domain: %v", err)
	}
}
