package server_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// looping is an inbox to which other hosts bring mail back.
type looping struct {
	*servertest.World
	t     *testing.T
	inbox mail.Grant
	seq   int64
}

func newLooping(t *testing.T) *looping {
	w := servertest.New(t)
	return &looping{World: w, t: t, inbox: w.Inbox(t, w.Pod(t, "a"), "alice")}
}

// bring has another host bring a message to some inboxes.
func (l *looping) bring(raw string, to ...string) {
	l.t.Helper()
	err := l.Server.Deliver(l.t.Context(), server.Incoming{Session: server.Session{Remote: netip.MustParseAddrPort("192.0.2.1:25"), HELO: "lists.example", Protocol: "ESMTP"},
		ReversePath: "bounces@lists.example", Recipients: to, Body: strings.NewReader(raw)})
	if err != nil {
		l.t.Fatal(err)
	}
}

// raw is a message of the inbox as another program reads it.
func (l *looping) raw(mailbox string) string {
	l.t.Helper()
	sel, err := l.Server.SelectMailbox(l.t.Context(), l.inbox, mailbox)
	if err != nil {
		l.t.Fatal(err)
	}
	var raw string
	err = l.Server.FetchMessages(l.t.Context(), l.inbox, sel.Mailbox.ID, []mail.UIDRange{{First: 1, Last: 1}}, server.FetchWant{Raw: true}, func(f *server.FetchedMessage) error {
		b := make([]byte, f.Size)
		_, err := f.Raw.ReadAt(b, 0)
		raw = string(b)
		return err
	})
	if err != nil || raw == "" {
		l.t.Fatal(raw, err)
	}
	return raw
}

// holds wants these to be in an inbox, the oldest first, each with its labels and number of thread, and as many events of
// mail since it was last asked.
func (l *looping) holds(what string, g mail.Grant, events int, want ...string) {
	l.t.Helper()
	listed, _, err := l.Server.ListMessages(l.t.Context(), g, mail.MessageFilter{}, mail.Page{Limit: 100, Ascending: true})
	if err != nil {
		l.t.Fatal(err)
	}
	var got []string
	threads := map[string]int{}
	for _, m := range listed {
		if threads[m.ThreadID] == 0 {
			threads[m.ThreadID] = len(threads) + 1
		}
		got = append(got, fmt.Sprint(threads[m.ThreadID], " ", m.Envelope.Subject, ": ", strings.Join(m.Labels, " ")))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		l.t.Errorf("%s: %q, want %q", what, got, want)
	}
	happened, last, _, err := l.Server.ListEvents(l.t.Context(), mail.Subscription{Types: []mail.EventType{mail.EventReceived}, Scopes: []mail.Scope{g.Scope}}, l.seq)
	if err != nil || len(happened) != events {
		l.t.Errorf("%s: %d events, want %d (%v)", what, len(happened), events, err)
	}
	l.seq = last
}

// viaList is what a mailing list makes of a message.
func viaList(raw, host string) string {
	return "Received: from mx.podmail.test by " + host + " with ESMTP id 1; Mon, 2 Mar 2026 10:00:00 +0000\r\nList-Id: <talk." + host + ">\r\n" +
		strings.Replace(raw, "Subject: ", "Subject: [talk] ", 1) + "\r\n-- \r\nUnsubscribe at " + host + "\r\n"
}

