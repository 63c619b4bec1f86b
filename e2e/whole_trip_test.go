package e2e

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTheWholeTrip: one installation, two customers, every kind of client on the same inboxes.
func TestTheWholeTrip(t *testing.T) {
	t.Parallel()
	podmail := start(t)
	admin := podmail.sdk(podmail.Key)

	// The SDK makes a pod for a customer. Asking again with the same client_id gives the same pod.
	var acme, again Pod
	admin.call("pods.create", &acme, arg{"name": "Acme", "clientId": "customer-1"})
	admin.call("pods.create", &again, arg{"name": "Acme, once more", "clientId": "customer-1"})
	if again != acme {
		t.Errorf("the same client_id gave another pod: %+v, %+v", acme, again)
	}

	// The pod gets two inboxes and a key of its own.
	var support, sales Inbox
	admin.call("pods.inboxes.create", &support, acme.PodID, arg{"username": "support", "displayName": "Acme Support"})
	admin.call("pods.inboxes.create", &sales, acme.PodID, arg{"username": "sales"})
	var key Key
	admin.call("pods.apiKeys.create", &key, acme.PodID, arg{"name": "Acme's agent"})
	agent := podmail.sdk(key.APIKey)

	// swaks logs in as sales and mails support.
	podmail.swaks(podmail.Submission, "--auth", "PLAIN", "--auth-user", sales.InboxID, "--auth-password", key.APIKey,
		"--from", sales.InboxID, "--to", support.InboxID, "--h-Subject", "Where is my parcel?", "--body", "It left a week ago.")

	// The SDK lists the thread and reads the message.
	thread := agent.onlyThread(support.InboxID, 1)
	if thread.Subject != "Where is my parcel?" || !slices.Contains(thread.Labels, "unread") {
		t.Errorf("the thread: %+v", thread)
	}
	question := thread.Messages[0]
	if strings.TrimSpace(question.Text) != "It left a week ago." || !strings.Contains(question.From, sales.InboxID) {
		t.Errorf("the message: %+v", question)
	}

	// It replies, and the reply is in the other inbox, in the thread of the message that it answers.
	var sent Sent
	agent.call("inboxes.messages.reply", &sent, support.InboxID, question.MessageID, arg{"text": "It arrives today."})
	if sent.ThreadID != thread.ThreadID {
		t.Errorf("the reply is in thread %s, the question in %s", sent.ThreadID, thread.ThreadID)
	}
	conversation := agent.onlyThread(sales.InboxID, 2)
	reply := conversation.Messages[1]
	if reply.InReplyTo != question.MessageID || !slices.Contains(reply.References, question.MessageID) {
		t.Errorf("the reply answers %q, %q, not %q", reply.InReplyTo, reply.References, question.MessageID)
	}
	if reply.Subject != "Re: Where is my parcel?" || strings.TrimSpace(reply.ExtractedText) != "It arrives today." || !slices.Contains(reply.Labels, "received") {
		t.Errorf("the reply: %+v", reply)
	}

	// imaplib sees the same messages with the same bytes.
	for _, m := range []struct{ inbox, mailbox, id string }{
		{sales.InboxID, "INBOX", reply.MessageID}, {sales.InboxID, "Sent", question.MessageID}, {support.InboxID, "INBOX", question.MessageID},
	} {
		if seen := podmail.imaplib(m.inbox, key.APIKey, m.mailbox); len(seen) != 1 || !bytes.Equal(seen[0].Raw, agent.raw(m.inbox, m.id)) {
			t.Errorf("%s of %s differs between IMAP and the API: %d messages, %v", m.mailbox, m.inbox, len(seen), seen)
		}
	}
	podmail.labelsAreKeywords(agent, key, support.InboxID, question.MessageID)

	// Another customer's key sees nothing of all this: to it, these things do not exist.
	podmail.strangerSeesNothing(admin, support, thread, question)
}

