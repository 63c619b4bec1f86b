package e2e

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// unavailable are the methods that cannot succeed here, and why.
var unavailable = map[string]string{
	"inboxes.authorize":      "belongs to AgentMail's hosted sign-in service",
	"providers.get":          "there are no providers: they belong to AgentMail's hosted sign-in service",
	"providers.listAccounts": "there are no providers",
	"providers.connect":      "there are no providers",
	"accounts.get":           "there are no accounts: they belong to AgentMail's hosted sign-in service",
}

// TestEveryMethod calls every method that the official client has, found by reflection, with a key of each scope and by
// every way to the same things that the key has.
func TestEveryMethod(t *testing.T) {
	t.Parallel()
	podmail := start(t, serveDNS(t).setting(), "agent.sign_up = true")
	admin := podmail.sdk(podmail.Key)
	var pod Pod
	var inbox, peer Inbox
	var podKey, inboxKey Key
	admin.call("pods.create", &pod, arg{"name": "Acme"})
	admin.call("pods.inboxes.create", &inbox, pod.PodID, arg{"username": "support"})
	admin.call("pods.inboxes.create", &peer, pod.PodID, arg{"username": "peer"})
	admin.call("pods.apiKeys.create", &podKey, pod.PodID, arg{"name": "of the pod"})
	admin.call("inboxes.apiKeys.create", &inboxKey, inbox.InboxID, arg{"name": "of the inbox"})

	everywhere, ofPod, ofInbox := way{"", nil}, way{"pods.", []any{pod.PodID}}, way{"inboxes.", []any{inbox.InboxID}}
	used := map[string]bool{}
	for scope, c := range map[string]struct {
		key  string
		ways []way
	}{
		"organization": {podmail.Key, []way{everywhere, ofPod, ofInbox}},
		"pod":          {podKey.APIKey, []way{everywhere, ofPod, ofInbox}},
		"inbox":        {inboxKey.APIKey, []way{everywhere, ofInbox}},
	} {
		tour := &tour{SDK: podmail.sdk(c.key), scope: scope, ways: c.ways, inbox: inbox.InboxID, peer: peer.InboxID, admin: admin, podmail: podmail}
		tour.visit()
		maps.Copy(used, tour.used)
	}

	var methods []string
	admin.call("methods", &methods)
	for _, method := range methods {
		why, never := unavailable[method]
		switch {
		case used[method] && never:
			t.Errorf("%s works, though %s", method, why)
		case !used[method] && !never:
			t.Errorf("%s was not exercised", method)
		}
	}
	for method := range unavailable {
		if !slices.Contains(methods, method) {
			t.Errorf("the client has no method %s", method)
		}
	}
}

// way is how a client gets to a resource: through the organization, a pod or an inbox.
type way struct {
	prefix string
	to     []any
}

// tour is one client on its way through all methods.
type tour struct {
	*SDK
	scope       string
	ways        []way
	inbox, peer string // addresses
	admin       *SDK
	podmail     *Podmail
	way         way
	n           int
}

// do calls a method of a resource on the present way.
func (c *tour) do(method string, result any, args ...any) {
	c.t.Helper()
	c.call(c.way.prefix+method, result, append(slices.Clone(c.way.to), args...)...)
}

// name is one that was not used before.
func (c *tour) name(kind string) string {
	c.n++
	return fmt.Sprintf("%s-%s-%d", c.scope, kind, c.n)
}

// visit goes through everything that a key of the scope can do.
func (c *tour) visit() {
	c.call("auth.me", nil)
	c.call("organizations.get", nil)
	if c.scope == "organization" {
		c.pods()
	}
	for _, c.way = range c.ways {
		c.apiKeys()
		c.listEntries()
		c.threads()
		c.drafts()
		if c.scope != "inbox" && c.way.prefix != "inboxes." {
			c.inboxes()
			c.domains()
		}
		c.webhooks()
		c.do("metrics.queryEvents", nil, arg{"eventTypes": []string{"message.received", "message.sent"}, "period": 3600})
		c.do("metrics.queryUsage", nil, arg{"usageTypes": []string{"message_count", "storage_bytes"}, "period": 3600, "descending": true})
	}
	c.messages()
	c.socket()
	c.hosted()
	c.agent()
}

