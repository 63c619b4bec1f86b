package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
	"podmail/storage"
)

// forwards has an inbox hand on what arrives in it.
func (w *sending) forwards(t *testing.T, g mail.Grant, keepCopy bool, to ...string) {
	t.Helper()
	if _, err := w.Server.SetForwarding(context.Background(), g, g.InboxID, server.NewForwarding{Addresses: to, KeepCopy: keepCopy}); err != nil {
		t.Fatal(err)
	}
}

const hiddenToo = mail.HiddenSpam | mail.HiddenTrash | mail.HiddenBlocked | mail.HiddenUnauthenticated

// has is what an inbox holds, oldest first: the labels of each message.
func (w *sending) has(t *testing.T, g mail.Grant) string {
	t.Helper()
	all, _, err := w.Server.ListMessages(context.Background(), g, mail.MessageFilter{Include: hiddenToo}, mail.Page{Limit: 100, Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range all {
		out = append(out, strings.Join(m.Labels, " "))
	}
	return strings.Join(out, ", ")
}

func (w *sending) settled(t *testing.T) {
	t.Helper()
	w.carry(t, "nothing waits", func() bool { return len(w.waiting(t)) == 0 })
}

var spfPass = &mail.Authentication{ReversePath: "sue@far.test", SPF: mail.SPFResult{Result: mail.AuthPass, Domain: "far.test"}, ARC: mail.ARCResult{Result: mail.AuthNone},
	DMARC: mail.DMARCResult{Result: mail.AuthPass, From: "far.test"}}

// TestForwardedBytes: what is handed on is what came, below where it has been; under an address of ours, and sealed.
func TestForwardedBytes(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	received := w.receiving(t, refusing)
	w.forwards(t, w.alice, true, "ann@other.test", "bea@other.test")
	large := strings.Repeat("a line\r\n", 50_000)
	if err := w.arrivesWith(large, "Sue@far.test", spfPass, mail.Handling{EnvelopeID: "e1", Return: "HDRS", RequireTLS: true},
		map[string]mail.Reporting{"alice+x@podmail.test": {Notify: "FAILURE"}}); err != nil {
		t.Fatal(err)
	}
	w.settled(t)
	got := received()
	if len(got) != 1 {
		t.Fatalf("%d transfers", len(got))
	}
	tr := got[0]
	head, body, _ := strings.Cut(tr.raw, "\r\n\r\n")
	if !strings.HasPrefix(head, "Delivered-To: alice@podmail.test\r\nAuthentication-Results: mx.podmail.test;") || !strings.HasSuffix(head, "From: sue@far.test\r\nTo: bob@podmail.test\r\nSubject: Hello\r\nMessage-ID: <hello@far.test>") ||
		strings.Contains(head, "Return-Path") || strings.Count(head, "Received:") != 1 || body != large {
		t.Errorf("what is handed on:\n%s\n%d bytes", head, len(body))
	}
	if !strings.HasPrefix(tr.ReversePath, "SRS0=") || !strings.HasSuffix(tr.ReversePath, "=far.test=Sue@podmail.test") || len(tr.Recipients) != 2 || len(tr.Keys) != 0 {
		t.Errorf("how it is handed on: %+v", tr.Transfer)
	}
	if r := tr.Recipients[0]; tr.EnvelopeID != "e1" || tr.Return != "HDRS" || !tr.RequireTLS || r.Notify != "FAILURE" || r.OriginalRecipient != "rfc822;alice+2Bx@podmail.test" {
		t.Errorf("what its sender asked for: %+v", tr.Transfer)
	}
	if s := tr.Seal; s == nil || s.Key.Domain != "podmail.test" || s.AuthservID != "mx.podmail.test" || s.Chain != mail.AuthNone || !strings.Contains(s.Results, "spf=pass smtp.mailfrom=far.test; dkim=none; dmarc=pass header.from=far.test") {
		t.Errorf("the seal: %+v", s)
	}
	if has := w.has(t, w.alice); has != "received unread" {
		t.Errorf("alice has %q", has)
	}
	m, _, err := w.Server.ListMessages(context.Background(), w.alice, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	ds, _, err := w.Server.DeliveriesOf(context.Background(), w.alice, m[0].MessageID)
	if err != nil || len(ds) != 2 || ds[0].State != mail.DeliveryDelivered || ds[0].Purpose != mail.PurposeForward {
		t.Errorf("what became of it: %+v, %v", ds, err)
	}
}

// TestSealOfChains: a chain that holds goes on, one that is broken is not continued.
func TestSealOfChains(t *testing.T) {
	for chain, want := range map[mail.AuthResult]string{mail.AuthPass: "pass", mail.AuthFail: "no seal"} {
		w := newSending(t, server.QueueLimits{}, nil)
		w.forwards(t, w.alice, true, "ann@other.test")
		a := *spfPass
		a.ARC.Result = chain
		if err := w.arrives("sue@far.test", &a, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
			t.Fatal(err)
		}
		w.settled(t)
		got := "no seal"
		if s := w.hosts.Seen()[0].Seal; s != nil {
			got = string(s.Chain)
		}
		if got != want {
			t.Errorf("%s: %s", chain, got)
		}
	}
}

// TestForwardsWithoutCopy: the message is in Trash while it is on its way, gone once everybody has it, and in the inbox if
// somebody cannot have it.
func TestForwardsWithoutCopy(t *testing.T) {
	events := func(w *sending) string {
		var all []mail.Event
		err := w.Store.For(w.alice.Scope).Read(context.Background(), func(tx storage.Tx) (err error) {
			all, err = tx.ListEvents(0, 100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range all {
			out = append(out, string(e.Type))
		}
		return strings.Join(out, " ")
	}
	for name, c := range map[string]struct {
		to              []string
		meanwhile, then string
	}{
		"everybody has it": {[]string{"ann@other.test", "bea@elsewhere.test"}, "received trash unread", ""},
		"somebody cannot":  {[]string{"ann@other.test", "nobody@elsewhere.test"}, "received trash unread", "received unread"},
		"nobody can":       {[]string{"nobody@other.test"}, "received trash unread", "received unread"},
		"somebody here":    {[]string{"carol@podmail.test"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSending(t, server.QueueLimits{}, refusing)
			carol := w.Inbox(t, w.Pod(t, "b"), "carol")
			w.forwards(t, w.alice, false, c.to...)
			if err := w.arrives("sue@far.test", spfPass, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
				t.Fatal(err)
			}
			if has := w.has(t, w.alice); c.meanwhile != "" && (has != c.meanwhile || strings.Contains(events(w), "message.received")) {
				t.Errorf("meanwhile she has %q, and was told %s", has, events(w))
			}
			w.settled(t)
			if has := w.has(t, w.alice); has != c.then || strings.Contains(events(w), "message.received") != (c.then != "") || strings.Contains(events(w), "message.bounced") {
				t.Errorf("then she has %q, and was told %s", has, events(w))
			}
			if has := w.has(t, carol); (has != "") != (name == "somebody here") {
				t.Errorf("carol has %q", has)
			}
			threads, _, err := w.Server.ListThreads(context.Background(), w.alice, mail.MessageFilter{Include: hiddenToo}, mail.Page{Limit: 10})
			if err != nil || len(threads) != len(strings.Fields(c.then))/2 {
				t.Errorf("%d threads, %v", len(threads), err)
			}
		})
	}
}

// TestWhatIsNotForwarded: only what is in the inbox view, not round in circles, not to whom the lists block.
func TestWhatIsNotForwarded(t *testing.T) {
	forged := *spfPass
	forged.DMARC = mail.DMARCResult{Result: mail.AuthFail, From: "far.test", Domain: "far.test", Policy: mail.PolicyReject}
	for name, c := range map[string]struct {
		a      *mail.Authentication
		header string
		block  string // an entry of the send block list
		want   int
		label  string
	}{
		"usual":           {spfPass, "", "", 2, ""},
		"unauthenticated": {&forged, "", "", 0, "unauthenticated"},
		"been here":       {spfPass, "Delivered-To: Alice+x@podmail.test\r\n", "", 0, "received"},
		"been there":      {spfPass, "Delivered-To: <ANN@other.test>\r\n", "", 1, ""},
		"blocked":         {spfPass, "", "other.test", 0, "received"},
		"one is blocked":  {spfPass, "", "ann@other.test", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			w := newSending(t, server.QueueLimits{}, nil)
			w.forwards(t, w.alice, false, "ann@other.test", "bea@other.test")
			if c.block != "" {
				if _, err := w.Server.CreateListEntry(ctx, w.Org, server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}, server.NewListEntry{Entry: c.block}); err != nil {
					t.Fatal(err)
				}
			}
			err := w.Server.Deliver(ctx, server.Incoming{ReversePath: "sue@far.test", Recipients: []string{"alice@podmail.test"}, Authenticate: func() mail.Authentication { return *c.a },
				Body: strings.NewReader(c.header + "From: sue@far.test\r\nMessage-ID: <1@far.test>\r\n\r\nHi.\r\n")})
			if err != nil {
				t.Fatal(err)
			}
			w.settled(t)
			n := 0
			for _, tr := range w.hosts.Seen() {
				n += len(tr.Recipients)
			}
			if has := w.has(t, w.alice); n != c.want || !strings.Contains(has, c.label) || c.label == "" && has != "" || strings.Contains(has, "trash") {
				t.Errorf("handed on to %d, and she has %q", n, has)
			}
		})
	}
}

// TestForwardingInCirclesEnds: two inboxes that hand everything to each other end with one message each at most, and none
// is lost.
func TestForwardingInCirclesEnds(t *testing.T) {
	for _, keepCopy := range []bool{true, false} {
		w := newSending(t, server.QueueLimits{}, nil)
		bob := w.Inbox(t, w.Pod(t, "b"), "bob")
		w.forwards(t, w.alice, keepCopy, "bob@podmail.test")
		w.forwards(t, bob, keepCopy, "alice@podmail.test")
		if err := w.arrives("sue@far.test", spfPass, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
			t.Fatal(err)
		}
		w.settled(t)
		want := map[bool]string{true: "received unread", false: ""}[keepCopy]
		if got := w.has(t, w.alice); got != want {
			t.Errorf("keep_copy %v: alice has %q", keepCopy, got)
		}
		if got := w.has(t, bob); got != "received unread" {
			t.Errorf("keep_copy %v: bob has %q", keepCopy, got)
		}
		in := w.intake(t, bob)
		if in.Authentication == nil || in.Authentication.SPF.Result != mail.AuthPass || !strings.Contains(in.Forwarding, "alice@podmail.test had it before") {
			t.Errorf("what bob is told: %+v", in)
		}
	}
}

// intake is how the only message of an inbox came in.
func (w *sending) intake(t *testing.T, g mail.Grant) mail.Intake {
	t.Helper()
	all, _, err := w.Server.ListMessages(context.Background(), g, mail.MessageFilter{}, mail.Page{Limit: 1})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	_, in, err := w.Server.ExplainMessage(context.Background(), g, all[0].MessageID)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// TestForwardsCountForLimits: what may not be sent stays in the inbox.
func TestForwardsCountForLimits(t *testing.T) {
	for _, keepCopy := range []bool{true, false} {
		hosts := servertest.NewCourier(nil)
		world := servertest.New(t, func(o *server.Options) { o.Courier, o.Sending.Inbox = hosts, mail.Rate{PerHour: 3} })
		w := &sending{world, hosts, world.Inbox(t, world.Pod(t, "a"), "alice")}
		w.forwards(t, w.alice, keepCopy, "ann@other.test", "bea@other.test")
		for i := range 2 {
			err := w.Server.Deliver(context.Background(), server.Incoming{ReversePath: "sue@far.test", Recipients: []string{"alice@podmail.test"},
				Body: strings.NewReader(fmt.Sprintf("From: sue@far.test\r\nMessage-ID: <%d@far.test>\r\n\r\nHi.\r\n", i))})
			if err != nil {
				t.Fatal(err)
			}
		}
		w.settled(t)
		want := map[bool]string{true: "received unread, received unread", false: "received unread"}[keepCopy]
		if has := w.has(t, w.alice); has != want || len(w.hosts.Seen()) != 1 {
			t.Errorf("keep_copy %v: she has %q, and %d transfers were made", keepCopy, has, len(w.hosts.Seen()))
		}
		if _, err := w.Server.Send(context.Background(), w.alice, server.SendRequest{To: []string{"zoe@other.test"}, Text: str("One more.")}); err != nil {
			t.Errorf("what was not handed on counts: %v", err)
		}
	}
}

// TestOurOwnMailIsForwarded: what one inbox wrote leaves another under the signature of its writer's domain.
func TestOurOwnMailIsForwarded(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	acme := w.Pod(t, "acme")
	w.Verified(t, acme, server.NewDomain{Name: "acme.example"})
	sales, err := w.Server.CreateInbox(ctx, acme, server.NewInbox{Username: "sales", Domain: "acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := w.Server.InInbox(ctx, acme, sales.Address)
	if err != nil {
		t.Fatal(err)
	}
	w.forwards(t, w.alice, true, "ann@other.test")
	sent := w.send(t, writer, "alice@podmail.test")
	w.carry(t, "it is handed on", func() bool { return len(w.hosts.Seen()) == 1 })
	tr := w.hosts.Seen()[0]
	if len(tr.Keys) == 0 || tr.Keys[0].Domain != "acme.example" || tr.Seal == nil || tr.Seal.Key.Domain != "podmail.test" || tr.Seal.Results != "none" || !strings.HasSuffix(tr.ReversePath, "=acme.example=sales@podmail.test") {
		t.Errorf("%+v", tr)
	}
	w.settled(t)
	m, _, err := w.Server.GetMessage(ctx, writer, sent.MessageID)
	if err != nil || strings.Join(m.Labels, " ") != "delivered sent" {
		t.Errorf("the writer's message: %q, %v", m.Labels, err)
	}
}

// TestForwardedAfterItWasDeleted: who deletes his copy takes nothing back, and it leaves as it would have.
func TestForwardedAfterItWasDeleted(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	received := w.receiving(t, refusing)
	w.forwards(t, w.alice, true, "later@other.test")
	if err := w.arrives("sue@far.test", spfPass, mail.Handling{}, map[string]mail.Reporting{"alice@podmail.test": {}}); err != nil {
		t.Fatal(err)
	}
	w.carry(t, "it is put off", func() bool { return len(received()) == 1 && w.waiting(t)[0].Attempts == 1 })
	if err := w.Server.DeleteMessage(ctx, w.alice, "<hello@far.test>"); err != nil {
		t.Fatal(err)
	}
	again := w.receiving(t, refusing)
	w.Clock.Step(time.Hour)
	w.carry(t, "it is tried again", func() bool { return len(again()) > 0 })
	if a, b := received()[0], again()[0]; a.raw != b.raw || b.Seal == nil || a.Seal.Results != b.Seal.Results || a.ReversePath != b.ReversePath {
		t.Errorf("%+v\n%s\n%+v\n%s", a.Transfer, a.raw, b.Transfer, b.raw)
	}
}

func TestForwardingIsChecked(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	if _, err := w.Server.CreateListEntry(ctx, w.Org, server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}, server.NewListEntry{Entry: "blocked.test"}); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf("a%d@other.test", i)
	}
	for _, c := range []struct {
		to   []string
		want string
	}{
		{nil, "must name at least one address"},
		{many, "at most 10"},
		{[]string{"nonsense"}, "addresses"},
		{[]string{"a@other.test", "A@Other.test"}, "twice"},
		{[]string{"alice@podmail.test"}, "the inbox itself"},
		{[]string{"Alice+tag@podmail.test"}, "the inbox itself"},
		{[]string{"nobody@podmail.test"}, "there is no mailbox nobody@podmail.test here"},
		{[]string{"a@blocked.test"}, "blocked"},
	} {
		_, err := w.Server.SetForwarding(ctx, w.alice, "alice@podmail.test", server.NewForwarding{Addresses: c.to})
		if err == nil || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%q: %v", c.to, err)
		}
	}
	if _, err := w.Server.GetForwarding(ctx, w.alice, "alice@podmail.test"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("%v", err)
	}
	w.forwards(t, w.alice, true, "Ann <ann@other.test>")
	inbox, err := w.Server.GetForwarding(ctx, w.alice, "alice@podmail.test")
	if err != nil || fmt.Sprint(inbox.Forwarding.Addresses) != "[ann@other.test]" {
		t.Errorf("%+v, %v", inbox, err)
	}
	list, _, err := w.Server.ListForwardings(ctx, w.Org, mail.Page{Limit: 10})
	if err != nil || len(list) != 1 || list[0].Address != "alice@podmail.test" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, _, err := w.Server.ListForwardings(ctx, w.alice, mail.Page{Limit: 10}); err == nil && w.alice.KeyScope.Type() != mail.ScopeOrganization {
		t.Error("an inbox lists those of everybody")
	}
	if err := w.Server.RemoveForwarding(ctx, w.alice, "alice@podmail.test"); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.RemoveForwarding(ctx, w.alice, "alice@podmail.test"); mail.CodeOf(err) != mail.CodeNotFound {
		t.Errorf("%v", err)
	}
	w.forwards(t, w.alice, true, "ann@other.test")
	if err := w.Server.DeleteInbox(ctx, w.Org, "alice@podmail.test"); err != nil {
		t.Fatal(err)
	}
	if list, _, err := w.Server.ListForwardings(ctx, w.Org, mail.Page{Limit: 10}); err != nil || len(list) != 0 {
		t.Errorf("of an inbox that is deleted: %+v, %v", list, err)
	}
}
