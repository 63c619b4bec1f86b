package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podmail/mail"
	"podmail/smtp/deliver"
)

func TestDelivery(t *testing.T) {
	w, h := meet(t, script{offers: []string{"PIPELINING", "SIZE 100000", "8BITMIME", "DSN", "ENHANCEDSTATUSCODES"}}, nil)
	tr := transfer(plain, "bob@example.org", "Carol@example.org")
	tr.Return, tr.EnvelopeID = "HDRS", "e+1"
	tr.Recipients[0].Notify, tr.Recipients[0].OriginalRecipient = "SUCCESS,DELAY", "rfc822;bob@old.example"
	got := w.expect(t, tr, "taken 250 2.0.0", "taken 250 2.0.0")
	if r := got[0]; r.Text != "250 2.0.0 queued as 42" || r.Host != "mx.example.org [127.0.0.1]" || r.TLS != "" || !r.RemoteDSN {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]string{plain}, h.took()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"EHLO us.example", fmt.Sprintf("MAIL FROM:<us@us.example> SIZE=%d RET=HDRS ENVID=e+2B1", len(plain)),
		"RCPT TO:<bob@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob@old.example", "RCPT TO:<Carol@example.org>", "DATA"}, h.heard("")); diff != "" {
		t.Error(diff)
	}
}

// TestReplies is what becomes of recipients by what the host says, with and without PIPELINING.
func TestReplies(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[string]string
		bob     string
		carol   string
	}{
		{"all well", nil, "taken 250 2.0.0", "taken 250 2.0.0"},
		{"one refused", map[string]string{"RCPT TO:<bob": "550-5.1.1 no such\n550 5.1.1 user"}, "reply permanent 550 5.1.1", "taken 250 2.0.0"},
		{"one deferred", map[string]string{"RCPT TO:<bob": "451 4.7.1 greylisted"}, "reply temporary 451 4.7.1", "taken 250 2.0.0"},
		{"all refused", map[string]string{"RCPT": "550 no"}, "reply permanent 550 5.0.0", "reply permanent 550 5.0.0"},
		{"all refused, DATA too", map[string]string{"RCPT": "550 5.1.1 no", "DATA": "503 5.5.1 no recipients"}, "reply permanent 550 5.1.1", "reply permanent 550 5.1.1"},
		{"sender refused", map[string]string{"MAIL": "553 5.1.8 you?", "RCPT": "503 5.5.1 MAIL first", "DATA": "503 5.5.1 MAIL first"},
			"reply permanent 553 5.1.8", "reply permanent 553 5.1.8"},
		{"sender deferred", map[string]string{"MAIL": "451 later"}, "reply temporary 451 4.0.0", "reply temporary 451 4.0.0"},
		{"DATA refused", map[string]string{"DATA": "554 5.7.1 no"}, "reply permanent 554 5.7.1", "reply permanent 554 5.7.1"},
		{"DATA answered like a command", map[string]string{"DATA": "250 2.0.0 fine"}, "reply temporary 250 4.5.0", "reply temporary 250 4.5.0"},
		{"message refused", map[string]string{".": "550 5.7.1 spam"}, "reply permanent 550 5.7.1", "reply permanent 550 5.7.1"},
		{"message deferred", map[string]string{".": "452 4.3.1 full"}, "reply temporary 452 4.3.1", "reply temporary 452 4.3.1"},
		{"an enhanced code of another class", map[string]string{".": "550 2.0.0 what"}, "reply permanent 550 5.0.0", "reply permanent 550 5.0.0"},
		{"one refused, the message deferred", map[string]string{"RCPT TO:<bob": "550 5.1.1 no", ".": "451 4.3.0 later"},
			"reply permanent 550 5.1.1", "reply temporary 451 4.3.0"},
		{"greeting 421", map[string]string{"greeting": "421 4.3.2 busy"}, "reply temporary 421 4.3.2", "reply temporary 421 4.3.2"},
		{"greeting 554", map[string]string{"greeting": "554 5.7.1 not you"}, "reply permanent 554 5.7.1", "reply permanent 554 5.7.1"},
		{"EHLO deferred", map[string]string{"EHLO": "451 4.3.0 later"}, "reply temporary 451 4.3.0", "reply temporary 451 4.3.0"},
		{"HELO only", map[string]string{"EHLO": "502 5.5.1 what"}, "taken 250 2.0.0", "taken 250 2.0.0"},
		{"HELO refused", map[string]string{"EHLO": "502 what", "HELO": "550 5.7.1 bad name"}, "reply permanent 550 5.7.1", "reply permanent 550 5.7.1"},
		{"421 to one", map[string]string{"RCPT TO:<carol": "421 4.7.0 too much"}, "taken 250 2.0.0", "reply temporary 421 4.7.0"},
		{"421 to all", map[string]string{"RCPT": "421 4.7.0 too much"}, "reply temporary 421 4.7.0", "reply temporary 421 4.7.0"},
	} {
		for _, offers := range [][]string{{"PIPELINING"}, nil} {
			t.Run(fmt.Sprint(c.name, offers), func(t *testing.T) {
				w, h := meet(t, script{offers: offers, answers: c.answers}, nil)
				w.expect(t, transfer(plain, "bob@example.org", "carol@example.org"), c.bob, c.carol)
				for _, m := range h.took() {
					if m != plain && m != "" {
						t.Errorf("the host got %q", m)
					}
				}
			})
		}
	}
}