func (c *tour) pods() {
	var pod, again Pod
	client := c.name("customer")
	c.call("pods.create", &pod, arg{"name": "Short-lived", "clientId": client})
	c.call("pods.get", &again, client)
	if again.PodID != pod.PodID {
		c.t.Errorf("the pod by its client_id: %+v", again)
	}
	c.call("pods.list", nil, arg{"limit": 1, "ascending": true})
	c.call("pods.delete", nil, pod.PodID)
	c.refused(404, "pods.get", pod.PodID)
}

func (c *tour) inboxes() {
	var inbox Inbox
	c.do("inboxes.create", &inbox, arg{"username": c.name("inbox"), "displayName": "Blue Heron", "metadata": arg{"tier": "gold", "seats": 3, "trial": true}})
	c.do("inboxes.update", &inbox, inbox.InboxID, arg{"metadata": arg{"trial": nil}, "displayName": "Grey Heron"})
	if c.do("inboxes.get", &inbox, inbox.InboxID); inbox.DisplayName != "Grey Heron" {
		c.t.Errorf("the inbox: %+v", inbox)
	}
	c.do("inboxes.list", nil, arg{"limit": 2})
	var found struct{ Inboxes []Inbox }
	c.do("inboxes.search", &found, arg{"q": "grey her"})
	if !slices.ContainsFunc(found.Inboxes, func(i Inbox) bool { return i.InboxID == inbox.InboxID }) {
		c.t.Errorf("search does not find it: %+v", found)
	}
	c.do("inboxes.delete", nil, inbox.InboxID)
	c.refused(404, "inboxes.get", inbox.InboxID)
}

func (c *tour) domains() {
	var d Domain
	name := c.name("domain") + ".example"
	c.do("domains.create", &d, arg{"domain": name})
	c.do("domains.get", &d, name)
	c.do("domains.update", &d, name, arg{"feedbackEnabled": true})
	c.do("domains.verify", nil, name)
	var zone string
	if c.do("domains.getZoneFile", &zone, name); !strings.Contains(zone, name+". ") {
		c.t.Errorf("the zone file: %s", zone)
	}
	if c.way.prefix == "" {
		c.do("domains.getSetupLink", nil, name)
	}
	c.do("domains.list", nil)
	c.do("domains.delete", nil, name)
	c.refused(404, "domains.get", name)
}

func (c *tour) apiKeys() {
	var key Key
	c.do("apiKeys.create", &key, arg{"name": c.name("key"), "permissions": arg{"message_read": true}})
	c.do("apiKeys.update", nil, key.APIKeyID, arg{"name": "renamed", "permissions": arg{"inbox_read": true}})
	c.do("apiKeys.list", nil)
	c.call("apiKeys.get", nil, key.APIKeyID)
	c.do("apiKeys.delete", nil, key.APIKeyID)
	c.refused(404, "apiKeys.get", key.APIKeyID)
}

func (c *tour) listEntries() {
	entry := c.name("list") + ".example"
	c.do("lists.create", nil, "receive", "block", arg{"entry": entry, "reason": "noise"})
	c.do("lists.get", nil, "receive", "block", entry)
	c.do("lists.list", nil, "receive", "block", arg{"limit": 10})
	c.do("lists.delete", nil, "receive", "block", entry)
}

