package imap_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"

	"podmail/mail"
)

// TestClientReadsAll: another implementation's parser takes every item, and the bytes are right.
func TestClientReadsAll(t *testing.T) {
	d := open(t)
	d.Deliver(t, alice, messages["mixed"])
	c := d.client(t, nil)
	if caps := c.Caps(); !caps.Has(goimap.CapIMAP4rev2) || !caps.Has(goimap.CapIdle) || !caps.Has(goimap.CapMove) || !caps.Has(goimap.CapID) {
		t.Errorf("capabilities %v", caps)
	}
	data, err := c.Select("INBOX", nil).Wait()
	if err != nil || data.NumMessages != 1 || data.UIDNext != 2 {
		t.Fatalf("SELECT: %+v, %v", data, err)
	}
	whole := &goimap.FetchItemBodySection{Peek: true}
	part := &goimap.FetchItemBodySection{Part: []int{1}, Peek: true}
	got, err := c.Fetch(goimap.SeqSetNum(1), &goimap.FetchOptions{
		Envelope: true, Flags: true, InternalDate: true, RFC822Size: true, UID: true,
		BodyStructure: &goimap.FetchItemBodyStructure{Extended: true}, BodySection: []*goimap.FetchItemBodySection{whole, part},
		BinarySection: []*goimap.FetchItemBinarySection{{Part: []int{2}, Peek: true}},
	}).Collect()
	if err != nil || len(got) != 1 {
		t.Fatalf("FETCH: %v, %v", got, err)
	}
	m := got[0]
	if m.Envelope.Subject != "Picture" || m.Envelope.MessageID != "mixed@example.com" || m.UID != 1 || m.InternalDate.IsZero() {
		t.Errorf("%+v", m)
	}
	raw := string(m.FindBodySection(whole))
	if !strings.HasSuffix(raw, messages["mixed"]) || int64(len(raw)) != m.RFC822Size {
		t.Errorf("%d bytes of %d: %q", len(raw), m.RFC822Size, raw)
	}
	if text := string(m.FindBodySection(part)); text != "caf=C3=A9" {
		t.Errorf("part 1: %q", text)
	}
	if bin := m.BinarySection[0].Bytes; string(bin) != "\x89PNG" {
		t.Errorf("binary %q", bin)
	}
	if bs, ok := m.BodyStructure.(*goimap.BodyStructureMultiPart); !ok || len(bs.Children) != 2 || bs.Children[1].Disposition().Params["filename"] != "dot.png" {
		t.Errorf("structure %+v", m.BodyStructure)
	}
}

// TestFetchManyMessages: more than the server reads at a time, in order and each once.
func TestFetchManyMessages(t *testing.T) {
	d := open(t)
	const n = 300
	for i := range n {
		d.Deliver(t, alice, fmt.Sprintf("Subject: %d\r\n\r\n%d\r\n", i, i))
	}
	c := d.client(t, nil)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	section := &goimap.FetchItemBodySection{Specifier: goimap.PartSpecifierText, Peek: true}
	got, err := c.Fetch(goimap.SeqSet{{Start: 1, Stop: 0}}, &goimap.FetchOptions{UID: true, BodySection: []*goimap.FetchItemBodySection{section}}).Collect()
	if err != nil || len(got) != n {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if int(m.SeqNum) != i+1 || int(m.UID) != i+1 || string(m.FindBodySection(section)) != fmt.Sprintf("%d\r\n", i) {
			t.Fatalf("message %d: %+v", i, m)
		}
	}
}

// TestLargeMessage: 20 MB go in and come out byte by byte, whole and in parts.
func TestLargeMessage(t *testing.T) {
	d := open(t)
	c := d.client(t, nil)
	raw := "Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 20<<20/72)
	append := c.Append("INBOX", int64(len(raw)), nil)
	if _, err := io.WriteString(append, raw); err != nil {
		t.Fatal(err)
	}
	if err := append.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := append.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	whole := &goimap.FetchItemBodySection{Peek: true}
	middle := &goimap.FetchItemBodySection{Peek: true, Partial: &goimap.SectionPartial{Offset: 10_000_000, Size: 600_000}}
	got, err := c.Fetch(goimap.SeqSetNum(1), &goimap.FetchOptions{BodySection: []*goimap.FetchItemBodySection{whole, middle}}).Collect()
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if string(got[0].FindBodySection(whole)) != raw || string(got[0].FindBodySection(middle)) != raw[10_000_000:10_600_000] {
		t.Error("the bytes differ")
	}
}