// TestChaos: whatever happens to a connection, a message counts as taken only if the host has said so, and nothing is
// given up because of it.
func TestChaos(t *testing.T) {
	for _, at := range []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", "body", "."} {
		for does, answer := range map[string]string{
			"hangs up": hangUp, "stalls": stall, "talks nonsense": "hello there", "gives a code that is none": "999 what",
			"is endless": "250-" + strings.Repeat("x", 5000), "goes on and on": strings.Repeat("250-x\n", 200) + "250 x", "sends controls": "\x00\x01\xff",
		} {
			for _, offers := range [][]string{{"PIPELINING"}, nil} {
				t.Run(fmt.Sprint(at, " ", does, offers), func(t *testing.T) {
					t.Parallel()
					w, _ := meet(t, script{offers: offers, answers: map[string]string{at: answer}}, func(o *deliver.Options) { o.Times = quick })
					r := w.Carry(context.Background(), transfer(plain, "bob@example.org"))[0]
					if r.Failure != mail.TransferConnection || r.Permanent || r.Text == "" || r.Enhanced == "" {
						t.Errorf("%+v", r)
					}
				})
			}
		}
	}
}

// TestNobodyGetsAnEmptyMessage: a host that refuses the sender, and accepts a recipient and DATA all the same, is left
// without an end of data. One that has accepted nobody gets what RFC 2920 owes it.
func TestNobodyGetsAnEmptyMessage(t *testing.T) {
	for rcpt, want := range map[string]int{"250 2.1.5 ok": 0, "503 5.5.1 no sender": 1} {
		w, h := meet(t, script{offers: []string{"PIPELINING"}, answers: map[string]string{"MAIL": "451 4.3.0 later", "RCPT": rcpt}}, nil)
		w.expect(t, transfer(plain, "bob@example.org"), "reply temporary 451 4.3.0")
		w.Close(context.Background())
		h.close()
		if got := h.took(); len(got) != want {
			t.Errorf("after RCPT %q the host took %q", rcpt, got)
		}
	}
}

// TestLostReply: only a lost final reply leaves it open whether the host has the message, and no other host gets it then.
func TestLostReply(t *testing.T) {
	first := listen(t, "127.0.0.1:0", script{answers: map[string]string{".": hangUp}})
	second := listen(t, "127.0.0.2:"+first.port(), script{})
	w := newWorld(t, first.port(), nil)
	w.zone.Set(mail.RecordMX, "example.org", "10 mx.example.org", "20 mx2.example.org")
	w.zone.Set("A", "mx2.example.org", "127.0.0.2")
	r := w.expect(t, transfer(plain, "bob@example.org"), "connection temporary 0 4.4.2")[0]
	if !strings.Contains(r.Text, "not known") || len(first.took()) != 1 || second.connections() != 0 {
		t.Errorf("%+v", r)
	}
}