// arrival is a message with an attachment that has just come in.
func (c *tour) arrival() (m Message) {
	c.t.Helper()
	subject := c.name("arrival")
	c.admin.call("inboxes.messages.send", nil, c.peer, arg{"to": c.inbox, "subject": subject, "text": "The kingfisher has landed.",
		"attachments": []arg{{"filename": "bird.txt", "content": "a2luZ2Zpc2hlcg=="}}})
	eventually(c.t, subject+" arrives", func() error {
		var list struct{ Messages []Message }
		c.call("inboxes.messages.list", &list, c.inbox, arg{"subject": []string{subject}, "labels": []string{"received", "unread"}})
		if len(list.Messages) != 1 {
			return fmt.Errorf("%+v", list)
		}
		m = list.Messages[0]
		return nil
	})
	return m
}

func (c *tour) threads() {
	m := c.arrival()
	var th Thread
	c.do("threads.get", &th, m.ThreadID, arg{"limit": 10})
	if len(th.Messages) != 1 || th.Messages[0].MessageID != m.MessageID {
		c.t.Errorf("the thread: %+v", th)
	}
	c.do("threads.list", nil, arg{"senders": []string{c.peer}, "subject": []string{m.Subject}, "before": arg{"$date": time.Now().Add(time.Hour)}})
	c.do("threads.getAttachment", nil, m.ThreadID, m.Attachments[0].AttachmentID)
	c.do("threads.update", nil, m.ThreadID, arg{"addLabels": []string{"seen"}, "removeLabels": []string{"unread"}})
	eventually(c.t, "search finds the thread", func() error {
		var found struct{ Threads []Thread }
		c.do("threads.search", &found, arg{"q": m.Subject + " kingfisher"})
		if !slices.ContainsFunc(found.Threads, func(th Thread) bool { return th.ThreadID == m.ThreadID }) {
			return fmt.Errorf("%+v", found)
		}
		return nil
	})
	c.do("threads.delete", nil, m.ThreadID)
}

func (c *tour) drafts() {
	var d struct {
		DraftID, Subject string
		Attachments      []Attachment
	}
	c.call("inboxes.drafts.create", &d, c.inbox, arg{"to": []string{c.peer}, "subject": c.name("draft"), "text": "Not yet.",
		"attachments": []arg{{"filename": "plan.txt", "content": "cGxhbg=="}}})
	c.do("drafts.get", nil, d.DraftID)
	c.do("drafts.list", nil, arg{"limit": 10})
	c.do("drafts.getAttachment", nil, d.DraftID, d.Attachments[0].AttachmentID)
	c.call("inboxes.drafts.update", &d, c.inbox, d.DraftID, arg{"subject": "Changed", "addLabels": []string{"later"}})
	if d.Subject != "Changed" {
		c.t.Errorf("the draft: %+v", d)
	}
	c.call("inboxes.drafts.delete", nil, c.inbox, d.DraftID)
	c.call("inboxes.drafts.create", &d, c.inbox, arg{"to": []string{c.peer}, "subject": c.name("draft"), "text": "Now."})
	c.call("inboxes.drafts.send", nil, c.inbox, d.DraftID, arg{"addLabels": []string{"from a draft"}})
}

func (c *tour) messages() {
	m := c.arrival()
	c.call("inboxes.messages.get", &m, c.inbox, m.MessageID)
	c.call("inboxes.messages.getRaw", nil, c.inbox, m.MessageID)
	c.call("inboxes.messages.getAttachment", nil, c.inbox, m.MessageID, m.Attachments[0].AttachmentID)
	c.call("inboxes.messages.update", nil, c.inbox, m.MessageID, arg{"addLabels": "seen", "removeLabels": []string{"unread"}})
	c.call("inboxes.messages.batchGet", nil, c.inbox, arg{"messageIds": []string{m.MessageID}})
	c.call("inboxes.messages.batchUpdate", nil, c.inbox, arg{"messageIds": []string{m.MessageID}, "addLabels": []string{"kept"}})
	c.call("inboxes.messages.send", nil, c.inbox, arg{"to": c.peer, "subject": "Hello", "text": "Hello."})
	c.call("inboxes.messages.reply", nil, c.inbox, m.MessageID, arg{"text": "Thank you."})
	c.call("inboxes.messages.replyAll", nil, c.inbox, m.MessageID, arg{"html": "<p>Thank you all.</p>"})
	c.call("inboxes.messages.forward", nil, c.inbox, m.MessageID, arg{"to": []string{c.peer}, "text": "See below."})
	eventually(c.t, "search finds the message", func() error {
		var found struct{ Messages []Message }
		c.call("inboxes.messages.search", &found, c.inbox, arg{"q": m.Subject})
		if len(found.Messages) == 0 {
			return fmt.Errorf("%+v", found)
		}
		return nil
	})
	c.call("inboxes.events.list", nil, c.inbox, arg{"limit": 5, "ascending": true})
	c.call("inboxes.messages.delete", nil, c.inbox, m.MessageID)
	c.refused(404, "inboxes.messages.get", c.inbox, m.MessageID)
}