// TestAListBringsBackWhatAnInboxSent once, and to the agent that wrote it that is no news.
func TestAListBringsBackWhatAnInboxSent(t *testing.T) {
	l := newLooping(t)
	if _, err := l.Server.Send(t.Context(), l.inbox, server.SendRequest{To: []string{"talk@lists.example"}, Subject: "Hello", Text: str("All.")}); err != nil {
		t.Fatal(err)
	}
	post := l.raw("Sent")
	bob := l.Inbox(t, l.Pod(t, "b"), "bob")
	l.holds("at first", l.inbox, 0, "1 Hello: sent")

	l.bring(viaList(post, "lists.example"), "alice@podmail.test", "bob@podmail.test")
	l.holds("for another reader it is news", bob, 1, "1 [talk] Hello: automatic received unread")
	l.seq = 0
	l.holds("for its author it is not", l.inbox, 0, "1 Hello: sent", "1 [talk] Hello: automatic received")

	l.bring(viaList(post, "lists.example"), "alice@podmail.test")
	l.bring(viaList(viaList(post, "lists.example"), "other.example"), "alice@podmail.test")
	l.holds("again, and around another list", l.inbox, 0, "1 Hello: sent", "1 [talk] Hello: automatic received")

	munged := strings.Replace(viaList(post, "lists.example"), "\r\nFrom:", "\r\nReply-To: Alice <alice@podmail.test>\r\nFrom: Alice via Talk <talk@lists.example>\r\nX-From:", 1)
	l.bring(munged, "alice@podmail.test")
	l.holds("under the list's own name", l.inbox, 0, "1 Hello: sent", "1 [talk] Hello: automatic received")

	date := post[strings.Index(post, "Date: "):]
	date = date[:strings.Index(date, "\r\n")]
	l.bring(strings.Replace(post, date, "Date: Mon, 02 Mar 2026 10:00:00 +0000", 1), "alice@podmail.test")
	l.holds("another message that bears its Message-ID", l.inbox, 1, "1 Hello: sent", "1 [talk] Hello: automatic received", "1 Hello: received unread")
}

// TestWhatCameInAndComesAroundIsThereOnce, but a list's copy of what was also sent directly is another.
func TestWhatCameInAndComesAroundIsThereOnce(t *testing.T) {
	l := newLooping(t)
	const direct = "Received: from a.example by b.example with ESMTP id 1; Mon, 2 Mar 2026 10:00:00 +0000\r\nFrom: joe@example.org\r\nTo: talk@lists.example\r\nCc: alice@podmail.test\r\n" +
		"Subject: Hello\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\nAll.\r\n"
	l.bring(direct, "alice@podmail.test")
	l.bring(viaList(direct, "lists.example"), "alice@podmail.test")
	both := []string{"1 Hello: received unread", "1 [talk] Hello: automatic received unread"}
	l.holds("directly and by a list", l.inbox, 2, both...)

	around := "Received: from reader.example by far.example with ESMTP id 1; Mon, 2 Mar 2026 10:00:00 +0000\r\n" + l.raw("INBOX")
	l.bring(around, "alice@podmail.test")
	l.bring("Received: from far.example by farther.example with ESMTP id 1; Mon, 2 Mar 2026 10:00:00 +0000\r\n"+around, "alice@podmail.test")
	l.holds("around", l.inbox, 0, both...)
	sum := sha256.Sum256([]byte(around))
	if err := l.Store.For(l.inbox.Scope).Read(t.Context(), func(tx storage.Tx) error { _, err := tx.FindBlob(sum[:]); return err }); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("its bytes are kept: %v", err)
	}
	bob := l.Inbox(t, l.Pod(t, "b"), "bob")
	l.bring(around, "alice@podmail.test", "bob@podmail.test")
	l.seq = 0
	l.holds("handed on to another", bob, 1, "1 Hello: received unread")

	l.bring("X-Seen: mx.podmail.test\r\n"+strings.Replace(around, "by mx.podmail.test", "by mx.elsewhere.test", 1), "alice@podmail.test")
	l.seq = 0
	l.holds("with a field that is not ours", l.inbox, 3, append(both, "1 Hello: received unread")...)
}

func TestTooManyHopsAreALoop(t *testing.T) {
	l := newLooping(t)
	const hop = "Received: from a.example by b.example; Mon, 2 Mar 2026 10:00:00 +0000\r\n"
	l.bring(strings.Repeat(hop, 99)+"Subject: far\r\n\r\nx\r\n", "alice@podmail.test") // ours is one more
	err := l.Server.Deliver(t.Context(), server.Incoming{Recipients: []string{"alice@podmail.test"}, Body: strings.NewReader(strings.Repeat(hop, 100) + "Subject: too far\r\n\r\nx\r\n")})
	if e, ok := err.(*mail.Error); !ok || e.Reason != mail.ReasonRoutingLoop {
		t.Errorf("%v", err)
	}
	l.holds("far away", l.inbox, 1, "1 far: received unread")
}
