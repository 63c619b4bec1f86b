package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"podmail/mail"
	"podmail/server"
	"podmail/server/servertest"
)

// tenant is one pod of the property test, with the words that only its own texts contain.
type tenant struct {
	pod     mail.Grant
	inboxes []mail.Grant
	word    string
}

// everything is all that a grant can get to see, as text.
func everything(t *rapid.T, s *server.Server, g mail.Grant) string {
	ctx := context.Background()
	var seen []any
	check := func(v any, err error) {
		if err != nil {
			t.Fatalf("list: %v", err)
		}
		seen = append(seen, v)
	}
	all := mail.Page{Limit: 1000}
	include := mail.MessageFilter{Include: mail.HiddenSpam | mail.HiddenTrash | mail.HiddenBlocked | mail.HiddenUnauthenticated}
	if g.Scope.Inbox == 0 {
		pods, _, err := s.ListPods(ctx, g, all)
		check(pods, err)
	}
	inboxes, _, err := s.ListInboxes(ctx, g, all)
	check(inboxes, err)
	keys, _, err := s.ListAPIKeys(ctx, g, "", all)
	check(keys, err)
	if g.Scope.Inbox == 0 {
		domains, _, err := s.ListDomains(ctx, g, all)
		check(domains, err)
	}
	threads, _, err := s.ListThreads(ctx, g, include, all)
	check(threads, err)
	drafts, _, err := s.ListDrafts(ctx, g, mail.MessageFilter{}, all)
	check(drafts, err)
	queued, _, err := s.ListDeliveries(ctx, g, all)
	check(queued, err)
	sub, err := s.Subscribe(ctx, g, server.Wanted{EventTypes: []string{"message.received", "message.received.blocked", "message.sent", "message.delivered", "message.bounced"}})
	check(nil, err)
	happened, _, _, err := s.ListEvents(ctx, sub, 0)
	check(happened, err)
	for _, e := range happened {
		told, _, err := s.Tell(ctx, g, e)
		check(told, err)
	}
	for _, th := range threads {
		_, messages, _, err := s.GetThread(ctx, g, th.ThreadID, mail.Page{Limit: 100})
		check(messages, err)
	}
	for _, in := range inboxes {
		ig, err := s.InInbox(ctx, g, in.Address)
		check(nil, err)
		messages, _, err := s.ListMessages(ctx, ig, include, all)
		check(messages, err)
		changes, _, err := s.ListInboxEvents(ctx, ig, all)
		check(changes, err)
		boxes, err := s.ListMailboxes(ctx, ig)
		check(boxes, err)
		for _, b := range boxes {
			check(nil, s.FetchMessages(ctx, ig, b.ID, []mail.UIDRange{{First: 1, Last: 1 << 31}}, server.FetchWant{Envelope: true, Structure: true, Raw: true},
				func(f *server.FetchedMessage) error {
					raw := make([]byte, f.Size)
					if _, err := f.Raw.ReadAt(raw, 0); err != nil {
						return err
					}
					seen = append(seen, string(raw), f.MessageState)
					return nil
				}))
		}
	}
	b, err := json.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestNoScopeSeesAnother runs random verbs in several pods, with foreign ids thrown in, and looks at all that each
// scope can see.
func TestNoScopeSeesAnother(t *testing.T) {
	w := servertest.New(t)
	w.PoisonDomain(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		var tenants []*tenant
		for i := range 3 {
			tn := &tenant{word: fmt.Sprintf("secret%dx%dx", n, i)}
			tn.pod = w.Pod(t, tn.word)

			for j := range 2 {
				tn.inboxes = append(tn.inboxes, w.Inbox(t, tn.pod, fmt.Sprintf("%s.%d", tn.word, j)))
			}
			tenants = append(tenants, tn)
		}
		ids := map[string][]string{} // word to its message and thread ids
		for range rapid.IntRange(5, 25).Draw(rt, "steps") {
			step(rt, w, tenants, ids)
		}
		for _, tn := range tenants {
			for _, g := range append(slices.Clone(tn.inboxes), tn.pod) {
				seen := everything(rt, w.Server, g)
				for _, other := range tenants {
					if other != tn && strings.Contains(seen, other.word) {
						rt.Fatalf("%s sees %s: %s", tn.word, other.word, around(seen, other.word))
					}
				}
				if strings.Contains(seen, servertest.Poison) {
					rt.Fatalf("%s sees the twin tenant", tn.word)
				}
			}
		}
	})
}

func around(s, word string) string {
	i := strings.Index(s, word)
	return s[max(0, i-200):min(len(s), i+200)]
}

// step does one random thing as a random inbox, to a thing of its own or, which must fail, of another tenant.
func step(rt *rapid.T, w *servertest.World, tenants []*tenant, ids map[string][]string) {
	ctx := context.Background()
	s := w.Server
	tn := rapid.SampledFrom(tenants).Draw(rt, "tenant")
	g := rapid.SampledFrom(tn.inboxes).Draw(rt, "inbox")
	other := rapid.SampledFrom(tenants).Draw(rt, "other")
	id := "<none@example.org>"
	if list := ids[other.word]; len(list) > 0 {
		id = rapid.SampledFrom(list).Draw(rt, "id")
	}
	foreign := other != tn
	var err error
	switch rapid.IntRange(0, 9).Draw(rt, "verb") {
	case 0, 1:
		raw := fmt.Sprintf("From: %s <x@example.org>\r\nTo: a@b\r\nSubject: %s\r\nIn-Reply-To: %s\r\nMessage-ID: <%d.%s@example.org>\r\n\r\n%s", tn.word, tn.word,
			"<1.common@example.org>", rapid.IntRange(1, 20).Draw(rt, "number"), tn.word, tn.word)
		err = s.Deliver(ctx, server.Incoming{ReversePath: "x@example.org", Recipients: []string{g.InboxID}, Body: strings.NewReader(raw)})
		foreign = false
	case 2:
		var m mail.Message
		text := tn.word
		m, err = s.Send(ctx, g, server.SendRequest{To: []string{"out@example.net"}, Subject: tn.word, Text: &text})
		ids[tn.word] = append(ids[tn.word], m.MessageID, m.ThreadID)
		foreign = false
	case 3:
		_, err = s.UpdateMessage(ctx, g, id, []string{tn.word}, nil)
	case 4:
		_, err = s.UpdateThread(ctx, tn.pod, id, []string{"trash"}, []string{"unread"})
	case 5:
		_, _, err = s.GetMessage(ctx, g, id)
	case 6:
		err = s.DeleteThread(ctx, g, id)
	case 7:
		text := tn.word
		_, err = s.Reply(ctx, g, id, server.SendRequest{Text: &text, To: []string{"out@example.net"}}, false)
	case 9:
		_, err = s.GetDomain(ctx, tn.pod, "poison.example")
		foreign = true
	case 8:
		_, err = s.InInbox(ctx, tn.pod, other.inboxes[0].InboxID)
	}
	switch {
	case foreign && mail.CodeOf(err) != mail.CodeNotFound:
		rt.Fatalf("a foreign id gave %v instead of not_found", err)
	case err != nil && mail.CodeOf(err) != mail.CodeNotFound:
		rt.Fatalf("verb failed: %v", err)
	}
}