func (c *tour) webhooks() {
	var hook struct{ WebhookID, Secret string }
	c.do("webhooks.create", &hook, arg{"url": "http://127.0.0.1:9/hook", "eventTypes": []string{"message.received"}, "clientId": c.name("hook")})
	c.do("webhooks.get", nil, hook.WebhookID)
	c.do("webhooks.list", nil, arg{"limit": 10})
	c.do("webhooks.update", nil, hook.WebhookID, arg{"eventTypes": []string{"message.sent"}})
	c.do("webhooks.updateHeaders", nil, hook.WebhookID, arg{"headers": arg{"X-Team": "birds"}})
	var names struct{ HeaderNames []string }
	if c.do("webhooks.getHeaders", &names, hook.WebhookID); !slices.Equal(names.HeaderNames, []string{"X-Team"}) {
		c.t.Errorf("the headers: %q", names.HeaderNames)
	}
	c.do("webhooks.delete", nil, hook.WebhookID)
}

func (c *tour) socket() {
	var at int
	var answer Heard
	c.call("sockets.open", &at, arg{})
	c.used["websockets.connect"] = true // which that is
	if c.call("sockets.subscribe", &answer, at, arg{"inboxIds": []string{c.inbox}, "eventTypes": []string{"message.received"}}); answer.Message.Type != "subscribed" {
		c.t.Errorf("subscribed: %+v", answer)
	}
	c.call("sockets.close", nil, at)
}

// agent signs up for a human who reads his mail here too.
func (c *tour) agent() {
	var human Inbox
	c.admin.call("inboxes.create", &human, arg{})
	var signed struct{ InboxID, APIKey string }
	c.call("agent.signUp", &signed, arg{"humanEmail": human.InboxID, "username": c.name("agent"), "source": "e2e"})
	agent := c.podmail.sdk(signed.APIKey)
	agent.refused(403, "inboxes.messages.send", signed.InboxID, arg{"to": c.peer, "text": "Hello"})
	code := regexp.MustCompile(`\b\d{6}\b`).FindString(c.admin.onlyThread(human.InboxID, 1).Messages[0].Text)
	agent.refused(400, "agent.verify", arg{"otpCode": "wrong"})
	var answer struct{ Verified bool }
	if agent.call("agent.verify", &answer, arg{"otpCode": code}); !answer.Verified {
		c.t.Errorf("the code %s: %+v", code, answer)
	}
	agent.call("inboxes.messages.send", nil, signed.InboxID, arg{"to": c.peer, "text": "Hello"})
	maps.Copy(c.used, agent.used)
}

// hosted: what belongs to AgentMail's hosted service is empty, or says that it is not there.
func (c *tour) hosted() {
	c.call("providers.list", nil)
	c.call("providers.search", nil, arg{"q": "any"})
	c.call("accounts.list", nil)
	c.refused(404, "accounts.get", "none")
	c.refused(404, "providers.get", "none")
	c.refused(404, "providers.listAccounts", "none")
	c.refused(404, "providers.connect", "none")
	c.refused(422, "inboxes.authorize", c.inbox, arg{"authToken": "none"})
}
