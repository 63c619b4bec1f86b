package server_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

var everyUID = []mail.UIDRange{{First: 1, Last: math.MaxUint32}}

// TestCopyingWithinAMailboxEnds copies a mailbox onto itself: the copies are not copied again.
func TestCopyingWithinAMailboxEnds(t *testing.T) {
	ctx := context.Background()
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	for i := range 3 {
		w.Deliver(t, "alice@podmail.test", letter(fmt.Sprint(i), ""))
	}
	sel, err := w.Server.SelectMailbox(ctx, g, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.Server.CopyMessages(ctx, g, sel.Mailbox.ID, everyUID, "INBOX")
	if err != nil || fmt.Sprint(c.Source, c.Dest) != "[1 2 3] [4 5 6]" {
		t.Fatalf("%v %v", c, err)
	}
	threads, _, err := w.Server.ListThreads(ctx, g, mail.MessageFilter{}, mail.Page{Limit: 10})
	if err != nil || len(threads) != 3 || threads[0].MessageCount != 2 {
		t.Errorf("%d threads: %+v %v", len(threads), threads, err)
	}
}

// TestMailboxesLabelsAndThreadsAgree does random things through IMAP's verbs and the API's, and checks after each that
// mailboxes, labels, threads and modseqs tell one story, and that what MailboxChanges told adds up to what there is.
func TestMailboxesLabelsAndThreadsAgree(t *testing.T) {
	w := servertest.New(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		ctx := context.Background()
		g := w.Inbox(t, w.Org, fmt.Sprintf("box%d", n))
		if _, err := w.Server.CreateMailbox(ctx, g, "Clients"); err != nil {
			rt.Fatal(err)
		}
		boxes, err := w.Server.ListMailboxes(ctx, g)
		if err != nil {
			rt.Fatal(err)
		}
		views := map[int64]*view{}
		for _, b := range boxes {
			views[b.ID] = &view{labels: map[uint32]string{}}
		}
		for range rapid.IntRange(3, 25).Draw(rt, "steps") {
			disturb(rt, w, g, boxes)
			for _, b := range boxes {
				views[b.ID].follow(rt, w.Server, g, b.ID)
			}
			agree(rt, w.Server, g, boxes)
		}
	})
}

// disturb does one random thing to the inbox.
func disturb(rt *rapid.T, w *servertest.World, g mail.Grant, boxes []mail.Mailbox) {
	ctx := context.Background()
	s := w.Server
	box := rapid.SampledFrom(boxes).Draw(rt, "mailbox")
	dest := rapid.SampledFrom(boxes).Draw(rt, "destination")
	first := rapid.Uint32Range(1, 6).Draw(rt, "first")
	ranges := []mail.UIDRange{{First: first, Last: first + rapid.Uint32Range(0, 3).Draw(rt, "more")}}
	label := rapid.SampledFrom([]string{"unread", "starred", "deleted", "vip", "trash", "spam", "archive", "clients"}).Draw(rt, "label")
	messages, _, err := s.ListMessages(ctx, g, mail.MessageFilter{Include: math.MaxUint8}, mail.Page{Limit: 100})
	if err != nil {
		rt.Fatal(err)
	}
	switch rapid.IntRange(0, 7).Draw(rt, "verb") {
	case 0, 1:
		refs := fmt.Sprintf("<%d@x>", rapid.IntRange(0, 5).Draw(rt, "refs"))
		raw := strings.ReplaceAll(letter(fmt.Sprint(rapid.IntRange(0, 9).Draw(rt, "id")), refs), "\n", "\r\n")
		err = s.Deliver(ctx, server.Incoming{Recipients: []string{g.InboxID}, Body: strings.NewReader(raw)})
	case 2:
		_, err = s.StoreLabels(ctx, g, box.ID, ranges, mail.LabelChange{Add: []string{"vip", "deleted"}, Replace: rapid.Bool().Draw(rt, "replace")})
	case 3:
		_, err = s.MoveMessages(ctx, g, box.ID, ranges, dest.Name)
	case 4:
		_, err = s.CopyMessages(ctx, g, box.ID, ranges, dest.Name)
	case 5:
		_, err = s.ExpungeMessages(ctx, g, box.ID, nil)
	case 6:
		if len(messages) > 0 {
			_, err = s.UpdateMessage(ctx, g, rapid.SampledFrom(messages).Draw(rt, "message").MessageID, []string{label}, nil)
		}
	case 7:
		if len(messages) > 0 {
			_, err = s.UpdateThread(ctx, g, rapid.SampledFrom(messages).Draw(rt, "message").ThreadID, nil, []string{label})
		}
	}
	if err != nil {
		rt.Fatal(err)
	}
}