// TestTwoSessionsAndTheAPI: while messages come, change and go from all sides, a session that listens to every word
// ends with what is there.
func TestTwoSessionsAndTheAPI(t *testing.T) {
	d := open(t)
	for range 5 {
		d.Deliver(t, alice, messages["plain"])
	}
	counter := &counter{t: t}
	listener := d.client(t, &imapclient.Options{UnilateralDataHandler: counter.handler()})
	selected, err := listener.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	counter.mu.Lock()
	counter.n = int(selected.NumMessages) // the answer to SELECT does not reach the handler
	counter.mu.Unlock()
	idle, err := listener.Idle()
	if err != nil {
		t.Fatal(err)
	}
	d.disturb(t)
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := listener.Noop().Wait(); err != nil {
		t.Fatal(err)
	}
	status, err := d.Server.SelectMailbox(t.Context(), d.alice, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	got, err := listener.Fetch(goimap.SeqSet{{Start: 1, Stop: 0}}, &goimap.FetchOptions{UID: true, Flags: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var uids []uint32
	for i, m := range got {
		if int(m.SeqNum) != i+1 {
			t.Errorf("message %d is numbered %d", i+1, m.SeqNum)
		}
		uids = append(uids, uint32(m.UID))
	}
	if diff := cmp.Diff(status.UIDs, uids); diff != "" {
		t.Error(diff)
	}
	counter.mu.Lock()
	defer counter.mu.Unlock()
	if counter.n != len(uids) {
		t.Errorf("the listener counts %d of %d", counter.n, len(uids))
	}
}

// counter counts messages by what it is told.
type counter struct {
	t  *testing.T
	mu sync.Mutex
	n  int
}

func (c *counter) handler() *imapclient.UnilateralDataHandler {
	return &imapclient.UnilateralDataHandler{
		Expunge: func(seq uint32) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if int(seq) > c.n {
				c.t.Errorf("EXPUNGE %d of %d", seq, c.n)
			}
			c.n--
		},
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if data.NumMessages == nil {
				return
			}
			if int(*data.NumMessages) < c.n {
				c.t.Errorf("EXISTS %d after %d", *data.NumMessages, c.n)
			}
			c.n = int(*data.NumMessages)
		},
	}
}

// disturb delivers, flags, moves and expunges for a while, from two sessions and the API.
func (d *door) disturb(t *testing.T) {
	var wg sync.WaitGroup
	defer wg.Wait()
	until := time.Now().Add(700 * time.Millisecond)
	if testing.Short() {
		until = time.Now().Add(100 * time.Millisecond)
	}
	for range 2 {
		c := d.login(t)
		c.ask("a SELECT INBOX")
		wg.Go(func() {
			for time.Now().Before(until) {
				uid := rand.IntN(60) + 1
				for _, command := range []string{
					"STORE %d +FLAGS (\\Deleted)", "FETCH %d FLAGS", "EXPUNGE %d", "STORE %d -FLAGS.SILENT (\\Deleted \\Seen)", "MOVE %d Archive", "SEARCH UID %d UNSEEN",
				} {
					if rand.IntN(2) == 0 {
						got := c.ask("b UID "+command, uid)
						if last := got[len(got)-1]; !strings.HasPrefix(last, "b OK") {
							t.Errorf("%s: %s", command, last)
						}
					}
				}
			}
		})
	}
	wg.Go(func() {
		for time.Now().Before(until) {
			d.Deliver(t, alice, messages["reply"])
			list, _, err := d.Server.ListMessages(t.Context(), d.alice, mail.MessageFilter{}, mail.Page{Limit: 5})
			if err != nil || len(list) == 0 {
				continue
			}
			_, _ = d.Server.UpdateMessage(t.Context(), d.alice, list[rand.IntN(len(list))].MessageID, []string{"api"}, []string{"unread"})
		}
	})
}

// TestAfterIdle: the next turn of the library stands where the last one was.
func TestAfterIdle(t *testing.T) {
	d := open(t)
	c := d.login(t)
	idle := func() {
		t.Helper()
		c.send("i IDLE\r\n")
		if got := c.line(); got != "+ idling" {
			t.Fatalf("IDLE: %q", got)
		}
		c.send("done\r\n")
		if got := c.line(); got != "i OK IDLE completed" {
			t.Fatalf("DONE: %q", got)
		}
	}
	idle()
	if got := c.ask("a STORE 1 FLAGS ()"); !strings.HasPrefix(got[0], "a BAD [CLIENTBUG] This command is only valid in the selected state") {
		t.Errorf("not selected: %q", got)
	}
	c.ask("b ENABLE IMAP4rev2")
	c.ask("c EXAMINE INBOX")
	d.Deliver(t, alice, messages["plain"])
	idle2 := c.ask("d IDLE\r\nDONE")
	if got := strings.Join(idle2, ","); got != "+ idling,* 1 EXISTS,d OK IDLE completed" && got != "+ idling,d OK IDLE completed" {
		t.Errorf("pipelined DONE: %q", got)
	}
	c.ask("e NOOP")
	if got := c.ask("f STORE 1 FLAGS ()"); !strings.HasPrefix(got[0], "f NO [READ-ONLY]") {
		t.Errorf("still examined: %q", got)
	}
	if got := c.ask("g SEARCH ALL"); got[0] != `* ESEARCH (TAG "g") ALL 1` {
		t.Errorf("still IMAP4rev2: %q", got)
	}
	if got := c.ask("h UNSELECT"); got[0] != "h OK UNSELECT completed" {
		t.Errorf("UNSELECT: %q", got)
	}
	idle()
	if got := c.ask("j LOGOUT"); got[0] != "* BYE Logging out" {
		t.Errorf("LOGOUT: %q", got)
	}
}
