package server_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// TestLabelsAgreeUnderConcurrentChanges lets programs, mail programs, senders and deliveries change the same few
// messages at the same time: at every moment a thread has the labels of its messages, and in the end its counts and
// those of the mailboxes are what a count gives.
func TestLabelsAgreeUnderConcurrentChanges(t *testing.T) {
	w := servertest.New(t)
	g := w.Inbox(t, w.Org, "alice")
	if _, err := w.Server.CreateMailbox(context.Background(), g, "Clients"); err != nil {
		t.Fatal(err)
	}
	boxes, err := w.Server.ListMailboxes(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		w.Deliver(t, g.InboxID, letter(fmt.Sprint(i), fmt.Sprintf("<%d@x>", i/3*3)))
	}
	var changing sync.WaitGroup
	for who := range 8 {
		changing.Go(func() {
			c := &changer{World: w, t: t, g: g, boxes: boxes, random: rand.New(rand.NewPCG(1, uint64(who)))}
			for range 60 {
				c.change()
				c.look()
			}
		})
	}
	changing.Wait()
	eventually(t, "all is delivered", func() bool {
		waiting, _, err := w.Server.ListDeliveries(context.Background(), g, mail.Page{Limit: 10})
		return err == nil && len(waiting) == 0
	})
	agree(t, w.Server, g, boxes)
}

// changer is one of many that change an inbox.
type changer struct {
	*servertest.World
	t      *testing.T
	g      mail.Grant
	boxes  []mail.Mailbox
	random *rand.Rand
}

func oneOf[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// change does something, which may find that somebody else was first.
func (c *changer) change() {
	ctx, s, r := context.Background(), c.Server, c.random
	labels := []string{"unread", "starred", "vip", "trash", "spam", "archive", "clients"}
	add, remove := oneOf(r, labels), oneOf(r, labels)
	first := r.Uint32N(12) + 1
	ranges := []mail.UIDRange{{First: first, Last: first + 2}}
	box, dest := oneOf(r, c.boxes), oneOf(r, c.boxes)
	if dest.Role == mail.RoleDrafts { // what is put there is no message any more
		dest = box
	}
	messages, _, err := s.ListMessages(ctx, c.g, mail.MessageFilter{Include: math.MaxUint8}, mail.Page{Limit: 100})
	if err != nil || len(messages) == 0 {
		c.t.Error("messages:", len(messages), err)
		return
	}
	one, other := oneOf(r, messages), oneOf(r, messages)
	verb := r.IntN(9)
	if len(messages) > 40 {
		verb = 9
	}
	switch verb {
	case 0:
		_, err = s.UpdateMessage(ctx, c.g, one.MessageID, []string{add}, []string{remove})
	case 1:
		_, err = s.UpdateThread(ctx, c.g, one.ThreadID, []string{add}, []string{remove})
	case 2:
		_, err = s.UpdateMessages(ctx, c.g, slices.Compact([]string{one.MessageID, other.MessageID}), []string{add}, []string{remove})
	case 3:
		_, err = s.StoreLabels(ctx, c.g, box.ID, ranges, mail.LabelChange{Add: []string{add}, Remove: []string{remove}, Replace: r.IntN(2) == 0})
	case 4:
		_, err = s.MoveMessages(ctx, c.g, box.ID, ranges, dest.Name)
	case 5:
		_, err = s.CopyMessages(ctx, c.g, box.ID, ranges, dest.Name)
	case 6:
		raw := strings.ReplaceAll(letter(fmt.Sprint(r.IntN(1000)), one.MessageID), "\n", "\r\n")
		err = s.Deliver(ctx, server.Incoming{Recipients: []string{c.g.InboxID}, Body: strings.NewReader(raw)})
	case 7:
		_, err = s.Reply(ctx, c.g, one.MessageID, server.SendRequest{To: []string{c.g.InboxID, "nobody@podmail.test"}, Labels: []string{"vip"}}, false)
	case 8:
		if _, err = s.StoreLabels(ctx, c.g, box.ID, ranges, mail.LabelChange{Add: []string{mail.LabelDeleted}}); err == nil && len(messages) > 10 {
			_, err = s.ExpungeMessages(ctx, c.g, box.ID, ranges)
		}
	case 9: // a thread of 100 could not be changed as one
		err = s.DeleteMessage(ctx, c.g, one.MessageID)
	}
	if err != nil && mail.CodeOf(err) != mail.CodeNotFound {
		c.t.Error(err)
	}
}

// look reads a thread: it has the labels of its messages, whatever the others are doing.
func (c *changer) look() {
	threads, _, err := c.Server.ListThreads(context.Background(), c.g, mail.MessageFilter{Include: math.MaxUint8}, mail.Page{Limit: 20})
	if err != nil || len(threads) == 0 {
		c.t.Error("threads:", len(threads), err)
		return
	}
	th, messages, next, err := c.Server.GetThread(context.Background(), c.g, oneOf(c.random, threads).ThreadID, mail.Page{Limit: 100})
	if mail.CodeOf(err) == mail.CodeNotFound || next != "" {
		return
	} else if err != nil {
		c.t.Error(err)
	}
	union := map[string]bool{}
	for _, m := range messages {
		for _, l := range m.Labels {
			union[l] = true
		}
	}
	if have := slices.Sorted(maps.Keys(union)); !slices.Equal(th.Labels(), have) {
		c.t.Errorf("a thread has the labels %v, its messages %v", th.Labels(), have)
	}
}