// labelsAreKeywords: a label of the API is a keyword of IMAP, and the other way round; so are read, flagged and answered.
func (p *Podmail) labelsAreKeywords(agent *SDK, key Key, inbox, message string) {
	p.t.Helper()
	agent.call("inboxes.messages.update", nil, inbox, message, arg{"addLabels": []string{"urgent"}})
	received := p.imaplib(inbox, key.APIKey, "INBOX", "handled", `\Seen`, `\Flagged`)
	for _, flag := range []string{"urgent", "handled", `\Seen`, `\Flagged`, `\Answered`} {
		if !received[0].has(flag) {
			p.t.Errorf("IMAP does not show %s: %q", flag, received[0].Flags)
		}
	}
	var got Message
	agent.call("inboxes.messages.get", &got, inbox, message)
	for _, label := range []string{"urgent", "handled", "starred", "replied", "received"} {
		if !slices.Contains(got.Labels, label) {
			p.t.Errorf("the API does not show %s: %q", label, got.Labels)
		}
	}
	if slices.Contains(got.Labels, "unread") {
		p.t.Errorf("read by IMAP, unread by the API: %q", got.Labels)
	}
}

// strangerSeesNothing looks at an inbox with the key of another pod, through every door.
func (p *Podmail) strangerSeesNothing(admin *SDK, theirs Inbox, thread Thread, message Message) {
	p.t.Helper()
	var pod Pod
	var mine Inbox
	var key Key
	admin.call("pods.create", &pod, arg{"name": "Globex"})
	admin.call("pods.inboxes.create", &mine, pod.PodID, arg{"username": "stranger"})
	admin.call("pods.apiKeys.create", &key, pod.PodID, arg{"name": "stranger"})
	stranger := p.sdk(key.APIKey)

	for _, list := range []string{"threads.list", "inboxes.threads.list"} {
		var listed struct{ Count int }
		var args []any
		if list == "inboxes.threads.list" {
			args = append(args, mine.InboxID)
		}
		stranger.call(list, &listed, args...)
		if listed.Count != 0 {
			p.t.Errorf("%s shows a stranger %d threads", list, listed.Count)
		}
	}
	var inboxes struct{ Inboxes []Inbox }
	stranger.call("inboxes.list", &inboxes)
	if len(inboxes.Inboxes) != 1 || inboxes.Inboxes[0].InboxID != mine.InboxID {
		p.t.Errorf("a stranger sees inboxes %+v", inboxes.Inboxes)
	}
	var pods struct{ Pods []Pod }
	stranger.call("pods.list", &pods)
	if len(pods.Pods) != 1 || pods.Pods[0].PodID != pod.PodID {
		p.t.Errorf("a stranger sees pods %+v", pods.Pods)
	}
	stranger.refused(404, "pods.get", theirs.PodID)
	stranger.refused(404, "pods.inboxes.list", theirs.PodID)
	stranger.refused(404, "inboxes.get", theirs.InboxID)
	stranger.refused(404, "threads.get", thread.ThreadID)
	stranger.refused(404, "inboxes.messages.list", theirs.InboxID)
	stranger.refused(404, "inboxes.messages.get", theirs.InboxID, message.MessageID)
	stranger.refused(404, "inboxes.messages.getRaw", mine.InboxID, message.MessageID)
	stranger.refused(404, "inboxes.messages.update", theirs.InboxID, message.MessageID, arg{"addLabels": []string{"x"}})
	stranger.refused(404, "inboxes.messages.send", theirs.InboxID, arg{"to": mine.InboxID, "text": "x"})
	if out, err := p.imaplibCommand(theirs.InboxID, key.APIKey, "INBOX").CombinedOutput(); err == nil || !strings.Contains(string(out), "login refused") {
		p.t.Errorf("a stranger's IMAP login: %v, %s", err, out)
	}
	if err := p.smtplib(theirs.InboxID, key.APIKey, "Subject: x\r\n\r\nx\r\n", theirs.InboxID, mine.InboxID); err == nil || !strings.Contains(err.Error(), "535") {
		p.t.Errorf("a stranger's submission: %v", err)
	}
}

// onlyThread waits until an inbox has one thread, with so many messages, and reads it.
func (s *SDK) onlyThread(inbox string, messages int) (thread Thread) {
	s.t.Helper()
	eventually(s.t, fmt.Sprintf("one thread of %d messages in %s", messages, inbox), func() error {
		var list struct{ Threads []Thread }
		s.call("inboxes.threads.list", &list, inbox)
		if len(list.Threads) != 1 || list.Threads[0].MessageCount != messages {
			return fmt.Errorf("there are %+v", list.Threads)
		}
		s.call("inboxes.threads.get", &thread, inbox, list.Threads[0].ThreadID)
		if len(thread.Messages) != messages {
			s.t.Fatalf("a thread of %d messages has %+v", messages, thread.Messages)
		}
		return nil
	})
	return thread
}
