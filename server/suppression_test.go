package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"podmail/mail"
	"podmail/server"
)

// TestComplaintsOutliveBounces: who has bounced, and complains of an older message too, is blocked for good.
func TestComplaintsOutliveBounces(t *testing.T) {
	w := newSending(t, server.QueueLimits{}, nil)
	first, second := w.delivered(t, "bob@other.test"), w.delivered(t, "bob@other.test")
	w.comes(t, "", w.hosts.Seen()[1].ReversePath, failed("failed", "5.1.1", "550 gone", second.MessageID, "bob@other.test"))
	w.comes(t, "feedback@other.test", "alice@podmail.test", complaint("abuse", first.MessageID, "Original-Rcpt-To: <bob@other.test>\n"))
	w.Clock.Step(91 * 24 * time.Hour)
	if _, err := w.Server.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.suppressed(t); len(got) != 1 || got[0] != "bob@other.test: complaint: abuse" {
		t.Error("after the time of bounces:", got)
	}
}

// TestSuppression: what bounced hard cannot be written to by anyone in the pod, until the entry goes; other pods can.
func TestSuppression(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, func(tr mail.Transfer) (results []mail.TransferResult) {
		for _, to := range tr.Recipients {
			results = append(results, mail.TransferResult{Recipient: to.Address, Failure: mail.TransferReply, Permanent: true, Personal: to.Address != "there@other.test", Code: 550, Enhanced: "5.1.1", Text: "550 5.1.1 no such user"})
		}
		return results
	})
	pod := w.alice
	pod.Scope.Inbox, pod.InboxID, pod.KeyScope = 0, "", mail.Scope{Pod: w.alice.Scope.Pod}
	bob := w.Inbox(t, pod, "bob")
	w.send(t, w.alice, "there@other.test")
	w.carry(t, "it bounces", func() bool { return len(w.waiting(t)) == 0 })
	if got := w.suppressed(t); len(got) != 0 {
		t.Error("the host refuses us, whatever words it has for that:", got)
	}
	w.send(t, w.alice, "gone@other.test")
	w.carry(t, "it bounces", func() bool { return len(w.waiting(t)) == 0 })
	send := func(g mail.Grant) error {
		_, err := w.Server.Send(ctx, g, server.SendRequest{To: []string{"Gone@other.test"}, Subject: "Again"})
		return err
	}
	err := send(bob)
	refused, ok := err.(*mail.Error)
	if !ok || refused.Reason != mail.ReasonMessageRejected || !strings.Contains(refused.Message, "gone@other.test on the list of the pod (hard bounce: 550 5.1.1 no such user)") ||
		!strings.Contains(refused.Fix, "DELETE /v0/pods/") || !strings.HasSuffix(refused.Fix, "/lists/send/block/gone@other.test.") {
		t.Fatalf("%v", err)
	}
	if err := send(w.Inbox(t, w.Pod(t, "b"), "eve")); err != nil {
		t.Error("another pod:", err)
	}
	list := server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}
	if err := w.Server.DeleteListEntry(ctx, pod, list, "gone@other.test"); mail.CodeOf(err) != mail.CodeForbidden {
		t.Error("a key of the pod may delete it:", err)
	}
	operator, err := w.Server.InPod(ctx, w.Org, pod.PodID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Server.DeleteListEntry(ctx, operator, list, "gone@other.test"); err != nil {
		t.Error(err)
	}
	if err := send(bob); err != nil {
		t.Error("after deletion:", err)
	}
	w.carry(t, "it bounces again", func() bool { return len(w.suppressed(t)) == 1 })
	w.Clock.Step(91 * 24 * time.Hour)
	if _, err := w.Server.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.suppressed(t); len(got) != 0 {
		t.Error("after its time:", got)
	}
}

// TestWhatIsBlockedByHandStays: who blocks an address that the server blocks for a while blocks it for good.
func TestWhatIsBlockedByHandStays(t *testing.T) {
	ctx := context.Background()
	w := newSending(t, server.QueueLimits{}, nil)
	pod := w.alice
	pod.Scope.Inbox, pod.InboxID = 0, ""
	m := w.delivered(t, "bob@other.test")
	w.comes(t, "", w.hosts.Seen()[0].ReversePath, failed("failed", "5.1.1", "550 gone", m.MessageID, "bob@other.test"))
	list := server.List{Direction: mail.DirectionSend, Type: mail.ListBlock}
	made, err := w.Server.CreateListEntry(ctx, pod, list, server.NewListEntry{Entry: "bob@other.test", Reason: "asked us to stop"})
	if err != nil || !made.ReadOnly || !made.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := w.Server.CreateListEntry(ctx, pod, list, server.NewListEntry{Entry: "bob@other.test", ExpiresAt: w.Clock.Now().Add(time.Hour)}); err != nil {
		t.Error(err)
	}
	w.Clock.Step(91 * 24 * time.Hour)
	if _, err := w.Server.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.suppressed(t); len(got) != 1 {
		t.Error("after the time of bounces:", got)
	}
}