// TestNextHost: where a host cannot be reached or is busy, the next one is asked.
func TestNextHost(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"greeting 4xx": {"greeting": "421 4.3.2 busy"}, "greeting 5xx": {"greeting": "554 no"}, "EHLO hangs up": {"EHLO": hangUp},
		"MAIL 4xx": {"MAIL": "451 4.3.0 later"}, "hangs up at RCPT": {"RCPT": hangUp}, "hangs up at DATA": {"DATA": hangUp}, "nobody": nil,
	} {
		t.Run(name, func(t *testing.T) {
			first := listen(t, "127.0.0.1:0", script{answers: answers})
			second := listen(t, "127.0.0.2:"+first.port(), script{})
			if answers == nil {
				first.close()
			}
			w := newWorld(t, second.port(), nil)
			w.zone.Set(mail.RecordMX, "example.org", "10 mx.example.org", "20 mx2.example.org")
			w.zone.Set("A", "mx2.example.org", "127.0.0.2")
			r := w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")[0]
			if r.Host != "mx2.example.org [127.0.0.2]" {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("not for what is final", func(t *testing.T) {
		first := listen(t, "127.0.0.1:0", script{answers: map[string]string{"RCPT": "550 5.1.1 no", "MAIL": "250 ok"}})
		second := listen(t, "127.0.0.2:"+first.port(), script{})
		w := newWorld(t, second.port(), nil)
		w.zone.Set(mail.RecordMX, "example.org", "10 mx.example.org", "20 mx2.example.org")
		w.zone.Set("A", "mx2.example.org", "127.0.0.2")
		w.expect(t, transfer(plain, "bob@example.org"), "reply permanent 550 5.1.1")
		if second.connections() != 0 {
			t.Error("the second host was asked")
		}
	})
	t.Run("one that cannot be reached may still take what another refuses", func(t *testing.T) {
		for _, order := range []string{"10 mx.example.org,20 mx2.example.org", "20 mx.example.org,10 mx2.example.org"} {
			w, _ := meet(t, script{answers: map[string]string{"greeting": "554 5.7.1 no"}}, nil)
			w.zone.Set(mail.RecordMX, "example.org", strings.Split(order, ",")...)
			w.zone.Set("A", "mx2.example.org", "127.0.0.2") // nobody listens there
			w.expect(t, transfer(plain, "bob@example.org"), "connection temporary 0 4.4.1")
		}
	})
	t.Run("IPv4 after IPv6", func(t *testing.T) {
		w, _ := meet(t, script{}, nil)
		w.zone.Set("AAAA", "mx.example.org", "::1")
		r := w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")[0]
		if r.Host != "mx.example.org [127.0.0.1]" {
			t.Errorf("%+v", r)
		}
	})
}

// TestManyRecipients: as many as a host takes at a time, in as many turns as are needed, and never one twice.
func TestManyRecipients(t *testing.T) {
	w, h := meet(t, script{offers: []string{"PIPELINING"}}, nil)
	var all, taken []string
	for i := range 250 {
		all, taken = append(all, fmt.Sprintf("r%d@example.org", i)), append(taken, "taken 250 2.0.0")
	}
	w.expect(t, transfer(plain, all...), taken...)
	if n := len(h.took()); n != 3 || len(h.heard("RCPT")) != 250 || h.connections() != 1 {
		t.Errorf("%d messages, %d recipients, %d connections", n, len(h.heard("RCPT")), h.connections())
	}
	h.set("RCPT TO:<late", "452 4.5.3 too many recipients")
	w.expect(t, transfer(plain, "a@example.org", "late@example.org"), "taken 250 2.0.0", "reply temporary 452 4.5.3")
	if got := h.heard("RCPT TO:<late"); len(got) != 2 { // with the other one, and alone
		t.Errorf("%q", got)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	w, h := meet(t, script{offers: []string{"PIPELINING"}}, nil)
	for range 3 {
		w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
	}
	h.set("RCPT TO:<carol", "550 5.1.1 no")
	w.expect(t, transfer(plain, "carol@example.org"), "reply permanent 550 5.1.1")
	w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
	if h.connections() != 1 || len(h.heard("RSET")) != 4 {
		t.Errorf("%d connections, %d RSET", h.connections(), len(h.heard("RSET")))
	}
	other := transfer(plain, "bob@example.org")
	other.HELO = "other.example"
	w.expect(t, other, "taken 250 2.0.0")
	if h.connections() != 2 {
		t.Error("a connection was used under another name")
	}
	h.drop()
	w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0") // over a fresh one
	h.set("RSET", "421 4.4.2 idle for too long")
	w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
	if h.connections() != 4 || len(h.took()) != 8 {
		t.Errorf("%d connections, %d messages", h.connections(), len(h.took()))
	}
	if err := w.Close(context.Background()); err != nil {
		t.Error(err)
	}
	w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0") // and hangs up at once: goleak looks
}

// TestOldConnections: one that has been open for long is not kept for another message.
func TestOldConnections(t *testing.T) {
	w, h := meet(t, script{}, func(o *deliver.Options) { o.Times.Age = 1 })
	for range 2 {
		w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
	}
	if h.connections() != 2 {
		t.Errorf("%d connections", h.connections())
	}
}

// TestManyAtOnce shares connections between transfers that go on side by side.
func TestManyAtOnce(t *testing.T) {
	w, h := meet(t, script{offers: []string{"PIPELINING"}}, func(o *deliver.Options) { o.MaxIdle = 5 })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 10 {
				w.expect(t, transfer(plain, "bob@example.org"), "taken 250 2.0.0")
			}
		})
	}
	all.Wait()
	if got := h.took(); len(got) != 200 || slices.ContainsFunc(got, func(m string) bool { return m != plain }) {
		t.Errorf("%d messages", len(got))
	}
}

func TestCalledOff(t *testing.T) {
	w, h := meet(t, script{answers: map[string]string{".": stall}}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for len(h.took()) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	r := w.Carry(ctx, transfer(plain, "bob@example.org"))[0]
	if says(r) != "connection temporary 0 4.4.2" || !strings.Contains(r.Text, "called off") {
		t.Errorf("%+v", r)
	}
	if r := w.Carry(ctx, transfer(plain, "bob@example.org"))[0]; r.Failure == "" || r.Permanent {
		t.Errorf("%+v", r)
	}
}

// TestTheWholeIsBounded: a host that answers each step in time still does not get for ever.
func TestTheWholeIsBounded(t *testing.T) {
	w, _ := meet(t, script{answers: map[string]string{"RCPT": stall}}, func(o *deliver.Options) { o.Times.Whole = 100 * time.Millisecond })
	r := w.expect(t, transfer(plain, "bob@example.org"), "connection temporary 0 4.4.2")[0]
	if !strings.Contains(r.Text, "called off") {
		t.Errorf("%+v", r)
	}
}

func TestSizeIsLookedAtFirst(t *testing.T) {
	w, h := meet(t, script{offers: []string{"SIZE 20"}}, nil)
	w.expect(t, transfer(plain, "bob@example.org"), "content permanent 0 5.3.4")
	if got := h.heard("MAIL"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	w, h := meet(t, script{}, nil)
	tr := transfer(plain, "bob@example.org>\r\nDATA", "bob", "a b@example.org", `"a \"b"@example.org`, "x@exa mple.org", "ok@example.org", `"x" y@example.org`)
	bad := "content permanent 0 5.1.3"
	w.expect(t, tr, bad, bad, bad, "taken 250 2.0.0", bad, "taken 250 2.0.0", bad)
	if got := h.heard("RCPT"); !slices.Equal(got, []string{`RCPT TO:<"a \"b"@example.org>`, "RCPT TO:<ok@example.org>"}) {
		t.Errorf("%q", got)
	}
	tr = transfer(plain, "bob@example.org")
	tr.ReversePath = "us@us.example> SIZE=1\r\nRSET"
	w.expect(t, tr, "content permanent 0 5.1.7")
	tr = transfer(plain, "bob@example.org")
	tr.ReversePath = "" // a bounce
	w.expect(t, tr, "taken 250 2.0.0")
	if got := h.heard("MAIL FROM:<>"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestUnreadable: a message that we cannot read to its end is never ended on the wire.
func TestUnreadable(t *testing.T) {
	w, h := meet(t, script{}, nil)
	tr := transfer(plain, "bob@example.org")
	tr.Message = &broken{strings.NewReader(plain), 0}
	w.expect(t, tr, "content temporary 0 4.3.0")
	tr.Message = &broken{strings.NewReader(plain), 1} // when it is being sent
	w.expect(t, tr, "content temporary 0 4.3.0")
	tr = transfer(plain, "bob@example.org")
	tr.Size += 10
	w.expect(t, tr, "content temporary 0 4.3.0")
	if got := h.took(); got != nil {
		t.Errorf("the host took %q", got)
	}
}

// broken fails at every read but the first few.
type broken struct {
	r     io.ReaderAt
	reads int
}

func (b *broken) ReadAt(p []byte, off int64) (int, error) {
	if b.reads == 0 {
		return 0, errors.New("the disk is gone")
	}
	if off == 0 {
		b.reads--
	}
	return b.r.ReadAt(p, off)
}

func TestSource(t *testing.T) {
	w, h := meet(t, script{}, nil)
	tr := transfer(plain, "bob@example.org")
	tr.Source = netip.MustParseAddr("127.0.0.77")
	w.expect(t, tr, "taken 250 2.0.0")
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := h.conns[0].RemoteAddr().String(); !strings.HasPrefix(got, "127.0.0.77:") {
		t.Error(got)
	}
}

// TestWhomARefusalIsOf: only what a host says to a recipient, or of a message to nobody else, is of the recipient.
func TestWhomARefusalIsOf(t *testing.T) {
	const no = "550 5.1.1 does not exist"
	for _, c := range []struct {
		name, at string
		to       []string
		personal bool
	}{
		{"the connection", "greeting", []string{"bob"}, false},
		{"our name", "HELO", []string{"bob"}, false},
		{"the sender", "MAIL", []string{"bob"}, false},
		{"the recipient", "RCPT", []string{"bob", "carol"}, true},
		{"all recipients", "DATA", []string{"bob"}, false},
		{"the message to one", ".", []string{"bob"}, true},
		{"the message to two", ".", []string{"bob", "carol"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := meet(t, script{answers: map[string]string{c.at: no}}, nil)
			if c.at == "HELO" {
				h.set("EHLO", no)
			}
			var to []string
			for _, name := range c.to {
				to = append(to, name+"@example.org")
			}
			for _, r := range w.Carry(context.Background(), transfer(plain, to...)) {
				if !r.Permanent || r.Text != no || r.Personal != c.personal {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}