// view is what a session that only listens to MailboxChanges believes.
type view struct {
	modseq int64
	labels map[uint32]string // UID to labels
}

func (v *view) follow(rt *rapid.T, s *server.Server, g mail.Grant, mailbox int64) {
	c, err := s.MailboxChanges(context.Background(), g, mailbox, v.modseq)
	if err != nil {
		rt.Fatal(err)
	}
	if c.ModSeq < v.modseq {
		rt.Fatalf("modseq went back from %d to %d", v.modseq, c.ModSeq)
	}
	v.modseq = c.ModSeq
	for _, uid := range c.Expunged {
		delete(v.labels, uid)
	}
	for _, m := range c.Changed {
		v.labels[m.UID] = fmt.Sprint(m.Labels)
	}
	sel := map[uint32]string{}
	err = s.FetchMessages(context.Background(), g, mailbox, everyUID, server.FetchWant{}, func(f *server.FetchedMessage) error {
		sel[f.UID] = fmt.Sprint(f.Labels)
		if f.UID >= c.UIDNext || f.ModSeq > c.ModSeq {
			rt.Fatalf("UID %d modseq %d, but the mailbox says next %d and %d", f.UID, f.ModSeq, c.UIDNext, c.ModSeq)
		}
		return nil
	})
	if err != nil || fmt.Sprint(sel) != fmt.Sprint(v.labels) {
		rt.Fatalf("the mailbox has %v, whoever followed its changes believes %v: %v", sel, v.labels, err)
	}
}

// agree checks that every message is where its labels say and that threads are the sum of their messages.
func agree(rt rapid.TB, s *server.Server, g mail.Grant, boxes []mail.Mailbox) {
	ctx := context.Background()
	messages, _, err := s.ListMessages(ctx, g, mail.MessageFilter{Include: math.MaxUint8}, mail.Page{Limit: 1000})
	if err != nil {
		rt.Fatal(err)
	}
	threads, total, unseen := map[string]map[string]int64{}, map[int64]int64{}, map[int64]int64{}
	for _, m := range messages {
		if place := mail.Place(m.Labels, m.Mailbox, boxes); place.ID != m.Mailbox {
			rt.Fatalf("a message labelled %v is in mailbox %d, not in %s", m.Labels, m.Mailbox, place.Name)
		}
		total[m.Mailbox]++
		if slices.Contains(m.Labels, mail.LabelUnread) {
			unseen[m.Mailbox]++
		}
		if threads[m.ThreadID] == nil {
			threads[m.ThreadID] = map[string]int64{}
		}
		for _, l := range m.Labels {
			threads[m.ThreadID][l]++
		}
	}
	for _, b := range boxes {
		if b.Role == mail.RoleDrafts { // what is there is no message
			continue
		}
		status, err := s.MailboxStatus(ctx, g, b.Name)
		if err != nil || status.Messages != total[b.ID] || status.Unseen != unseen[b.ID] {
			rt.Fatalf("%s says %d messages, %d unseen; there are %d and %d: %v", b.Name, status.Messages, status.Unseen, total[b.ID], unseen[b.ID], err)
		}
	}
	listed, _, err := s.ListThreads(ctx, g, mail.MessageFilter{Include: math.MaxUint8}, mail.Page{Limit: 1000})
	if err != nil || len(listed) != len(threads) {
		rt.Fatalf("%d threads are listed, messages have %d: %v", len(listed), len(threads), err)
	}
	for _, th := range listed {
		if fmt.Sprint(th.LabelCounts) != fmt.Sprint(threads[th.ThreadID]) {
			rt.Fatalf("a thread counts %v, its messages have %v", th.LabelCounts, threads[th.ThreadID])
		}
		for l := range th.LabelCounts {
			by, _, err := s.ListThreads(ctx, g, mail.MessageFilter{Labels: []string{l}, Include: math.MaxUint8}, mail.Page{Limit: 1000})
			if err != nil || !slices.ContainsFunc(by, func(t mail.Thread) bool { return t.ThreadID == th.ThreadID }) {
				rt.Fatalf("a thread labelled %s is not listed by it: %v", l, err)
			}
		}
	}
}
